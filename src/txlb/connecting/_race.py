"""
A race between the addresses of one host: they are tried side by side until one answers.

Source: RFC 8305, "Happy Eyeballs Version 2", sections 4 and 5. The families take turns.
The next address is tried when the one before it has had 250 ms or has failed. The first
established connection is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from txlb.deadlines import Deadline, Deadlines
from txlb.model import Address, TCPAddress
from txlb.pool import Failure, FailureKind

#: Seconds that an address has before the next one is tried as well: the "Connection
#: Attempt Delay" of RFC 8305, section 8.
STAGGER = 0.25

#: Addresses that are tried at most for one client, check or probe. With the stagger above the
#: last one begins after 1.75 s, within the default connect timeout of 5 s.
MOST = 8

#: Addresses that a message names at most.
NAMED = 3

TIMED_OUT = Failure(FailureKind.TIMEOUT, "no answer in time")


class Connector(Protocol):
    """
    The part that connects to single addresses for a race.
    """

    def start(self, address: Address) -> Failure | None:
        """
        Begin to connect. Later L{Race.won} or L{Race.failed} is called with the address.

        @return: the failure, if it has failed already; then neither is called.
        """

    def stop(self, address: Address) -> None:
        """
        Stop connecting to an address: another one has won, or its time is over.
        """

    def lost(self, failure: Failure) -> None:
        """
        Take the failure of all addresses. It is called only after L{Race.begin} has returned.
        """


class Race:
    """
    One race. Owned by the relay's connection, check or probe that wants to connect.

    @param connector: connects to single addresses.
    @param deadlines: where timeouts wait.
    @param addresses: the addresses, the preferred one first; at least one.
    @param timeout: seconds that each address has.
    @param latest: until when all of it may last, in seconds of the monotonic clock.
    """

    def __init__(
        self,
        connector: Connector,
        deadlines: Deadlines,
        addresses: Sequence[Address],
        timeout: float,
        latest: float,
    ) -> None:
        self._connector = connector
        self._deadlines = deadlines
        self._left = interleaved(addresses)[:MOST]
        self._left.reverse()
        self._timeout = timeout
        self._stagger = min(STAGGER, timeout / len(self._left))
        self._latest = latest
        self._since = deadlines.seconds()
        # The addresses that are being connected to, each with the end of its time.
        self._running: dict[Address, Deadline] = {}
        self._failures: list[tuple[Address, Failure]] = []
        self._next: Deadline | None = None
        self.over = False

    def begin(self, begun: bool = False, failure: Failure | None = None) -> Failure | None:
        """
        Begin.

        @param begun: whether the first address was tried already.
        @param failure: the failure of that; L{None} if it is being connected to.
        @return: the failure of all addresses, if none can be reached and that is known at
            once; then the race is over.
        """
        if begun:
            address = self._left.pop()
            if failure is None:
                self._takesTime(address)
                return None
            self._failures.append((address, failure))
        return self._goOn()

    def won(self, address: Address) -> None:
        """
        Take the address that was reached, and stop connecting to the others.
        """
        deadline = self._running.pop(address, None)
        if deadline is not None:
            deadline.cancel()
        self.end()

    def failed(self, address: Address, failure: Failure) -> None:
        """
        Take the failure of one address. Once the race is over this does nothing.
        """
        if self.over:
            return
        self._note(address, failure)
        lost = self._goOn()
        if lost is not None:
            self._connector.lost(lost)

    def end(self) -> None:
        """
        Stop connecting to all addresses.
        """
        self.over = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        running, self._running = self._running, {}
        for address, deadline in running.items():
            deadline.cancel()
            self._connector.stop(address)

    def _note(self, address: Address, failure: Failure) -> None:
        deadline = self._running.pop(address, None)
        if deadline is not None:
            deadline.cancel()
        self._failures.append((address, failure))
        if failure.kind is FailureKind.LOCAL:
            # This machine lacks descriptors or memory for the others as well.
            self._left.clear()

    def _goOn(self) -> Failure | None:
        """
        Try the next address, or more if they fail at once.

        @return: the failure of all addresses, once it is known that none can be reached.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        while self._left:
            if self._deadlines.seconds() >= self._until():
                self._left.clear()
                break
            address = self._left.pop()
            failure = self._connector.start(address)
            if self.over:
                # The address was reached at once.
                return None
            if failure is None:
                self._takesTime(address)
                return None
            self._note(address, failure)
        if self._running:
            return None
        self.over = True
        return combined(self._failures)

    def _until(self) -> float:
        """
        Compute until when the race may last: the time that the process has slept is added.
        """
        return self._latest + self._deadlines.sleptSince(self._since)

    def _takesTime(self, address: Address) -> None:
        """
        Give an address that does not answer at once its time, and try the next one after the
        stagger.
        """
        now = self._deadlines.seconds()
        time = max(min(self._timeout, self._until() - now), 0.0)
        self._running[address] = self._deadlines.patience(time, lambda: self._late(address), now)
        if self._left:
            self._next = self._deadlines.at(now + self._stagger, self._staggered)

    def _staggered(self) -> None:
        self._next = None
        lost = self._goOn()
        if lost is not None:
            self._connector.lost(lost)

    def _late(self, address: Address) -> None:
        self._connector.stop(address)
        self.failed(address, TIMED_OUT)


def interleaved(addresses: Iterable[Address]) -> list[Address]:
    """
    Order addresses so that the two families take turns, beginning with the first
    address; within a family they stay as they are. So a family that doesn't work here
    costs one turn and not one for each of its addresses.
    """
    first: list[Address] = []
    second: list[Address] = []
    for address in addresses:
        if not first or _isIPv6(address) is _isIPv6(first[0]):
            first.append(address)
        else:
            second.append(address)
    found: list[Address] = []
    while first and second:
        found += (first.pop(0), second.pop(0))
    return [*found, *first, *second]


def _isIPv6(address: Address) -> bool:
    return isinstance(address, TCPAddress) and ":" in address.host


def combined(failures: Sequence[tuple[Address, Failure]]) -> Failure:
    """
    Make one failure of those of all addresses. If one of them is not the host's fault,
    the host may be well, and the whole is not its fault either.

    @param failures: each address and why it could not be reached, in the order in which
        that came out; none if there was no time for any.
    """
    if not failures:
        return TIMED_OUT
    if len(failures) == 1:
        return failures[0][1]
    kinds = [failure.kind for _, failure in failures]
    kind = kinds[-1]
    for spared in (FailureKind.LOCAL, FailureKind.PORTS, FailureKind.BUSY):
        if spared in kinds:
            kind = spared
            break
    said = [f"{address}: {failure.detail}" for address, failure in failures[:NAMED]]
    if len(failures) > NAMED:
        said.append(f"{len(failures) - NAMED} more")
    return Failure(kind, "; ".join(said))

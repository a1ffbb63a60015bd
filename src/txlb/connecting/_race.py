"""
The addresses of one host, tried side by side until one answers.

Source: RFC 8305, "Happy Eyeballs Version 2", sections 4 and 5: the families take turns,
an address is tried when the one before it has had 250 ms or has failed, and the first
connection that stands is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from txlb.deadlines import Deadline, Deadlines
from txlb.model import Address, TCPAddress
from txlb.pool import Failure, FailureKind

#: Seconds that an address has before the next one is tried as well: the "Connection
#: Attempt Delay" of RFC 8305.
STAGGER = 0.25

#: Addresses that are tried at most for one client, check or probe.
MOST = 8

#: Addresses that a message names at most.
NAMED = 3

TIMED_OUT = Failure(FailureKind.TIMEOUT, "no answer in time")


class Track(Protocol):
    """
    Connects to single addresses for a race.
    """

    def start(self, address: Address) -> Failure | None:
        """
        Begin to connect. Later L{Race.won} or L{Race.failed} is called with the address.

        @return: why it failed, if it has failed already; then neither is called.
        """

    def stop(self, address: Address) -> None:
        """
        Connect there no more: another one has won, or its time is over.
        """

    def lost(self, failure: Failure) -> None:
        """
        No address could be reached, which came out after L{Race.begin} had returned.
        """


class Race:
    """
    One race. Owned by the relay's connection, check or probe that wants to connect.

    @param track: connects.
    @param deadlines: where timeouts wait.
    @param addresses: the addresses, the preferred one first; at least one.
    @param timeout: seconds that each address has.
    @param latest: until when all of it may last, in seconds of the monotonic clock.
    """

    def __init__(
        self,
        track: Track,
        deadlines: Deadlines,
        addresses: Sequence[Address],
        timeout: float,
        latest: float,
    ) -> None:
        self._track = track
        self._deadlines = deadlines
        self._left = interleaved(addresses)[:MOST]
        self._left.reverse()
        self._timeout = timeout
        self._stagger = min(STAGGER, timeout / len(self._left))
        self._latest = latest
        self._since = deadlines.seconds()
        # Those that are being connected to, each with the end of its time.
        self._running: dict[Address, Deadline] = {}
        self._failures: list[tuple[Address, Failure]] = []
        self._next: Deadline | None = None
        self.over = False

    def begin(self, begun: bool = False, failure: Failure | None = None) -> Failure | None:
        """
        Begin.

        @param begun: whether the first address was tried already.
        @param failure: why that failed; L{None} if it is being connected to.
        @return: why no address can be reached, if that is known at once; then the race
            is over.
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
        An address was reached: stop connecting to the others.
        """
        deadline = self._running.pop(address, None)
        if deadline is not None:
            deadline.cancel()
        self.end()

    def failed(self, address: Address, failure: Failure) -> None:
        """
        An address could not be reached. Once the race is over this does nothing.
        """
        if self.over:
            return
        self._note(address, failure)
        lost = self._goOn()
        if lost is not None:
            self._track.lost(lost)

    def end(self) -> None:
        """
        Stop all of it.
        """
        self.over = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        running, self._running = self._running, {}
        for address, deadline in running.items():
            deadline.cancel()
            self._track.stop(address)

    def _note(self, address: Address, failure: Failure) -> None:
        deadline = self._running.pop(address, None)
        if deadline is not None:
            deadline.cancel()
        self._failures.append((address, failure))
        if failure.kind is FailureKind.LOCAL:
            # No other could be reached either.
            self._left.clear()

    def _goOn(self) -> Failure | None:
        """
        Try the next address, or more if they fail at once.

        @return: why none can be reached, once that is known.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        while self._left:
            if self._deadlines.seconds() >= self._until():
                self._left.clear()
                break
            address = self._left.pop()
            failure = self._track.start(address)
            if self.over:
                # It was there at once.
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
        Until when all of it may last, with what the process has slept through.
        """
        return self._latest + self._deadlines.sleptSince(self._since)

    def _takesTime(self, address: Address) -> None:
        """
        An address does not answer at once: give it its time, and then try the next one.
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
            self._track.lost(lost)

    def _late(self, address: Address) -> None:
        self._track.stop(address)
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

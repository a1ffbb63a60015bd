"""
Two connected sides and the bytes between them.

Each side is the push producer of the other: when one can't be written to, the
other is not read. The bytes of one direction end in three steps, after which
that direction is closed:

    1. one side has finished sending (its FIN was read),
    2. the bytes that were read before that have been written to the other side,
    3. the other side has been told (the relay's FIN was sent).

If both directions are closed the connection is over in good order.

A side that was reset takes nothing more. The bytes that it had sent before are still read and
delivered to the other side, and then that side is reset (L{Delivery}). A timeout and a stop
reset both sides at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from txlb.deadlines import Deadline, Deadlines
from txlb.pool import Lease, Outcome
from txlb.proxy._delivery import Delivery
from txlb.proxy._results import Timeouts
from txlb.proxy._side import Side
from txlb.proxy._sockettransport import SocketTransport
from txlb.wire import ENDED, FAILED, TOLD, ChangedConnection, EndState, MovedConnection


class Pair:
    """
    The two sides of one relayed connection.

    @ivar client: the side towards the client.
    @ivar host: the side towards the host.
    @param closed: is called once with the outcome, when both sides are closed.
    """

    def __init__(
        self, deadlines: Deadlines, timeouts: Timeouts, closed: Callable[[Outcome], object]
    ) -> None:
        self._deadlines = deadlines
        self._timeouts = timeouts
        self._closed = closed
        self._lease: Lease | None = None
        self._outcome: Outcome | None = None
        self._deadline: Deadline | None = None
        self._delivery: Delivery | None = None
        self._begun = False
        self._lastMoved = 0.0
        # When bytes moved last.
        self._lastBytes = -math.inf
        self._unsent = 0
        self.client = Side(self, Outcome.CLIENT_RESET)
        self.host = Side(self, Outcome.HOST_RESET)
        self.client.other = self.host
        self.host.other = self.client

    def claim(self, lease: Lease) -> None:
        """
        Take the lease, as the host is connected. C{closed} will be called from here.

        @param lease: the lease that counts the bytes; its owner releases it.
        """
        self._lease = lease

    def begin(self, toHost: bytes, toClient: bytes) -> None:
        """
        Move bytes, as both sides are connected.

        @param toHost: bytes to send to the host first, not counted.
        @param toClient: bytes to send to the client first, not counted.
        """
        if not (self.client.isOpen and self.host.isOpen):
            lost = self.client if self.host.isOpen else self.host
            self.abort(lost.resetOutcome)
            return
        for side, first in ((self.client, toClient), (self.host, toHost)):
            side.transport.registerProducer(side.other.transport, True)
            if first:
                side.transport.write(first)
        self._lastMoved = self._deadlines.seconds()
        self._begun = True
        self._watch(self._timeouts.idle)
        for side in (self.client, self.host):
            if side.failed:
                self.failed(side)
        for side in (self.client, self.host):
            # If the other side has failed, the bytes of this one have no reader.
            if side.isOpen and not side.other.failed:
                side.transport.resumeProducing()

    def moved(self, source: Side, count: int) -> None:
        """
        Count bytes that a side sent, which are on their way to the other.
        """
        self._lastMoved = self._lastBytes = self._deadlines.seconds()
        if self._delivery is not None:
            self._delivery.moved()
        if self._lease is not None:
            if source is self.client:
                self._lease.add(count, 0)
            else:
                self._lease.add(0, count)

    def ended(self, side: Side) -> None:
        """
        Take note that a side has sent all, or is lost.
        """
        if side is self.host and not self.client.sentAll and self._lease is not None:
            self._lease.hostFirst = True

    def progressed(self) -> None:
        """
        Take note that a side has sent all, or been told all.
        """
        if self._outcome is not None:
            return
        self._lastMoved = self._deadlines.seconds()
        if self.client.toldAll and self.host.toldAll:
            self._end(Outcome.DONE)
        else:
            self._watch(self._timeouts.fin)

    def failed(self, side: Side) -> None:
        """
        Take note that a side takes nothing more.
        """
        if not self._begun:
            return  # begin() looks itself
        if self._outcome is None:
            self._deliverFrom(side)
        elif self._delivery is not None and self._delivery.target is side:
            # Both sides have failed.
            self._resetBoth()

    def lost(self, side: Side) -> None:
        """
        Take note that a side is closed.
        """
        if self._outcome is None:
            if self._begun:
                self._deliverFrom(side)
            else:
                self.ended(side)
                self._end(side.resetOutcome)
        if self._delivery is None:
            self._checkClosed()
        elif self._delivery.target is side:
            self._resetBoth()
        else:
            self._delivery.allRead()

    def _deliverFrom(self, side: Side) -> None:
        """
        Deliver the bytes that a failed side had sent to the other side.
        """
        self.ended(side)
        self._outcome = side.resetOutcome
        # It can't move to another process any more.
        self._lastMoved = self._deadlines.seconds()
        self._stopWatching()
        target = side.other
        # The bytes of the other side have no reader.
        target.transport.pauseProducing()
        if side.isOpen:
            side.transport.unregisterProducer()
        self._delivery = Delivery(
            self._deadlines, target, self._timeouts.fin, self._lastBytes, self._resetBoth
        )

    def abort(self, outcome: Outcome) -> None:
        """
        Reset both sides.
        """
        if self._outcome is None:
            self._end(outcome)
        elif self._outcome is not Outcome.DONE:
            self._resetBoth()

    def _end(self, outcome: Outcome) -> None:
        self._outcome = outcome
        if outcome is not Outcome.DONE:
            self._resetBoth()
            return
        for side in (self.client, self.host):
            if side.isOpen:
                side.transport.unregisterProducer()
                side.transport.loseConnection()
        self._checkClosed()

    def _resetBoth(self) -> None:
        """
        Reset the sides that are open, now.
        """
        if self._delivery is not None:
            self._delivery.stop()
            self._delivery = None
        for side in (self.client, self.host):
            if side.isOpen:
                side.transport.unregisterProducer()
                side.transport.abortConnection()
        self._checkClosed()

    def _checkClosed(self) -> None:
        if self._lease is None or self._outcome is None or self.client.isOpen or self.host.isOpen:
            return
        self._stopWatching()
        closed, self._closed = self._closed, _ignore
        closed(self._outcome)

    # For an upgrade

    @property
    def isOver(self) -> bool:
        """
        Whether it has an outcome, so that it moves no bytes any more.
        """
        return self._outcome is not None

    @property
    def lastMoved(self) -> float:
        """
        When something happened last, in seconds of the monotonic clock.
        """
        return self._lastMoved

    @property
    def whyStays(self) -> str:
        """
        The reason why no other process can take it over; empty if one can.
        """
        if self._outcome is not None:
            return "a side has failed, and the other one gets the rest"
        for side in (self.client, self.host):
            if type(side.transport) is not SocketTransport:
                return "TLS, or a transport of the reactor"
        return ""

    def states(self, hold: Callable[[bytes], int]) -> tuple[EndState, EndState]:
        """
        Tell how both sides stand, for the process that takes them over.

        @param hold: keeps bytes for that process, and returns their place.
        """
        found = []
        for side in (self.client, self.host):
            unsent = side.other.transport.unsent
            flags = (side.sentAll and ENDED) | (side.toldAll and TOLD)
            at = hold(unsent) if unsent else 0
            found.append(EndState(int(flags), 0, 0, at, len(unsent)))
        return found[0], found[1]

    def goOn(self, moved: MovedConnection | ChangedConnection, held: dict[Side, bytes]) -> None:
        """
        Move bytes, as the process that did so does not any more.

        @param moved: what that process told last.
        @param held: the bytes of each side that the other one has not taken.
        """
        self._begun = True
        self._lastMoved = moved.lastMoved
        for side, state in ((self.client, moved.client), (self.host, moved.hostEnd)):
            side.sentAll, side.toldAll = bool(state.flags & ENDED), bool(state.flags & TOLD)
        half = self.client.sentAll or self.host.sentAll
        self._watch(self._timeouts.fin if half else self._timeouts.idle)
        for side in (self.client, self.host):
            other = side.other
            if not other.sentAll:
                side.transport.registerProducer(other.transport, True)
            side.transport.goOn(held[other], side.sentAll, other.sentAll, side.toldAll)
        for side in (self.client, self.host):
            if side.isOpen and not side.sentAll and not held[side]:
                side.transport.resumeProducing()
        for side, state in ((self.client, moved.client), (self.host, moved.hostEnd)):
            if state.flags & FAILED and side.isOpen:
                self.failed(side)

    def stop(self) -> None:
        """
        Do nothing more, as another process has both sides. L{leave} comes next.
        """
        self._outcome, self._closed = Outcome.STOPPED, _ignore
        self._stopWatching()
        for side in (self.client, self.host):
            side.transport.stop()

    def leave(self) -> None:
        """
        Close the descriptors of this process.
        """
        for side in (self.client, self.host):
            side.transport.leave()

    # Silence

    def _watch(self, timeout: float) -> None:
        self._stopWatching()
        if timeout:
            self._unsent = self._unsentBytes()
            when = self._silentAt(timeout)
            self._deadline = self._deadlines.at(when, lambda: self._look(timeout))

    def _silentAt(self, timeout: float) -> float:
        """
        Compute when the pair has been silent for too long.
        """
        # Bytes that were sent while the process slept may not have been read yet.
        return self._lastMoved + timeout + self._deadlines.sleptSince(self._lastMoved)

    def _stopWatching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self, timeout: float) -> None:
        """
        End the connection if no bytes have moved in time.
        """
        now = self._deadlines.seconds()
        unsent = self._unsentBytes()
        if unsent != self._unsent:
            # A slow reader empties the system's buffers for a long time before the relay
            # can write again.
            self._lastMoved = now
        if now < self._silentAt(timeout):
            self._watch(timeout)
        elif self.client.sentAll or self.host.sentAll:
            self._end(Outcome.FIN_TIMEOUT)
        else:
            self._end(Outcome.IDLE_TIMEOUT)

    def _unsentBytes(self) -> int:
        return sum(side.onTheWay for side in (self.client, self.host) if side.isOpen)


def _ignore(outcome: Outcome) -> None:
    """
    Do nothing: the outcome was told already.
    """

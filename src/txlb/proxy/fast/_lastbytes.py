"""
The delivery of the last bytes of an end whose socket has failed.

A host that wants no more of a request answers and closes, maybe with data unread. Its system
then sends a reset. The answer precedes that reset in the buffers of the relay and of the
system, but the relay finds out first that it can't write to the host any more. TCP keeps the
bytes that have come before a reset for the reader. HAProxy and nginx deliver them, so that the
client gets the answer. RFC 9112 (section 9.6) tells why hosts do this.

So a socket that fails does not end the connection at once. Its bytes are read to the end and
delivered, and only then the other end is reset. Bytes in the other direction are dropped, as
they have no reader.
"""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Protocol

from txlb.pool import Outcome
from txlb.proxy._sockets import bytesOnTheWay
from txlb.proxy.fast import _bulk
from txlb.proxy.fast._handler import Calls, Handler
from txlb.proxy.fast._secureends import PlainEnd, takeLast

if TYPE_CHECKING:
    from txlb.proxy._results import Timeouts
    from txlb.proxy.fast._end import End
    from txlb.proxy.fast._loop import Loop

#: Bytes that are read at once.
CHUNK = 65536

#: Reads in a turn at most: half a MiB.
ROUNDS = 8

#: Seconds that a target has to read the bytes that it got last before it is reset: longer than a
#: program needs that is woken up by them. After them is the first look whether all bytes have
#: reached the target. Each look doubles the time to the next.
SOON = 0.05

#: Seconds between two looks at most.
SELDOM = 0.5

#: Seconds without progress after which it gives up, if the service sets no C{fin} timeout.
LONGEST = 60.0


class LastBytesOwner(Protocol):
    """
    The owner of last bytes: a connection, one of whose sockets has failed.

    @ivar lastMoved: when bytes moved last, in seconds of the monotonic clock.
    """

    lastMoved: float
    loop: Loop

    @property
    def timeouts(self) -> Timeouts: ...

    def moved(self, end: End, count: int) -> None:
        """
        Count bytes that an end sent, which have been written to the other.
        """

    def askBy(self, when: float) -> None:
        """
        Have C{deadlinePassed} called by a time.
        """

    def finish(self, outcome: Outcome) -> None:
        """
        Take back the connection: the last bytes were delivered, or can't be.
        """


class LastBytes:
    """
    The delivery of the bytes of a failed end to its peer. A connection, one of whose sockets
    has failed, makes it and owns it until C{finish}.

    The amount is bounded by the bytes that the system holds of the failed socket, and the time
    by the C{fin} timeout: a peer that takes nothing for so long is reset as well.

    @param source: the end that has failed.

    @ivar lookAt: when to look next, in seconds of the monotonic clock.
    @ivar outcome: the outcome of the connection.
    @ivar queued: whether it waits for its turn of bulk; the loop keeps this.
    """

    __slots__ = (
        "_allRead",
        "_connection",
        "_delay",
        "_left",
        "_onTheWay",
        "_over",
        "_since",
        "_source",
        "_target",
        "lookAt",
        "outcome",
        "queued",
    )

    def __init__(self, connection: LastBytesOwner, source: End) -> None:
        target = source.peer
        self._connection = connection
        self._source = source
        self._target = target
        self.outcome: Outcome = source.resetOutcome
        self.queued = self._over = self._allRead = False
        self._delay = SOON
        self._onTheWay = -1
        self._since = connection.loop.now
        self.lookAt = self._since + self.limit
        # The source takes nothing more.
        source.unsent = None
        if target.pipe is not None:
            target.leavePipe()
        self._left, target.unsent = target.unsent or b"", None

    @property
    def limit(self) -> float:
        """
        Seconds without progress after which it gives up.
        """
        return self._connection.timeouts.fin or LONGEST

    def handlerOf(self, end: End) -> Handler:
        """
        Find the handler for the events of an end of the connection.
        """
        return Calls(self._sourceEvent if end is self._source else self._targetEvent)

    def _sourceEvent(self, event: int) -> None:
        """
        Go on, as there is more to read. This happens on a UNIX socket whose peer reads no
        more and still sends.
        """
        self.go()

    def _targetEvent(self, event: int) -> None:
        """
        Go on if the target takes more; stop if it has failed as well.
        """
        if event & select.EPOLLERR or (event & select.EPOLLHUP and _isUNIX(self._target)):
            self.stop()
        else:
            self.go()

    def go(self) -> None:
        """
        Go on in the loop's next turn of bulk.
        """
        self._connection.loop.queueBulk(self)

    def moveBulk(self) -> None:
        """
        Deliver a part of the bytes; the loop calls this.
        """
        if self._over or self._allRead:
            return
        try:
            for _ in range(ROUNDS):
                if not self._give() or not self._take():
                    return
        except BlockingIOError:
            # The target takes no more now; the loop tells when it does.
            self._target.hearOut()
        except OSError:
            # The target has failed too.
            self.stop()
        else:
            self.go()

    def _give(self) -> bool:
        """
        Write the bytes that were read before.

        @return: whether all of it was taken.
        @raise OSError: from the target.
        """
        source, target, connection = self._source, self._target, self._connection
        if self._left:
            count = os.write(target.fd, self._left)
            self._left = self._left[count:]
            self._moved(count)
            if self._left:
                target.hearOut()
                return False
        pipe = source.pipe
        while pipe is not None and pipe.held:
            count = os.splice(pipe.reader, target.fd, pipe.held, flags=_bulk.AT_ONCE)
            pipe.held -= count
            connection.moved(source, count)
        return True

    def _moved(self, count: int) -> None:
        """
        Take note of bytes that were written to the target. With TLS they were counted before.
        """
        if isinstance(self._source, PlainEnd):
            self._connection.lastMoved = self._connection.loop.now
        else:
            self._connection.moved(self._source, count)

    def _take(self) -> bool:
        """
        Read the next bytes.

        @return: whether there were any.
        """
        source = self._source
        if source.pipe is not None:
            source.leavePipe()
        try:
            self._left = takeLast(source, CHUNK)
        except BlockingIOError:
            # The peer of a UNIX socket may have shut down reading, and still send. A TCP socket
            # that has failed gives all its bytes, and then an end or an error.
            if _isUNIX(source):
                return False
        except OSError:
            pass
        if not self._left:
            self._allRead = True
            self._settle()
        return bool(self._left)

    def _settle(self) -> None:
        """
        Reset the target once all bytes have arrived, and after a moment to read them. All
        bytes were written by now. A reset drops bytes that have not reached the target yet,
        some clients' systems drop bytes that have not been read, and a program may still be
        asking whether it is connected.
        """
        now = self._connection.loop.now
        if self._arrived(now) and now - self._connection.lastMoved >= SOON:
            self.stop()
        else:
            self.lookAt = now + SOON
            self._connection.askBy(self.lookAt)

    def _arrived(self, now: float) -> bool:
        """
        Say whether all bytes have reached the target's system. On a UNIX socket they do at
        once.
        """
        if _isUNIX(self._target):
            return True
        onTheWay = bytesOnTheWay(self._target.fd)
        if onTheWay != self._onTheWay:
            self._onTheWay = onTheWay
            self._since = now
        return not onTheWay

    def deadlinePassed(self, now: float) -> float | None:
        if now < self.lookAt:
            return self.lookAt
        arrived = self._arrived(now)
        since = max(self._since, self._connection.lastMoved)
        # Bytes that arrived while the process slept may not have been seen yet.
        latest = since + self.limit + self._connection.loop.deadlines.sleptSince(since)
        if (arrived and self._allRead) or now >= latest:
            self._connection.loop.now = now
            self.stop()
            return None
        self.lookAt = latest
        if self._allRead:
            self._delay = min(self._delay * 2, SELDOM)
            self.lookAt = min(latest, now + self._delay)
        return self.lookAt

    def stop(self) -> None:
        """
        Deliver no more, and reset the connection.
        """
        if not self._over:
            self._over = True
            self._connection.finish(self.outcome)

    @property
    def source(self) -> End:
        """
        The end that has failed.
        """
        return self._source

    @property
    def left(self) -> bytes:
        """
        The bytes that were read and that the target has not taken.
        """
        return self._left

    def leave(self) -> None:
        """
        Deliver nothing more, as another process does it.
        """
        self._over = True

    def breakDown(self) -> None:
        """
        Reset the connection, as one of its handlers raised.
        """
        self.stop()


def _isUNIX(end: End) -> bool:
    domain = end.socket().getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)
    return bool(domain == socket.AF_UNIX)

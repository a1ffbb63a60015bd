"""
One socket of a relayed connection.

An end is in one of these states, which are told by two flags::

    ended   told    the end ...
    -----   -----   ------------------------------------------------------------
    no      no      is read, and written to
    yes     no      has finished sending (its FIN was read), and is written to
    no      yes     has been told that its peer finished (our FIN was sent), and
                    is read
    yes     yes     is through; with its peer through as well, both are closed

Both flags are only ever set. An end whose time is over takes its peer with it from any
state, and so does an exception. If an end resets, or a write to it fails, L{LastBytes}
takes over from any state: it delivers what that end had sent, and resets its peer then.

What it waits for is told by two more::

    readable    there may be something to read that was left because the peer could
                not take it; when the peer has taken what it has, this is read on
    unsent      bytes that it could not take; while there are some the peer is
                not read
"""

from __future__ import annotations

import _socket
import select
import socket
from os import close, read, write
from typing import TYPE_CHECKING, Protocol

from txlb.pool import Lease, Outcome
from txlb.proxy.fast._targets import STREAM

if TYPE_CHECKING:
    from txlb.proxy.fast._loop import Loop
    from txlb.proxy.fast._pipes import Pipe

#: Bytes that are read at once. A direction that fills it goes over to bulk.
CHUNK = 65536

IN = select.EPOLLIN
OUT = select.EPOLLOUT
ERROR = select.EPOLLERR
#: The peer of the socket will send nothing more; it is read to the end.
GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
#: An urgent byte has come: a read ends before it, though more has come.
URGENT = select.EPOLLPRI
NOTEWORTHY = GONE | URGENT
READ = IN | NOTEWORTHY


class EndOwner(Protocol):
    """
    The owner of two ends: a connection.

    @ivar lastMoved: when bytes moved last, in seconds of the monotonic clock.
    @ivar lease: the claim on the host.
    @ivar loop: the loop whose events the ends get.
    @ivar over: whether the connection has ended.
    """

    lastMoved: float
    lease: Lease
    loop: Loop
    over: bool

    def moved(self, end: End, count: int) -> None:
        """
        Count bytes that an end sent, which have been written to the other.
        """

    def moveBulk(self, end: End) -> None:
        """
        Move a part of the much that an end has sent.
        """

    def lasts(self, end: End) -> None:
        """
        Take note that an end sends much, for long.
        """

    def halfClosed(self, end: End) -> None:
        """
        Take note that an end has finished sending.
        """

    def broke(self, end: End) -> None:
        """
        Go on without an end whose socket has failed.
        """

    def end(self, outcome: Outcome) -> None:
        """
        End the connection.
        """

    def breakDown(self) -> None:
        """
        End the connection, as a handler of an end raised.
        """


class End:
    """
    One socket of a relayed connection. Owned by its connection.

    It is read and written by its descriptor: an object for it is made, by
    L{socket}, only where something wants one, which for a client is seldom.

    @param sock: the object, where there is one.

    @ivar peer: the other one.
    @ivar resetOutcome: how the connection ended if this end resets it.
    @ivar last: whether a short read says nothing, so that it is read on: the end of what
        it sends has come in, or an urgent byte has.
    @ivar urgent: whether it is copied, and not spliced, until it has been read to the end.
    @ivar hearsOut: whether the loop tells when it can be written to.
    @ivar blocked: whether it took no more when it was written to last, and its peer waits.
    @ivar bulk: whether what it sends goes through a pipe.
    @ivar burst: bytes that have gone through pipes since it began to send much.
    @ivar batched: whether it is read only when much has come; see L{ReadBatching}.
    @ivar queued: whether it waits for its turn of bulk; the loop keeps this.
    @ivar pipe: the pipe that holds C{piped} bytes of its, L{None} when empty.
    """

    __slots__ = (
        "_sock",
        "batched",
        "blocked",
        "bulk",
        "burst",
        "connection",
        "ended",
        "fd",
        "hearsOut",
        "isClient",
        "last",
        "peer",
        "pipe",
        "piped",
        "queued",
        "readable",
        "told",
        "unsent",
        "urgent",
    )

    #: Whether what it has sent can be looked at, and then dropped by as much as its peer took.
    peeks = True

    peer: End

    def __init__(
        self, connection: EndOwner, fd: int, isClient: bool, sock: _socket.socket | None = None
    ) -> None:
        self.connection = connection
        self.fd = fd
        self._sock = sock
        self.isClient = isClient
        self.ended = self.told = False
        self.readable = self.last = False
        self.bulk = self.queued = self.batched = self.urgent = False
        self.burst = 0
        self.hearsOut = self.blocked = False
        self.unsent: bytes | None = None
        self.pipe: Pipe | None = None
        self.piped = 0

    def socket(self) -> _socket.socket:
        """
        The object for its socket.
        """
        sock = self._sock
        if sock is None:
            # Whatever its family is: nothing here depends on it.
            sock = _socket.socket(socket.AF_INET, STREAM, 0, self.fd)
            self._sock = sock
        return sock

    def close(self) -> None:
        """
        Close the socket.
        """
        if self._sock is not None:
            self._sock.close()
        else:
            close(self.fd)

    @property
    def resetOutcome(self) -> Outcome:
        """
        How the connection ended if this end resets it.
        """
        return Outcome.CLIENT_RESET if self.isClient else Outcome.HOST_RESET

    def event(self, event: int) -> None:
        """
        The loop tells what the socket is ready for.
        """
        if event == IN:
            # As nearly always.
            self.pump()
            return
        if event & OUT and self.blocked and not self._goOn():
            # It takes nothing yet; what it may have sent waits as well, but a
            # reset does not.
            if event & READ:
                self.readable = True
                if event & NOTEWORTHY:
                    self._note(event)
                    if event & ERROR:
                        self.connection.broke(self)
            return
        if event & READ:
            if event & NOTEWORTHY:
                self._note(event)
            self.pump()
            if event & ERROR:
                self.connection.broke(self)

    def _note(self, event: int) -> None:
        """
        Remember what an event says beyond that there is something to read.
        """
        self.last = True
        if event & URGENT:
            self.urgent = True

    def _goOn(self) -> bool:
        """
        It can be written to again: go on with what it could not take.

        @return: whether it took everything, and the connection goes on.
        """
        peer = self.peer
        if self.unsent is not None:
            if not self.flush():
                return False
            self.blocked = False
            if peer.readable:
                peer.readable = False
                peer.pump()
        else:
            self.blocked = False
            self.connection.loop.queueBulk(peer)
        return not self.connection.over

    def keep(self, unsent: bytes) -> None:
        """
        Write these bytes when it takes more.
        """
        self.unsent = unsent
        self.hearOut()

    def hearOut(self) -> None:
        """
        It takes no more now: be told when it does.
        """
        self.blocked = True
        if not self.hearsOut:
            self.hearsOut = True
            self.connection.loop.watchAll(self.fd)

    def flush(self) -> bool:
        """
        Write what it could not take before.

        @return: whether it took everything.
        """
        unsent = self.unsent
        if unsent is None:
            return True
        try:
            count = write(self.fd, unsent)
        except BlockingIOError:
            return False
        except OSError:
            self.connection.broke(self)
            return False
        if count:
            self.connection.moved(self.peer, count)
        if count < len(unsent):
            self.unsent = unsent[count:]
            return False
        self.unsent = None
        if self.peer.ended:
            self.tell()
        return True

    def pump(self) -> None:  # noqa: C901, PLR0911, PLR0912 - calls would cost a tenth of it
        """
        Move what this end has sent to its peer, until nothing is left or the
        peer takes no more.
        """
        connection = self.connection
        if self.bulk:
            connection.loop.queueBulk(self)
            return
        peer = self.peer
        if peer.unsent is not None:
            self.readable = True
            return
        if self.ended or connection.over:
            return
        while True:
            try:
                data = read(self.fd, CHUNK)
            except BlockingIOError:
                return
            except OSError:
                connection.broke(self)
                return
            if not data:
                self.finish()
                return
            try:
                sent = write(peer.fd, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                connection.broke(peer)
                return
            connection.lastMoved = connection.loop.now
            # What was handed over has gone by now, or the peer would have some of
            # it unsent.
            if self.isClient:
                connection.lease.addIn(sent)
            else:
                connection.lease.addOut(sent)
            if sent < len(data):
                # Bulk keeps nothing for a peer that is slow.
                self.readable = self.bulk = True
                peer.keep(data[sent:])
                return
            if sent >= CHUNK:
                self.bulk = True
                connection.loop.queueBulk(self)
                return
            if not self.last:
                return

    def moveBulk(self) -> None:
        """
        A turn of bulk; the loop calls this.
        """
        if not self.connection.over:
            self.connection.moveBulk(self)

    def leavePipe(self) -> None:
        """
        The connection is over: hold no pipe any more.
        """
        pipe, self.pipe = self.pipe, None
        if pipe is None:
            return
        pipes = self.connection.loop.pipes
        if self.piped:
            pipes.discard(pipe)
        else:
            pipes.give(pipe)

    def finish(self) -> None:
        """
        It has finished sending, and everything of it has been read.
        """
        self.ended = True
        peer = self.peer
        if self.told and peer.unsent is None:
            # The peer finished before. Closing says the same to it, and more.
            self.connection.end(Outcome.DONE)
            return
        self.connection.halfClosed(self)
        if peer.unsent is None:
            peer.tell()

    def tell(self) -> None:
        """
        Tell it that its peer has finished; everything before that was written.
        """
        self.told = True
        if self.ended and self.peer.told:
            self.connection.end(Outcome.DONE)
            return
        try:
            self.socket().shutdown(socket.SHUT_WR)
        except OSError:
            self.connection.broke(self)

    def breakDown(self) -> None:
        """
        One of its handlers raised.
        """
        self.connection.breakDown()

"""
One socket of a relayed connection.

Two flags tell the state of an end::

    ended   told    the end ...
    -----   -----   ------------------------------------------------------------
    no      no      is read and written to
    yes     no      has finished sending (its FIN was read), and is written to
    no      yes     has been told that its peer finished (the relay's FIN was sent),
                    and is read
    yes     yes     is done; if its peer is done as well, both are closed

No flag is ever cleared. A timeout or an exception resets both ends from any state. If an end
resets, or a write to it fails, C{LastBytes} takes over from any state: it delivers the bytes
that the end had sent, and then resets its peer.

Two more tell what an end waits for::

    readable    there may be bytes that were not read because the peer could not take
                them; they are read when the peer has taken the bytes before
    unsent      bytes that the end could not take; while there are some the peer is
                not read
"""

from __future__ import annotations

import _socket
import select
import socket
from collections.abc import Callable, Sequence
from os import close, read, write
from typing import TYPE_CHECKING, Protocol

from txlb.pool import Lease, Outcome
from txlb.proxy.fast._targets import STREAM
from txlb.wire import BATCHED, BULK, ENDED, FAILED, LAST, READABLE, TOLD, URGENT, EndState

if TYPE_CHECKING:
    from txlb.proxy.fast._loop import Loop
    from txlb.proxy.fast._pipes import Pipe

#: Bytes that are read at once. A direction that fills this goes over to bulk. Larger reads
#: gain little for small traffic; the buffer of each read is allocated anew.
CHUNK = 65536

IN = select.EPOLLIN
OUT = select.EPOLLOUT
ERROR = select.EPOLLERR
#: The peer of the socket will send nothing more; it is read to the end.
GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
#: An urgent byte has come: a read ends before it, though more has come.
PRIORITY = select.EPOLLPRI
NOTEWORTHY = GONE | PRIORITY
READ = IN | NOTEWORTHY
#: The events of a peer that has finished sending, before this side or after it. Each connection has
#: both.
FINISHED = frozenset({IN | select.EPOLLRDHUP, IN | select.EPOLLRDHUP | select.EPOLLHUP})


class EndOwner(Protocol):
    """
    The owner of two ends: a connection.

    @ivar lastMoved: when bytes were read or written last, in seconds of the monotonic clock.
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
        Move a part of the bulk that an end has sent.
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

    It is read and written by its descriptor. L{socket} makes an object for it when one is
    needed, which is rare for a client.

    @param sock: the object for the socket, if there is one.

    @ivar peer: the other end.
    @ivar last: whether it is read on after a short read, because the end of its bytes has come
        in, or an urgent byte has.
    @ivar urgent: whether its bytes are copied, and not spliced, until none are left.
    @ivar hearsOut: whether the loop tells when it can be written to.
    @ivar blocked: whether it took no more at the last write, so that its peer waits.
    @ivar bulk: whether its bytes go through a pipe.
    @ivar burst: bytes that have gone through pipes since it began to send much.
    @ivar batched: whether it is read only when much has come; see C{ReadBatching}.
    @ivar saidWhy: whether it was sent an alert of TLS, after which it is closed and not reset.
    @ivar queued: whether it waits for its turn of bulk; the loop keeps this.
    @ivar pipe: the pipe through which its bytes go; L{None} for none.
    """

    saidWhy = False

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
        "queued",
        "readable",
        "told",
        "unsent",
        "urgent",
    )

    #: Whether its bytes can be looked at with C{MSG_PEEK}, and then as many dropped as its peer
    #: took.
    peeks = True

    peer: End

    def __init_subclass__(cls) -> None:
        cls.event = cls.pump  # each has a way of its own to move bytes

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

    def socket(self) -> _socket.socket:
        """
        Return the object for its socket.
        """
        sock = self._sock
        if sock is None:
            # The family may be another one: no method that is used here depends on it.
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
    def isHeldUp(self) -> bool:
        """
        Whether it is not read now because its peer takes no more.
        """
        return self.peer.blocked

    @property
    def resetOutcome(self) -> Outcome:
        """
        How the connection ended if this end resets it.
        """
        return Outcome.CLIENT_RESET if self.isClient else Outcome.HOST_RESET

    def _heed(self, event: int) -> None:
        """
        Take an event that tells more than that there are bytes to read.
        """
        if event & OUT and self.blocked and not self._goOn():
            # It takes nothing yet. Bytes that it may have sent wait as well, but a reset does
            # not.
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
        Remember the flags of an event beside those for bytes to read.
        """
        self.last = True
        if event & PRIORITY:
            self.urgent = True

    def _goOn(self) -> bool:
        """
        Write the bytes that it could not take before, as it can be written to again.

        @return: whether it took all of them, and the connection goes on.
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
        Keep bytes, and write them when it takes more.
        """
        self.unsent = unsent
        self.connection.lastMoved = self.connection.loop.now
        self.hearOut()

    def hearOut(self) -> None:
        """
        Have the loop tell when it can be written to, as it takes no more now.
        """
        self.blocked = True
        if not self.hearsOut:
            self.hearsOut = True
            self.connection.loop.watchAll(self.fd)

    def flush(self) -> bool:
        """
        Write the bytes that it could not take before.

        @return: whether it took all of them.
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
        self._wrote(count)
        if count < len(unsent):
            self.unsent = unsent[count:]
            return False
        self.unsent = None
        self._flushed()
        return True

    def _wrote(self, count: int) -> None:
        """
        Count bytes that it could not take before.
        """
        self.connection.moved(self.peer, count)

    def _flushed(self) -> None:
        """
        Go on, as it has taken all bytes.
        """
        if self.peer.ended:
            self.tell()

    def pump(self, event: int = IN) -> None:  # noqa: C901, PLR0911, PLR0912 - calls would cost a tenth
        """
        Move the bytes that this end has sent to its peer, until none are left or the peer
        takes no more.

        @param event: the event of the loop; this handles all of them, as C{event}. Most say
            that there are bytes to read.
        """
        if event != IN:
            if event not in FINISHED:
                self._heed(event)
                return
            # The end of its bytes has come in, behind others or alone.
            self.last = True
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
            # The first bytes have gone by now, or the peer would have some of them unsent. So
            # all bytes count.
            if self.isClient:
                connection.lease.addIn(sent)
            else:
                connection.lease.addOut(sent)
            if sent < len(data):
                # From here on bulk moves the bytes, which keeps none for a slow peer.
                self.readable = self.bulk = True
                peer.keep(data[sent:])
                return
            if sent >= CHUNK:
                self.bulk = True
                connection.loop.queueBulk(self)
                return
            if not self.last:
                return

    #: For the loop.
    event = pump

    def moveBulk(self) -> None:
        """
        Have a turn of bulk; the loop calls this.
        """
        if not self.connection.over:
            self.connection.moveBulk(self)

    @property
    def piped(self) -> int:
        """
        The number of its bytes that are in a pipe.
        """
        return 0 if self.pipe is None else self.pipe.held

    def leavePipe(self) -> None:
        """
        Give up the pipe, as the connection is over.
        """
        pipe, self.pipe = self.pipe, None
        if pipe is None:
            return
        pipes = self.connection.loop.pipes
        if pipe.held:
            pipes.discard(pipe)
        else:
            pipes.give(pipe)

    def finish(self) -> None:
        """
        Take note that it has finished sending, and that all its bytes have been read.
        """
        self.ended = True
        peer = self.peer
        if self.told and peer.unsent is None:
            # The peer finished before. Closing sends the FIN as well.
            self.connection.end(Outcome.DONE)
            return
        self.connection.halfClosed(self)
        if peer.unsent is None:
            peer.tell()

    def tell(self) -> None:
        """
        Tell it that its peer has finished, as all bytes of the peer were written.
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
        End the connection, as one of its handlers raised.
        """
        self.connection.breakDown()

    # For an upgrade

    def state(self, hold: Callable[[bytes], int], failed: bytes | None = None) -> EndState:
        """
        Tell how it stands, for the process that takes it over.

        @param hold: keeps bytes for that process, and returns their place.
        @param failed: the bytes of it that its peer has not taken, if its socket has failed;
            L{None} if it has not.
        """
        unsent = self.peer.unsent if failed is None else failed
        flags = (
            (self.ended and ENDED)
            | (self.told and TOLD)
            | (self.readable and READABLE)
            | (self.last and LAST)
            | (self.urgent and URGENT)
            | (self.bulk and BULK)
            | (self.batched and BATCHED)
            | (0 if failed is None else FAILED)
        )
        if not unsent:
            return EndState(int(flags), self.burst, self.piped)
        return EndState(int(flags), self.burst, self.piped, hold(unsent), len(unsent))

    def become(
        self, state: EndState, held: Callable[[int, int], bytes], pipe: Sequence[int]
    ) -> None:
        """
        Stand as the same end did in the process that had it before.

        @param held: returns held bytes by their place and number.
        @param pipe: the descriptors of the pipe with its bytes, which are this object's from
            here; none if there is no such pipe.
        """
        flags = state.flags
        self.ended, self.told = bool(flags & ENDED), bool(flags & TOLD)
        self.readable, self.last = bool(flags & READABLE), bool(flags & LAST)
        self.urgent, self.bulk = bool(flags & URGENT), bool(flags & BULK)
        self.burst = state.burst
        peer = self.peer
        if state.piped:
            self.pipe = self.connection.loop.pipes.adopt(pipe[0], pipe[1], state.piped)
        peer.unsent = held(state.heldAt, state.held) if state.held else None
        if state.piped or state.held:
            peer.hearsOut = peer.blocked = True

    def isReported(self) -> None:
        """
        Have the system report each byte of it. It may have been batched in the process that
        had it before.
        """
        self.socket().setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

"""
The ends of a connection with TLS on one side or on both.

They read into a buffer that all connections share. C{receive} says how many bytes lie in it, and
C{send} takes them from there. Bytes that a socket does not take are kept as they are for the wire,
at most those of one buffer, and meanwhile the peer is not read: that is the backpressure.
"""

from __future__ import annotations

import _socket
import contextlib
from os import read, readv, write
from typing import TYPE_CHECKING

from txlb.pool import Outcome
from txlb.proxy.fast import _tlscalls as tls
from txlb.proxy.fast._end import IN, NOTEWORTHY, End, EndOwner

if TYPE_CHECKING:
    from collections.abc import Callable

    from txlb.proxy.fast._tlscalls import Parts

#: Buffers that a direction moves before others have their turn.
ROUNDS = 4

#: Bytes after which the memory of TLS is given back when a burst is over.
BURST = 32768

#: The results of C{receive} that are no count.
NOTHING_YET, END = -1, 0

_PLAIN = (tls.plainView[: tls.READ],)
_INTO = (tls.wireView[: tls.READ],)


class PlainEnd(End):
    """
    A socket without TLS whose peer has it. Owned by its connection.

    @ivar unread: whether the socket may have bytes when it is read first.
    """

    __slots__ = ("_more", "unread")

    def __init__(
        self,
        connection: EndOwner,
        fd: int,
        isClient: bool,
        sock: _socket.socket | None = None,
        isUNIX: bool = False,
    ) -> None:
        super().__init__(connection, fd, isClient, sock)
        self._more = self.unread = True
        if isUNIX:
            # A read ends behind a message with descriptors, though more has come.
            self.last = True

    # What an end is

    def receive(self) -> int:
        """
        Read the next bytes into the buffer for plain bytes.

        @return: how many; L{NOTHING_YET}, or L{END}.
        @raise OSError: the socket has failed.
        @raise TLSFailure: TLS has.
        """
        try:
            count = readv(self.fd, _PLAIN)
        except BlockingIOError:
            self._more = False
            return NOTHING_YET
        self._more = count == tls.READ or self.last
        return count

    def send(self, count: int) -> bool:
        """
        Send the first bytes of the buffer for plain bytes.

        @return: whether the socket has taken all of them. The others are kept.
        @raise OSError: the socket has failed.
        @raise TLSFailure: TLS has.
        """
        return self._write(tls.plainView, count)

    def toWire(self, count: int) -> bytes:
        """
        Return the first bytes of the buffer for plain bytes as they are for the wire.
        """
        return bytes(tls.plainView[:count])

    def _write(self, view: memoryview, count: int) -> bool:
        try:
            sent = write(self.fd, view[:count])
        except BlockingIOError:
            sent = 0
        if sent == count:
            return True
        self.keep(bytes(view[sent:count]))
        return False

    def shed(self) -> None:
        """
        Give back memory, as a burst is over.
        """

    # The same for both

    def begin(self, data: bytes) -> None:
        """
        Keep bytes that go before those of the peer.
        """
        for at in range(0, len(data), tls.RECORD):
            piece = data[at : at + tls.RECORD]
            tls.plainView[: len(piece)] = piece
            self.unsent = (self.unsent or b"") + self.toWire(len(piece))
            self.connection.moved(self.peer, len(piece))

    def pump(self, event: int = IN) -> None:  # noqa: C901, PLR0911 - calls would cost a tenth of it
        if event != IN:
            self._heed(event)
            return
        connection, peer = self.connection, self.peer
        if peer.unsent is not None:
            self.readable = self.unread = True
            return
        if self.ended or connection.over:
            return
        self._more, self.unread = self.unread, True
        for _ in range(ROUNDS):
            try:
                count = self.receive()
            except (OSError, tls.TLSFailure) as error:
                self.failed(error)
                return
            if count <= 0:
                if count == END:
                    self.finish()
                elif self.burst > BURST:
                    self._burstEnds()
                return
            self.burst += count
            try:
                taken = peer.send(count)  # type: ignore[attr-defined]  # both ends are of this kind
            except (OSError, tls.TLSFailure):
                connection.broke(peer)
                return
            connection.moved(self, count)
            if not taken:
                self.readable = True
                return
            if not self._more:
                if self.burst > BURST:
                    self._burstEnds()
                return
        connection.loop.queueBulk(self)

    def _burstEnds(self) -> None:
        self.burst = 0
        self.shed()
        self.peer.shed()  # type: ignore[attr-defined]  # both ends are of this kind

    def failed(self, error: Exception) -> None:
        """
        Take note that this end has failed.
        """
        if isinstance(error, tls.Truncated):
            self.connection.loop.truncations.happened("client" if self.isClient else "host")
        self.connection.broke(self)

    def moveBulk(self) -> None:
        if not self.connection.over:
            self.pump()

    def _wrote(self, count: int) -> None:
        # They were counted when they came, as on the wire they are more.
        self.connection.lastMoved = self.connection.loop.now

    def _flushed(self) -> None:
        if self.peer.ended and not self.told:
            self.tell()

    def finish(self) -> None:
        self.ended = True
        self.connection.halfClosed(self)
        peer = self.peer
        if peer.unsent is None and not peer.told:
            peer.tell()

    def takeLast(self) -> bytes:
        """
        Read the next bytes, as the peer gets them on its wire.

        @return: nothing if there are no more.
        @raise BlockingIOError: there are none yet.
        """
        self._more = True
        while True:
            try:
                count = self.receive()
            except (tls.TLSFailure, OSError):
                return b""
            if count == NOTHING_YET:
                raise BlockingIOError
            if count == END:
                return b""
            self.connection.moved(self, count)
            try:
                return self.peer.toWire(count)  # type: ignore[attr-defined, no-any-return]  # both ends are of this kind
            except tls.TLSFailure:
                return b""


class TLSEnd(PlainEnd):
    """
    A socket with TLS, after its handshake. Owned by its connection.

    @param parts: its TLS side.
    @param over: is called when it is closed in good order; L{None} for nothing.
    """

    __slots__ = ("_answered", "_broken", "_clean", "_fed", "_over", "parts", "saidWhy")

    def __init__(
        self,
        connection: EndOwner,
        fd: int,
        isClient: bool,
        sock: _socket.socket | None,
        parts: Parts,
        isUNIX: bool = False,
        over: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(connection, fd, isClient, sock, isUNIX)
        self.parts = parts
        self._over = over
        # Whether ciphertext that has come is not decrypted yet; whether close_notify has come;
        # whether TLS has failed behind bytes that were given.
        self._fed = True
        self._clean = self._broken = self.saidWhy = False
        # Before the first answer there may be tickets, which go with it.
        self._answered = not isClient

    def failed(self, error: Exception) -> None:
        if self._broken and self.unsent is None:
            # OpenSSL has an alert for the peer, which a reset would take away.
            with contextlib.suppress(OSError):
                self._drain()
                self.saidWhy = True
        super().failed(error)

    def early(self, event: int) -> None:
        """
        Remember an event that comes before the connection begins.
        """
        if event & NOTEWORTHY:
            self.last = True

    def receive(self) -> int:  # noqa: C901 - calls would cost a tenth of it
        while True:
            if self._clean:
                return END
            if self._broken:
                raise tls.TLSFailure
            if self._fed:
                self._fed = False
                have = 0
            else:
                if not self._more:
                    return NOTHING_YET
                try:
                    have = readv(self.fd, _INTO)
                except BlockingIOError:
                    self._more = False
                    return NOTHING_YET
                if not have:
                    if self.told:
                        # All was said: some peers answer close_notify with a bare end.
                        return END
                    raise tls.Truncated
                self._more = have == tls.READ or self.last
            got = self._decrypt(have)
            if self._answered and tls.dataOf(self.parts.outOf, tls.ignored):
                self._drain()
            if got:
                return got

    def _decrypt(self, have: int) -> int:
        """
        Decrypt what has come, piece by piece.

        @param have: bytes of ciphertext in the buffer.
        @return: how many plain bytes are in the other one.
        """
        parts = self.parts
        ssl, into = parts.ssl, parts.into
        got = at = 0
        # Where the next bytes are, and where they go: adding makes an object.
        source, target = tls.wire, tls.plain
        while True:
            piece = min(tls.PIECE, have - at)
            if piece:
                tls.writeBIO(into, source, piece)
                at += piece
            while True:
                count = tls.read(ssl, target, tls.PLAIN - got)
                if count > 0:
                    got += count
                    # A read takes one record. If nothing is left there is nothing to ask for.
                    if tls.dataOf(into, tls.ignored):
                        target = tls.plain + got
                        continue
                    break
                error = tls.getError(ssl, count)
                if error == tls.WANT_READ:
                    break
                # It says so again.
                self._more = True
                if error == tls.ZERO_RETURN:
                    self._clean = True
                else:
                    self._broken = True
                    tls.clearErrors()
                return got
            if at == have:
                return got
            source, target = tls.wire + at, tls.plain + got

    def send(self, count: int) -> bool:
        self._answered = True
        return self._write(tls.wireView, self._encrypt(count))

    def _encrypt(self, count: int) -> int:
        """
        Encrypt the first bytes of the buffer for plain bytes.

        @return: how many bytes are in the buffer for the wire.
        """
        parts = self.parts
        ssl, outOf = parts.ssl, parts.outOf
        sent = wired = 0
        source, target = tls.plain, tls.wire
        while True:
            piece = min(tls.RECORD, count - sent)
            if tls.write(ssl, source, piece) != piece:
                tls.clearErrors()
                raise tls.TLSFailure
            sent += piece
            wired += int(tls.readBIO(outOf, target, tls.WIRE - wired))
            if sent == count:
                return wired
            source, target = tls.plain + sent, tls.wire + wired

    def toWire(self, count: int) -> bytes:
        return bytes(tls.wireView[: self._encrypt(count)])

    def _drain(self) -> None:
        """
        Write what TLS itself has to say.
        """
        count = tls.readBIO(self.parts.outOf, tls.wire, tls.WIRE)
        if count <= 0:
            return
        if self.unsent is not None:
            self.unsent += bytes(tls.wireView[:count])
        else:
            self._write(tls.wireView, count)

    def shed(self) -> None:
        self.parts.shed()

    def tell(self) -> None:
        """
        Tell it that its peer has finished, by close_notify.
        """
        self.told = True
        tls.shutdown(self.parts.ssl)
        tls.clearErrors()
        try:
            self._drain()
        except OSError:
            self.connection.broke(self)
            return
        self._endMaybe()

    def leave(self) -> None:
        """
        Tell it that nothing more comes, as it gets no host.
        """
        tls.shutdown(self.parts.ssl)
        tls.clearErrors()
        with contextlib.suppress(OSError):
            self._drain()

    def _flushed(self) -> None:
        super()._flushed()
        self._endMaybe()

    def _endMaybe(self) -> None:
        if self.told and self.ended and self.peer.told and self.unsent is None:
            self.connection.end(Outcome.DONE)

    def close(self) -> None:
        if self._over is not None and self.told and self.ended:
            self._over()
        super().close()


def takeLast(end: End, most: int) -> bytes:
    """
    Read the next bytes of an end that has failed, as its peer gets them on its wire.
    """
    return end.takeLast() if isinstance(end, PlainEnd) else read(end.fd, most)

"""
TLS handshakes in the loop.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from functools import partial
from os import readv, write
from typing import TYPE_CHECKING

from OpenSSL import SSL

from txlb.proxy._tlstransport import HandshakeRefused
from txlb.proxy.fast import _tlscalls as tls
from txlb.proxy.fast._tlscalls import Parts
from txlb.tls import reasonOf, whyRefused

if TYPE_CHECKING:
    from txlb.proxy.fast._loop import Loop

_INTO = (tls.wireView[: tls.READ],)

#: The peer has finished or failed.
GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


#: Whether the handshake is done, and why it has failed.
Outcome = tuple[bool, str | None]

InThread = Callable[[Callable[[], Outcome], Callable[[Outcome], None]], None]


def forgotten(*_: object) -> None:
    """
    Do nothing, in the place of what an owner has done.
    """


class Handshake:
    """
    One TLS handshake on a socket that the loop watches. A step is one call of OpenSSL, which
    takes 0.1 to 0.5 ms, and waits for its turn in the loop's queue. So handshakes take no more
    than the queue's budget of a turn, and small traffic goes first.

    Its owner watches the socket, and closes it.

    @param begin: is called with the bytes of the peer that have come since the last call; it
        returns the TLS side, which was given all of them, or L{None} if more are needed. It may
        raise L{HandshakeRefused}.
    @param done: is called when it is done.
    @param failed: is called with the reason, and with bytes to send before the socket is
        closed.

    @ivar parts: the TLS side, once there is one.
    @ivar last: whether the peer has finished or failed.
    @ivar unread: whether the socket may have bytes that were not read. Without them a step reads
        nothing.
    @ivar inThread: does a step of OpenSSL's in a thread, and then calls a function with its
        result; L{None} if steps are short. The socket is not read meanwhile.
    @ivar keepsTickets: whether the tickets of TLS 1.3, which a server sends when the handshake is
        done, are left for the first answer, which saves a write.
    """

    __slots__ = (
        "_begin",
        "_done",
        "_failed",
        "_first",
        "_loop",
        "_outcome",
        "_over",
        "_underWay",
        "_unsent",
        "fd",
        "inThread",
        "keepsTickets",
        "last",
        "parts",
        "queued",
        "unread",
    )

    def __init__(
        self,
        loop: Loop,
        fd: int,
        begin: Callable[[bytes], Parts | None],
        done: Callable[[], object],
        failed: Callable[[str, bytes], object],
        first: bytes = b"",
    ) -> None:
        self._loop = loop
        self.fd = fd
        self._begin = begin
        self._done = done
        self._failed = failed
        self._first = first
        self._unsent = b""
        self.parts: Parts | None = None
        self.last = self.queued = self.unread = self._over = False
        self.inThread: InThread | None = None
        # Whether a thread does a step; what that has given.
        self._underWay = False
        self._outcome: Outcome | None = None
        self.keepsTickets = False

    @property
    def side(self) -> Parts:
        """
        The TLS side, once the handshake is done.
        """
        assert self.parts is not None  # noqa: S101 - it is asked for after the handshake
        return self.parts

    def send(self, data: bytes) -> None:
        """
        Send bytes before TLS.
        """
        self._write(data)

    def event(self, event: int) -> None:
        """
        Take an event of the loop.
        """
        self.unread = True
        if event & GONE:
            self.last = True
        self._loop.queueBulk(self)

    def note(self, event: int) -> None:
        """
        Remember what an event of the loop tells.
        """
        self.unread = True
        if event & GONE:
            self.last = True

    def queue(self) -> None:
        """
        Have a step done in its turn.
        """
        self._loop.queueBulk(self)

    def stop(self) -> None:
        """
        Do no more steps, and call nothing back.
        """
        self._over = True
        self._letGo()

    def moveBulk(self) -> None:
        """
        Do a step; the loop calls this.
        """
        if self._over or self._underWay:
            return
        # It takes as long as some requests.
        self._loop.lookSoon()
        try:
            if self._unsent:
                unsent, self._unsent = self._unsent, b""
                self._write(unsent)
            if self._step():
                self._over = True
                done = self._done
                self._letGo()
                done()
        except HandshakeRefused as refused:
            self._fail(str(refused), refused.alert)
        except SSL.Error as error:
            self._fail(reasonOf(error))
        except OSError as error:
            self._fail(error.strerror or str(error))

    def _fail(self, reason: str, last: bytes = b"") -> None:
        if not self._over:
            self._over = True
            failed = self._failed
            self._letGo()
            failed(reason, last)

    def _letGo(self) -> None:
        """
        Forget the owner, which has this. Else the memory of TLS would wait for the collector of
        garbage, which looks at old objects seldom.
        """
        self._begin = self._done = self._failed = forgotten
        self.inThread = None

    def breakDown(self) -> None:
        """
        End, as a step raised.
        """
        self._fail("a step of the handshake broke")

    def _step(self) -> bool:
        """
        Read what has come, and go on.

        @return: whether it is done.
        """
        outcome, self._outcome = self._outcome, None
        if outcome is not None and self.parts is not None and self._goOn(self.parts, outcome):
            return True
        count = self._take()
        parts = self.parts
        begins = parts is None
        if parts is None:
            parts = self.parts = self._begin(bytes(tls.wireView[: max(count, 0)]))
        elif count > 0:
            tls.writeBIO(parts.into, tls.wire, count)
        if parts is not None and self._shake(parts, begins or count > 0):
            return True
        if self._underWay:
            return False
        if not count:
            raise HandshakeRefused("the connection ended during the handshake")
        if self.unread:
            # No event tells of that again.
            self.queue()
        return False

    def _shake(self, parts: Parts, hasMore: bool) -> bool:
        """
        Do a step of OpenSSL's, or have a thread do it.

        @param hasMore: whether bytes have come for it, or it is the first one.
        @return: whether the handshake is done.
        """
        if self.inThread is None:
            return self._goOn(parts, _shake(parts))
        if hasMore:
            self._underWay = True
            self.inThread(partial(_shake, parts), self._inThreadDone)
        return False

    def _inThreadDone(self, outcome: Outcome) -> None:
        """
        Go on with what a thread has given, and with what has come meanwhile.
        """
        self._underWay = False
        if not self._over:
            self._outcome = outcome
            self.queue()

    def _goOn(self, parts: Parts, outcome: Outcome) -> bool:
        """
        Send what OpenSSL has to say after a step.

        @return: whether the handshake is done.
        """
        done, reason = outcome
        if not (done and self.keepsTickets) or tls.isOld(parts):
            self._drain(parts)
        if reason is not None:
            raise HandshakeRefused(reason)
        return done

    def _take(self) -> int:
        """
        Read what has come into the buffer for the wire.

        @return: how many bytes; -1 if there are none yet, 0 if the peer has sent all.
        """
        first, self._first = self._first, b""
        if first:
            tls.wireView[: len(first)] = first
            self.unread = True
            return len(first)
        if not self.unread:
            return -1
        try:
            count = readv(self.fd, _INTO)
        except BlockingIOError:
            self.unread = False
            return -1
        # An event tells of what comes after a read that has found less than it could take.
        self.unread = count == tls.READ or (self.last and count > 0)
        return count

    def _drain(self, parts: Parts) -> None:
        count = tls.WIRE
        while count == tls.WIRE:
            count = tls.readBIO(parts.outOf, tls.wire, tls.WIRE)
            if count > 0:
                self._write(tls.wireView[:count])

    def _write(self, data: bytes | memoryview) -> None:
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = write(self.fd, data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._unsent = bytes(data[sent:])
            self._loop.watchAll(self.fd)

    @property
    def unsent(self) -> bytes | None:
        """
        Bytes that the socket has not taken yet; L{None} for none.
        """
        return self._unsent or None


def _shake(parts: Parts) -> Outcome:
    """
    Do a step of OpenSSL's, in any thread: each thread has failures of its own.
    """
    result = tls.doHandshake(parts.ssl)
    if result == 1:
        return True, None
    if tls.getError(parts.ssl, result) == tls.WANT_READ:
        return False, None
    said = tls.whyFailed()
    return False, whyRefused(parts.connection) or said

"""
The TLS handshake with a host in the loop.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from txlb.errors import CertificateError
from txlb.proxy.fast import _tlscalls as tls
from txlb.proxy.fast._handshake import Handshake, forgotten
from txlb.proxy.fast._loop import READ_EDGES
from txlb.proxy.fast._tlscalls import Parts

if TYPE_CHECKING:
    from txlb.pool import Attempt
    from txlb.proxy.fast._loop import Loop
    from txlb.tls import ClientContext


class HostHandshake:
    """
    The handshake with the host of an attempt. Owned by the search of its client. The search
    has its deadline.

    @param sock: the socket of the host, which stays the search's.
    @param done: is called when it is done.
    @param failed: is called with the reason if it has failed.

    @ivar handshake: the steps of the handshake; later it has the TLS side.
    """

    __slots__ = ("_attempt", "_context", "_done", "_failed", "_loop", "_name", "handshake")

    def __init__(
        self,
        loop: Loop,
        sock: _socket.socket,
        context: ClientContext,
        attempt: Attempt,
        done: Callable[[], object],
        failed: Callable[[str], object],
    ) -> None:
        self._loop = loop
        self._context = context
        self._attempt = attempt
        self._name = context.nameOf(attempt.host.configured.ipOrHost)
        self._done = done
        self._failed = failed
        self.handshake = Handshake(loop, sock.fileno(), self._begin, self._shaken, self._notShaken)

    def start(self, header: bytes, watched: bool) -> None:
        """
        Begin.

        @param header: bytes that go before TLS.
        @param watched: whether the loop watches the socket already.
        """
        handshake = self.handshake
        if header:
            try:
                handshake.send(header)
            except OSError:
                # Reading tells it.
                pass
        # The event that told of the connection may have told of bytes as well.
        handshake.unread = watched
        if watched:
            self._loop.handle(handshake.fd, handshake)
        else:
            self._loop.watch(handshake.fd, handshake, READ_EDGES)
        handshake.queue()

    def stop(self) -> None:
        """
        Call nothing back any more.
        """
        self.handshake.stop()
        self._letGo()

    def _begin(self, data: bytes) -> Parts:
        self.handshake.inThread = self._context.inThread(self._loop.reactor)
        parts = Parts(self._context.connect(self._name, self._attempt.address))
        if data:
            tls.writeBIO(parts.into, data, len(data))
        return parts

    def _shaken(self) -> None:
        done, failed = self._done, self._failed
        self._letGo()
        try:
            self._context.verify(self.handshake.side.connection, self._name)
        except CertificateError as error:
            failed(str(error))
        else:
            done()

    def _notShaken(self, reason: str, last: bytes) -> None:
        failed = self._failed
        self._letGo()
        failed(reason)

    def _letGo(self) -> None:
        """
        Forget the search, which has this. Else the memory of TLS would wait for the collector of
        garbage.
        """
        self._done = self._failed = forgotten

    def over(self) -> None:
        """
        Keep the session, as the connection has ended in good order.
        """
        self._context.keep(self.handshake.side.connection, self._name, self._attempt.address)

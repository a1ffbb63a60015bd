"""
The TLS handshake of a client in the loop.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from OpenSSL import SSL

from txlb.proxy._serverhello import ServerHello
from txlb.proxy.fast import _tlscalls as tls
from txlb.proxy.fast._handler import Calls
from txlb.proxy.fast._handshake import Handshake, InThread
from txlb.proxy.fast._loop import READ_EDGES
from txlb.proxy.fast._tlscalls import Parts

if TYPE_CHECKING:
    from txlb.proxy._clientconnection import ClientConnection
    from txlb.proxy.fast._loop import Loop
    from txlb.tls import ServerContexts

_RESET = struct.pack("ii", 1, 0)


class ClientHandshake:
    """
    The handshake of one client. Owned by the L{Handshakes<txlb.proxy._handshakes.Handshakes>} of
    its service. When it is done the client has it, for the relay that takes the client.

    @param client: the connection. Its socket belongs to the handshake until that is done.
    @param done: is called when it is done.
    @param failed: is called with the reason if it has failed; the socket is closed.
    @param inThread: does a step in a thread if steps are slow, see L{Handshake}.

    @ivar handshake: the steps of the handshake; later it has the TLS side.
    """

    __slots__ = ("_client", "_done", "_failed", "_hello", "_inThread", "_loop", "handshake")

    def __init__(
        self,
        loop: Loop,
        client: ClientConnection,
        contexts: ServerContexts,
        done: Callable[[], None],
        failed: Callable[[str], None],
        inThread: InThread | None = None,
    ) -> None:
        self._loop = loop
        self._client = client
        self._hello = ServerHello(contexts)
        self._done = done
        self._failed = failed
        self._inThread = inThread
        os.set_blocking(client.fd, False)
        self.handshake = Handshake(
            loop, client.fd, self._begin, self._shaken, self._notShaken, client.leftover
        )

    def start(self) -> None:
        """
        Begin.
        """
        handshake = self.handshake
        # In most cases the ClientHello is there by now.
        handshake.keepsTickets = handshake.unread = True
        self._loop.watch(handshake.fd, handshake, READ_EDGES)
        handshake.queue()

    def _begin(self, data: bytes) -> Parts | None:
        if not data:
            return None
        chosen = self._hello.feed(data)
        if chosen is None:
            return None
        if chosen.isSlow:
            self.handshake.inThread = self._inThread
        connection = SSL.Connection(chosen.context, None)
        connection.set_accept_state()
        parts = Parts(connection)
        hello = self._hello.data
        tls.writeBIO(parts.into, hello, len(hello))
        return parts

    def _shaken(self) -> None:
        # Until it has a host the socket is not read.
        self._loop.handle(self.handshake.fd, Calls(self.handshake.note))
        client, done = self._client, self._done
        client.secured = self
        client.session = partial(self._hello.found, self.handshake.side.connection)
        self._letGo()
        done()

    def _letGo(self) -> None:
        """
        Forget the client, which has this now, or is gone. Else the memory of TLS would wait for the
        collector of garbage.
        """
        del self._client, self._done, self._failed

    def _notShaken(self, reason: str, last: bytes) -> None:
        if last:
            try:
                os.write(self.handshake.fd, last)
            except OSError:
                # It is gone.
                pass
        failed = self._failed
        self._letGo()
        self._close()
        failed(reason)

    def _close(self) -> None:
        self._loop.handle(self.handshake.fd, None)
        self._loop.closeSoon(self)

    def close(self) -> None:
        """
        Close the socket; the loop calls this at the end of a batch.
        """
        os.close(self.handshake.fd)

    def abandon(self) -> None:
        """
        End it, and reset the connection.
        """
        self.handshake.stop()
        self._letGo()
        sock = socket.socket(fileno=self.handshake.fd)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.detach()
        self._close()

    def refuse(self) -> None:
        """
        Close the connection of a client that gets no host, in good order.
        """
        parts = self.handshake.side
        parts.connection.shutdown()
        try:
            os.write(self.handshake.fd, parts.connection.bio_read(4096))
        except (OSError, SSL.Error):
            # It is gone.
            pass
        self._close()

"""
The TLS handshake of a client under the portable relay.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from OpenSSL import SSL

from txlb.proxy._acceptedclient import AcceptedClient
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._serverhello import ServerHello
from txlb.proxy._sockettransport import SocketTransport
from txlb.proxy._stepqueue import StepQueue
from txlb.proxy._tlstransport import TLSTransport
from txlb.tls import ServerContexts, whyRefused


class PortableHandshake:
    """
    The handshake of one client. When it is done the client is one of the reactor's, with the
    TLS layer as its transport. Owned by the L{Handshakes<txlb.proxy._handshakes.Handshakes>} of
    its service.

    @param client: the connection. Its socket belongs to the handshake.
    @param done: is called when it is done.
    @param failed: is called with the reason if it has failed.
    @param inThread: does a step in a thread if steps are slow, see L{TLSTransport}.
    """

    def __init__(
        self,
        client: ClientConnection,
        contexts: ServerContexts,
        reactor: Any,
        steps: StepQueue,
        done: Callable[[], None],
        failed: Callable[[str], None],
        inThread: Callable[[Callable[[], Any], Callable[[Any], None]], None] | None = None,
    ) -> None:
        self._client = client
        self._hello = ServerHello(contexts)
        self._reactor = reactor
        self._done = done
        self._inThread = inThread
        self._steps = steps
        self.failed = failed
        self._accepted = AcceptedClient(self._connected)
        self._layer = TLSTransport(self._accepted, self, steps, self._truncated)

    def start(self) -> None:
        """
        Begin.
        """
        client, layer = self._client, self._layer
        leftover = client.leftover
        if client.accepted is not None:
            client.accepted.wrap(layer)
        else:
            sock = socket.socket(fileno=client.fd)
            client.fd = -1
            sock.setblocking(False)
            SocketTransport(self._reactor, sock, layer)
        client.accepted = self._accepted
        if leftover:
            layer.dataReceived(leftover)

    def begin(self, data: bytes) -> SSL.Connection | None:
        """
        Choose the context when the ClientHello is complete.
        """
        connection = self._hello.begin(data)
        if self._hello.isSlow:
            self._layer.inThread = self._inThread
        return connection

    def done(self, connection: SSL.Connection) -> None:
        """
        Remember what is known of the client. L{_connected} follows, when it has its transport.
        """
        self._client.session = partial(self._hello.found, connection)

    def explain(self, connection: SSL.Connection, reason: str) -> str:
        """
        Say why OpenSSL has refused the client.
        """
        return whyRefused(connection) or reason

    def over(self, connection: SSL.Connection) -> None:
        """
        Do nothing: a client keeps its session itself.
        """

    def gone(self) -> None:
        """
        Let go of the TLS side, which would tell of the session.
        """
        self._client.session = None

    def _connected(self, client: AcceptedClient, peer: object) -> None:
        self._done()

    def _truncated(self) -> None:
        self._steps.truncations.happened("client")

    def abandon(self) -> None:
        """
        End it, and reset the connection.
        """
        self._layer.abandon()

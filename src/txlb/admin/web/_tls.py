"""
TLS of the console.

It has the layer of the portable relay, so that its handshakes hold the reactor for no longer than
those of the relays: a step at a time, a few milliseconds in a turn of the reactor, and in a thread
if the key is a slow one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txlb.errors import CertificateError
from txlb.proxy import HandshakeRefused, ServerHello, StepQueue, TLSTransport
from txlb.tls import whyRefused

if TYPE_CHECKING:
    from txlb.admin.web._site import WebSite
    from txlb.deadlines import Deadlines
    from txlb.model import ListenTLS
    from txlb.tls import TLSStore

_lost = Failure(error.ConnectionLost())


class ConsoleTLSFactory(Factory):
    """
    Puts TLS around the connections of the console, each with the certificates that are in use
    then. They are in the store of the balancer, which reads their files again if they change.

    @param store: has the contexts.
    @param settings: those of the console.
    @param site: takes the clients.
    @param deadlines: where steps of handshakes wait for their turn.
    """

    noisy = False

    def __init__(
        self,
        store: TLSStore,
        settings: ListenTLS,
        site: WebSite,
        reactor: Any,
        deadlines: Deadlines,
    ) -> None:
        self._store = store
        self._settings = settings
        self._site = site
        self._inThread = partial(store.slowSteps.run, reactor)
        self._steps = StepQueue(deadlines)

    def buildProtocol(self, addr: Any) -> Any:
        """
        Take a client.

        @return: L{None} if the console does not take it.
        """
        channel = self._site.buildProtocol(addr)
        return None if channel is None else ConsoleTransport(self, channel, self._steps)

    def begin(self, layer: ConsoleTransport, data: bytes) -> SSL.Connection | None:
        """
        Make the TLS side of a client when its ClientHello is complete.

        @param data: the bytes of the client that have come since the last call.
        @return: L{None} if more are needed.
        @raise HandshakeRefused: there is no certificate for it.
        """
        if layer.hello is None:
            try:
                layer.hello = ServerHello(self._store.serverContexts(self._settings))
            except CertificateError as problem:
                raise HandshakeRefused(str(problem)) from None
        connection = layer.hello.begin(data)
        if layer.hello.isSlow:
            layer.inThread = self._inThread
        return connection


class ConsoleSession:
    """
    The TLS session of one client: the owner of the handshake, and the protocol of the TLS layer. It
    passes on to the channel of the console, which has its connection from the beginning, so that
    its deadlines count the handshake. Owned by the L{ConsoleTransport}.

    @param factory: makes the TLS side.
    @param channel: the channel of the console.
    """

    def __init__(
        self, factory: ConsoleTLSFactory, channel: Any, transport: ConsoleTransport
    ) -> None:
        self._factory = factory
        self.channel = channel
        self._transport = transport
        self._over = False

    # As the owner of the handshake

    def begin(self, data: bytes) -> SSL.Connection | None:
        """
        Choose the TLS side, see L{ConsoleTLSFactory.begin}.
        """
        return self._factory.begin(self._transport, data)

    def done(self, connection: SSL.Connection) -> None:
        """
        Do nothing: users log in by HTTP.
        """

    def failed(self, reason: str) -> None:
        """
        Tell the channel that its client is gone.
        """
        self.connectionLost(_lost)

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
        Do nothing: only the layer has the TLS side.
        """

    # As the protocol of the layer

    def makeConnection(self, transport: Any) -> None:
        """
        Do nothing, as the channel has its connection.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Pass on what the client has sent, unless it is being closed.
        """
        if not self._transport.disconnecting:
            self.channel.dataReceived(data)

    def readConnectionLost(self) -> None:
        """
        Close, as HTTP has no use for a client that only reads.
        """
        self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Do nothing: the channel closes both directions at once.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Tell the channel, once.
        """
        if not self._over:
            self._over = True
            self.channel.connectionLost(reason)


class ConsoleTransport(TLSTransport):
    """
    The TLS layer of one client of the console.

    @ivar hello: reads its ClientHello.
    """

    def __init__(self, factory: ConsoleTLSFactory, channel: Any, steps: StepQueue) -> None:
        self.hello: ServerHello | None = None
        self._channel = channel
        session = ConsoleSession(factory, channel, self)
        super().__init__(session, session, steps, _cutOff)

    def makeConnection(self, transport: Any) -> None:
        """
        Begin.
        """
        self.transport = transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        self._channel.makeConnection(self)
        super().makeConnection(transport)


def _cutOff() -> None:
    """
    Do nothing about a client that ends without close_notify, as many do: the layer resets its
    connection, and HTTP tells itself where a request ends.
    """

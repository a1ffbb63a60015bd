"""
Tests for L{txlb.cloning._beginning}: connections that another process has begun to read.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import address
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.reactors import TurnedEPoll
from txlb.cloning._beginning import Beginning
from txlb.cloning._listener import SharedListener
from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._sharing import Sharing


class Noting(Protocol):
    """
    Notes what comes. It may pause before anything comes, or raise.
    """

    pauses = False
    error: Exception | None = None

    def connectionMade(self) -> None:
        self.data = b""
        if self.pauses:
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.data += data


class Keeping(Factory):
    """
    Keeps the addresses of clients, and the protocols.
    """

    noisy = False

    def __init__(self, case: BeginningTests) -> None:
        self.case = case

    def buildProtocol(self, addr: Any) -> Any:
        self.case.addresses.append(addr)
        self.case.protocols.append(Noting())
        return self.case.protocols[-1]


class BeginningTests(SynchronousTestCase):
    kind: int = socket.AF_INET

    def setUp(self) -> None:
        self.reactor: Any = TurnedEPoll()
        self.addCleanup(self.reactor.close)
        self.protocols: list[Any] = []
        self.addresses: list[Any] = []

        sock = socket.socket(self.kind)
        sock.bind(("127.0.0.1", 0) if self.kind == socket.AF_INET else "")
        sock.listen(5)
        sock.setblocking(False)
        self.sock = sock
        settings = ListenerSettings.of(sharing=Sharing.PASSED)
        self.listener = SharedListener("web", sock, Keeping(self), self.reactor, settings)
        self.listener.serve()
        self.addCleanup(self.end)

    def end(self) -> None:
        for transport in tuple(self.listener.connections):
            transport.abortConnection()
        self.reactor.turn(3)
        self.listener.close()

    def adopt(self, beginning: Beginning | None) -> socket.socket:
        """
        Pass a connection on.
        """
        client = socket.socket(self.kind)
        self.addCleanup(client.close)
        client.connect(self.sock.getsockname())
        accepted, _ = self.sock.accept()
        self.listener.adopt(accepted.detach(), beginning)
        return client

    def test_never(self) -> None:
        """
        A clone accepts nothing itself of a listener whose connections are passed.
        """
        self.listener.acceptFreely(True)
        self.assertNotIn(self.listener, self.reactor.getReaders())

    def test_bytes(self) -> None:
        """
        The bytes that were read come first.
        """
        client = self.adopt(Beginning(data=b"one "))
        client.send(b"two")
        [protocol] = self.protocols
        self.reactor.turnUntil(lambda: protocol.data == b"one two")

    def test_addresses(self) -> None:
        """
        The application sees the addresses that a proxy has told.
        """
        self.adopt(Beginning(("192.0.2.7", 99), ("2001:db8::1", 443)))
        [protocol] = self.protocols
        expected = address.IPv4Address("TCP", "192.0.2.7", 99)
        self.assertEqual((self.addresses, protocol.transport.getPeer()), ([expected], expected))
        self.assertEqual(
            protocol.transport.getHost(), address.IPv6Address("TCP", "2001:db8::1", 443)
        )

    def test_nothingTold(self) -> None:
        client = self.adopt(None)
        [protocol] = self.protocols
        if self.kind == socket.AF_INET:
            self.assertEqual(protocol.transport.getPeer().port, client.getsockname()[1])
        self.assertEqual(self.addresses, [protocol.transport.getPeer()])

    def test_paused(self) -> None:
        """
        A protocol that has paused gets them when it goes on.
        """
        self.patch(Noting, "pauses", True)
        client = self.adopt(Beginning(data=b"one "))
        client.send(b"two")
        [protocol] = self.protocols
        self.reactor.turn(5)
        self.assertEqual(protocol.data, b"")
        protocol.transport.resumeProducing()
        self.reactor.turnUntil(lambda: protocol.data == b"one two")

    def test_raises(self) -> None:
        """
        If the protocol raises the connection is reset.
        """
        self.patch(Noting, "error", ValueError("no"))
        self.adopt(Beginning(data=b"one"))
        self.reactor.turnUntil(lambda: not self.listener.connections)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_gone(self) -> None:
        """
        One that has ended meanwhile gets nothing.
        """
        self.adopt(Beginning(data=b"one"))
        [protocol] = self.protocols
        protocol.transport.abortConnection()
        self.reactor.turn(5)
        self.assertEqual(protocol.data, b"")


class UNIXTests(BeginningTests):
    """
    The same on UNIX sockets.
    """

    kind = socket.AF_UNIX

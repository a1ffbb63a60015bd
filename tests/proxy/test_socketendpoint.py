"""
Tests for L{txlb.proxy._socketendpoint}, on sockets, under reactors of Twisted's own.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any
from unittest import mock

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.proxy.fakes import closeAll, takesIPv6
from tests.proxy.reactors import KINDS, TurnedEPoll
from tests.proxy.test_sockettransport import Protocol
from txlb.connecting import OneProtocolFactory
from txlb.model import Address, TCPAddress, UNIXAddress
from txlb.proxy._socketendpoint import SocketEndpoint


class EndpointTests(SynchronousTestCase):
    kind: Any = TurnedEPoll

    def setUp(self) -> None:
        self.reactor = self.kind()
        self.addCleanup(self.reactor.close)
        self.protocol: Any = Protocol()

    def listen(self, host: str = "127.0.0.1", backlog: int = 5) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.addCleanup(listener.close)
        listener.bind((host, 0))
        listener.listen(backlog)
        return listener

    def listenUNIX(self, backlog: int = 5) -> tuple[str, socket.socket]:
        folder = self.mktemp()
        os.makedirs(folder)
        path = os.path.join(os.path.relpath(folder), "socket")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen(backlog)
        return path, listener

    def connect(self, address: Address) -> Deferred[IProtocol]:
        return SocketEndpoint(self.reactor, address).connect(OneProtocolFactory(self.protocol))

    def connectTo(self, listener: socket.socket) -> Deferred[IProtocol]:
        return self.connect(TCPAddress(*listener.getsockname()[:2]))

    def until(self, connecting: Deferred[IProtocol]) -> None:
        """
        Turn the reactor until it has been connected or has not.
        """
        self.assertTrue(self.reactor.turnUntil(lambda: connecting.called), "it takes too long")

    def failed(self, connecting: Deferred[IProtocol]) -> int:
        """
        @return: the number of the error, after which nothing is left.
        """
        self.until(connecting)
        number = self.failureResultOf(connecting, error.ConnectError).value.osError
        self.assertEqual(set(self.reactor.getReaders()), self.reactor._internalReaders)
        self.assertEqual(self.reactor.getWriters(), [])
        self.assertIsNone(self.protocol.transport)
        assert isinstance(number, int)
        return number

    def accept(self, listener: socket.socket) -> socket.socket:
        peer, _ = listener.accept()
        self.addCleanup(peer.close)
        return peer

    def test_interface(self) -> None:
        verifyObject(
            IStreamClientEndpoint, SocketEndpoint(self.reactor, TCPAddress("127.0.0.1", 1))
        )

    def test_connected(self) -> None:
        """
        The protocol has a transport that is read and written.
        """
        listener = self.listen()
        connecting = self.connectTo(listener)
        peer = self.accept(listener)
        self.until(connecting)
        self.assertIs(self.successResultOf(connecting), self.protocol)
        transport = self.protocol.transport
        self.addCleanup(transport.abortConnection)
        self.assertEqual(self.reactor.getWriters(), [])
        self.assertEqual(transport.getPeer().port, listener.getsockname()[1])
        transport.write(b"question")
        self.assertEqual(peer.recv(100), b"question")
        peer.sendall(b"answer")
        self.reactor.turnUntil(lambda: bool(self.protocol.received))
        self.assertEqual(self.protocol.received, b"answer")

    def test_IPv6(self) -> None:
        if not takesIPv6():
            return
        listener = self.listen("::1")
        connecting = self.connectTo(listener)
        self.until(connecting)
        self.successResultOf(connecting)
        self.addCleanup(self.protocol.transport.abortConnection)
        self.assertEqual(self.protocol.transport.getPeer().host, "::1")

    def test_refused(self) -> None:
        listener = self.listen()
        where = listener.getsockname()
        listener.close()
        self.assertEqual(self.failed(self.connect(TCPAddress(*where))), errno.ECONNREFUSED)

    def test_noRoute(self) -> None:
        """
        What fails at once fails likewise.
        """
        with mock.patch.object(socket.socket, "connect_ex", return_value=errno.ENETUNREACH):
            connecting = self.connect(TCPAddress("192.0.2.1", 80))
        self.assertEqual(self.failed(connecting), errno.ENETUNREACH)

    def test_noDescriptor(self) -> None:
        with mock.patch("socket.socket", side_effect=OSError(errno.EMFILE, "too many")):
            connecting = self.connect(TCPAddress("192.0.2.1", 80))
        self.assertEqual(self.failed(connecting), errno.EMFILE)

    def test_noProtocol(self) -> None:
        """
        A factory that wants no protocol gets no connection.
        """
        listener = self.listen()
        address = TCPAddress(*listener.getsockname())
        factory: Any = mock.Mock()
        factory.buildProtocol.return_value = None
        connecting = SocketEndpoint(self.reactor, address).connect(factory)
        peer = self.accept(listener)
        self.until(connecting)
        self.failureResultOf(connecting, error.NoProtocol)
        self.assertEqual((peer.recv(1), self.reactor.getWriters()), (b"", []))

    def test_answeredAndReset(self) -> None:
        """
        A host that has answered and reset before we look was reached. What it said can be
        read. HAProxy delivers it as well.
        """
        listener = self.listen()
        connecting = self.connectTo(listener)
        peer, _ = listener.accept()
        peer.sendall(b"answer")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        self.until(connecting)
        self.successResultOf(connecting)
        self.assertEqual(self.protocol.happened, ["write failed"])
        self.reactor.turnUntil(lambda: "lost" in self.protocol.happened)
        self.assertEqual(self.protocol.received, b"answer")
        self.assertEqual(self.protocol.happened, ["write failed", "lost"])

    def test_finishedAndReset(self) -> None:
        """
        The same where it had finished before.
        """
        listener = self.listen()
        connecting = self.connectTo(listener)
        peer, _ = listener.accept()
        peer.sendall(b"answer")
        peer.shutdown(socket.SHUT_WR)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        self.until(connecting)
        self.successResultOf(connecting)
        self.assertEqual(self.protocol.happened, ["write failed"])
        self.protocol.transport.abortConnection()

    def test_answeredAndClosed(self) -> None:
        """
        One that has closed in good order was reached as well.
        """
        listener = self.listen()
        connecting = self.connectTo(listener)
        peer, _ = listener.accept()
        peer.sendall(b"answer")
        peer.close()
        self.until(connecting)
        self.successResultOf(connecting)
        self.addCleanup(self.protocol.transport.abortConnection)
        self.reactor.turnUntil(lambda: bool(self.protocol.happened))
        self.assertEqual(self.protocol.received, b"answer")
        self.assertEqual(self.protocol.happened, ["read lost"])

    def silent(self) -> socket.socket:
        """
        @return: a listener that answers nobody.
        """
        listener = self.listen(backlog=0)
        fillers = [socket.socket() for _ in range(2)]
        self.addCleanup(closeAll, fillers)
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        return listener

    def test_cancelled(self) -> None:
        """
        One that is cancelled watches nothing any more.
        """
        connecting = self.connectTo(self.silent())
        self.reactor.turn()
        self.assertNoResult(connecting)
        [writer] = self.reactor.getWriters()
        self.assertIn("SocketEndpoint", writer.logPrefix())
        connecting.cancel()
        self.failureResultOf(connecting, error.ConnectingCancelledError)
        self.assertEqual(self.reactor.getWriters(), [])
        # What comes too late changes nothing.
        writer.doWrite()
        writer.connectionLost(Failure(error.ConnectionLost()))
        self.assertEqual(self.reactor.getWriters(), [])

    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of its descriptor change nothing.
        """
        connecting = self.connectTo(self.silent())
        [writer] = self.reactor.getWriters()
        self.assertIsNone(writer.doRead())
        self.assertIsNone(writer.doWrite())
        self.reactor.removeWriter(writer)
        writer.connectionLost(Failure(error.ConnectionLost()))
        self.assertNoResult(connecting)
        self.assertEqual(self.reactor.getWriters(), [writer])
        connecting.cancel()
        self.failureResultOf(connecting, error.ConnectingCancelledError)

    def test_UNIX(self) -> None:
        """
        A UNIX socket is connected at once.
        """
        path, listener = self.listenUNIX()
        connecting = self.connect(UNIXAddress(path))
        self.assertIs(self.successResultOf(connecting), self.protocol)
        self.addCleanup(self.protocol.transport.abortConnection)
        self.protocol.transport.write(b"question")
        self.assertEqual(self.accept(listener).recv(100), b"question")

    def test_UNIXMissing(self) -> None:
        self.assertEqual(self.failed(self.connect(UNIXAddress("/nowhere"))), errno.ENOENT)

    def test_UNIXDead(self) -> None:
        path, listener = self.listenUNIX()
        listener.close()
        self.assertEqual(self.failed(self.connect(UNIXAddress(path))), errno.ECONNREFUSED)

    def test_UNIXBusy(self) -> None:
        """
        A backlog that is full is told at once; no event would follow.
        """
        path, _ = self.listenUNIX(0)
        fillers: list[socket.socket] = []
        self.addCleanup(closeAll, fillers)
        for _ in range(10):
            filler = socket.socket(socket.AF_UNIX)
            fillers.append(filler)
            filler.setblocking(False)
            if filler.connect_ex(path) == errno.EAGAIN:
                break
        self.assertEqual(self.failed(self.connect(UNIXAddress(path))), errno.EAGAIN)


class PollTests(EndpointTests):
    kind = KINDS[1]


class SelectTests(EndpointTests):
    kind = KINDS[2]

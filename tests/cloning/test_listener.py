"""
Tests for L{txlb.cloning._listener}, on sockets.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any
from unittest import mock

from twisted.internet import address
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import takesIPv6
from tests.proxy.reactors import TurnedEPoll
from txlb.cloning._listener import BATCH, SharedListener
from txlb.cloning._listenersettings import ListenerSettings


class KeepingFactory(Factory):
    """
    Keeps the addresses of clients, and refuses or raises if it is told to.
    """

    protocol = Protocol
    noisy = False

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.refuses = False
        self.error: Exception | None = None

    def buildProtocol(self, addr: Any) -> Any:
        self.addresses.append(addr)
        if self.error is not None:
            raise self.error
        return None if self.refuses else super().buildProtocol(addr)


class ListenerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = TurnedEPoll()
        self.addCleanup(self.reactor.close)
        self.factory = KeepingFactory()
        self.changes = 0

    def listener(
        self, family: int = socket.AF_INET, name: Any = ("127.0.0.1", 0)
    ) -> SharedListener:
        sock = socket.socket(family)
        sock.bind(name)
        sock.listen(16)
        sock.setblocking(False)
        listener = SharedListener("web", sock, self.factory, self.reactor)
        listener.changed = self.change
        listener.serve()
        self.addCleanup(self.end, listener)
        return listener

    def end(self, listener: SharedListener) -> None:
        for transport in tuple(listener.connections):
            transport.abortConnection()
        self.reactor.turn(3)
        listener.close()

    def change(self) -> None:
        self.changes += 1

    def connect(self, listener: SharedListener) -> socket.socket:
        client = socket.socket(listener.sock.family)
        self.addCleanup(client.close)
        client.connect(listener.sock.getsockname())
        return client

    def test_queue(self) -> None:
        """
        The length of the accept queue is known, and connections leave it if they are
        allowed to, as many as are allowed.
        """
        listener = self.listener()
        self.assertEqual(listener.queued, 0)
        for _ in range(5):
            self.connect(listener)
        self.assertEqual(listener.queued, 5)
        self.assertEqual(listener.accept(2), 2)
        self.assertEqual((listener.queued, len(listener.connections)), (3, 2))
        self.assertEqual(listener.accept(9), 3)
        self.assertEqual(self.changes, 5)

    def test_counted(self) -> None:
        """
        A connection counts until it has ended.
        """
        listener = self.listener()
        client = self.connect(listener)
        listener.accept(1)
        [transport] = listener.connections
        self.assertEqual(transport.getPeer().port, client.getsockname()[1])
        client.close()
        self.reactor.turnUntil(lambda: not listener.connections)
        self.assertEqual((listener.connections, self.changes), (set(), 2))

    def test_freely(self) -> None:
        """
        Without a manager it accepts what comes; with one it leaves that in the queue.
        """
        listener = self.listener()
        listener.acceptFreely(True)
        self.connect(listener)
        self.reactor.turnUntil(lambda: bool(listener.connections))
        listener.acceptFreely(False)
        self.connect(listener)
        self.reactor.turn(5)
        self.assertEqual((len(listener.connections), listener.queued), (1, 1))

    def test_UNIX(self) -> None:
        path = os.path.relpath(self.mktemp())
        listener = self.listener(socket.AF_UNIX, path)
        self.assertEqual(listener.address, f"unix:{path}")
        self.assertFalse(listener.countsQueue)
        self.assertEqual(listener.queued, 0)
        self.connect(listener)
        self.connect(listener)
        self.assertEqual(listener.queued, 1)
        self.assertEqual(listener.accept(5), 2)
        self.assertIsInstance(self.factory.addresses[0], address.UNIXAddress)
        for transport in tuple(listener.connections):
            transport.loseConnection()
        self.reactor.turnUntil(lambda: not listener.connections)

    def test_IPv6(self) -> None:
        if not takesIPv6():
            return
        listener = self.listener(socket.AF_INET6, ("::1", 0))
        self.assertRegex(listener.address, r"^\[::1\]:\d+$")
        client = self.connect(listener)
        listener.accept(1)
        [found] = self.factory.addresses
        self.assertEqual((found.host, found.port), client.getsockname()[:2])
        self.assertIsInstance(found, address.IPv6Address)

    def test_refused(self) -> None:
        """
        A factory that wants no protocol, or raises, gets no connection, and the next
        client is not harmed.
        """
        listener = self.listener()
        self.factory.refuses = True
        first = self.connect(listener)
        listener.accept(1)
        self.assertEqual((first.recv(1), listener.connections), (b"", set()))
        self.factory.refuses, self.factory.error = False, ValueError("none")
        second = self.connect(listener)
        listener.accept(1)
        self.assertEqual(second.recv(1), b"")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.factory.error = None
        self.connect(listener)
        self.assertEqual(listener.accept(1), 1)
        self.assertEqual(len(listener.connections), 1)

    def test_badBeginning(self) -> None:
        """
        A protocol that raises when it begins is reset.
        """
        listener = self.listener()
        client = self.connect(listener)
        with mock.patch.object(Protocol, "connectionMade", side_effect=ValueError("bad")):
            listener.accept(1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.reactor.turnUntil(lambda: not listener.connections)
        self.assertRaises(ConnectionResetError, client.recv, 1)

    def test_exhausted(self) -> None:
        """
        Without descriptors it pauses, and clients wait.
        """
        listener = self.listener()
        listener.acceptFreely(True)
        self.connect(listener)
        with mock.patch.object(socket, "socket") as fake:
            fake.accept.side_effect = None
            sock: Any = listener._queue
            listener._queue = queue = mock.Mock(wraps=sock)
            queue.accept.side_effect = OSError(errno.EMFILE, "Too many open files")
            self.assertEqual(listener.accept(3), 0)
            self.assertEqual(listener.accept(3), 0)
            listener._queue = sock
        self.assertTrue(listener.isExhausted)
        self.assertNotIn(listener, self.reactor.getReaders())
        self.reactor.now += 0.2
        self.reactor.turnUntil(lambda: bool(listener.connections))
        self.assertFalse(listener.isExhausted)

    def test_clientGone(self) -> None:
        """
        A client that went while it waited is passed over.
        """
        listener = self.listener()
        self.connect(listener)
        sock: Any = listener._queue
        listener._queue = fake = mock.Mock(wraps=sock)
        fake.accept.side_effect = [
            OSError(errno.ECONNABORTED, "gone"),
            sock.accept(),
            BlockingIOError(),
        ]
        listener.accept(2)
        listener._queue = sock
        self.assertEqual(len(listener.connections), 1)

    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of its descriptor change nothing.
        """
        listener = self.listener()
        listener.acceptFreely(True)
        listener.doWrite()
        self.reactor.removeReader(listener)
        listener.connectionLost(Failure(ConnectionLost()))
        self.assertIn(listener, self.reactor.getReaders())
        listener.acceptFreely(False)
        listener.doRead()
        listener.connectionLost(Failure(ConnectionLost()))
        self.assertNotIn(listener, self.reactor.getReaders())

    def test_room(self) -> None:
        """
        As many connections may be accepted as C{maxConnections} leaves.
        """
        listener = self.listener()
        self.assertEqual(listener.room, BATCH)
        listener.settings = ListenerSettings.of(maxConnections=2)
        self.assertEqual(listener.room, 2)
        listener.connections.update({1, 2, 3})
        self.assertEqual(listener.room, 0)
        listener.connections.clear()

    def test_stopInPause(self) -> None:
        listener = self.listener()
        listener.exhausted(OSError(errno.EMFILE, "none"))
        listener.stop()
        self.assertFalse(listener.isExhausted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

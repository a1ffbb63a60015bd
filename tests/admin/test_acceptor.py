"""
Tests for L{txlb.admin._acceptor}.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.admin.client import Wire
from tests.admin.fakes import collectLog, lines, quickChecks
from tests.proxy.fakes import ReactorCase, takesIPv6
from tests.proxy.reactors import BY_NUMBER
from txlb.admin._acceptor import Acceptor
from txlb.admin._newcomer import LOGINS
from txlb.admin.login import Users
from txlb.proxy import EXHAUSTED_PAUSE


class Watched(socket.socket):
    """
    A listening socket that fails as often as it is told to.
    """

    error: OSError | None = None
    times = 1

    def accept(self) -> Any:
        if self.error is not None and self.times:
            self.times -= 1
            raise self.error
        return super().accept()


class AcceptorTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.wire = Wire(Users([]), quickChecks())
        self.factory = self.wire.factory
        self.asked: list[object] = []
        self.admitted = True
        self.patch(self.factory, "admits", self.admits)
        self.events = collectLog(self)

    def admits(self, address: object) -> bool:
        self.asked.append(address)
        return self.admitted

    def listen(self, family: int = socket.AF_INET, name: Any = ("127.0.0.1", 0)) -> Acceptor:
        self.socket = Watched(family)
        self.socket.setblocking(False)
        self.socket.bind(name)
        self.socket.listen(9)
        self.acceptor = Acceptor(self.socket, self.reactor, self.deadlines, self.factory)
        self.addCleanup(self.acceptor.stop)
        self.acceptor.start()
        return self.acceptor

    def come(self) -> socket.socket:
        """
        A client connects.
        """
        client = socket.socket(self.socket.family)
        self.addCleanup(client.close)
        client.settimeout(10)
        client.connect(self.socket.getsockname())
        return client

    def turn(self, count: int = 3) -> None:
        self.reactor.readable()
        self.wire.clock.pump([LOGINS.pause] * count)
        self.reactor.advance(0)

    def test_accept(self) -> None:
        """
        Each is accepted as work, and then the socket is watched again.
        """
        self.listen()
        clients = [self.come() for _ in range(3)]
        self.reactor.readable()
        self.assertEqual(self.reactor.adopted, [])
        self.assertEqual(self.reactor.getReaders(), [])
        self.turn()
        ports = [client.getsockname()[1] for client in clients]
        self.assertEqual(self.asked, [IPv4Address("TCP", "127.0.0.1", port) for port in ports])
        self.assertEqual(len(self.reactor.adopted), 3)
        for fd, family, factory in self.reactor.adopted:
            self.assertEqual(family, socket.AF_INET)
            self.assertIs(factory, self.factory)
            self.assertFalse(os.get_blocking(fd))
        self.assertEqual(self.reactor.getReaders(), [self.acceptor])

    def test_refused(self) -> None:
        self.admitted = False
        self.listen()
        client = self.come()
        self.turn()
        self.assertEqual(self.reactor.adopted, [])
        self.assertEqual(client.recv(1), b"")

    def test_othersWait(self) -> None:
        """
        With no work left to be done they stay where they are.
        """
        self.listen()
        for _ in range(3):
            self.come()
        self.factory.work._left = -LOGINS.saved
        self.turn()
        self.assertEqual(self.asked, [])
        self.assertEqual(self.reactor.getReaders(), [])
        self.wire.clock.pump([1.0] * 8)
        self.assertEqual(len(self.asked), 3)

    def test_families(self) -> None:
        if takesIPv6():
            self.listen(socket.AF_INET6, ("::1", 0))
            self.come()
            self.turn()
            (address,) = self.asked
            self.assertIsInstance(address, IPv6Address)
            self.asked.clear()
        path = self.socketPath()
        self.listen(socket.AF_UNIX, path)
        self.come()
        self.turn()
        self.assertEqual(self.asked, [UNIXAddress(None)])

    def test_goneMeanwhile(self) -> None:
        """
        A client that has reset its connection has no address any more. Those that come later
        are let in all the same.
        """
        self.listen()
        self.come()
        self.reactor.adoptionError = OSError(errno.ENOTCONN, "not connected")
        self.turn()
        self.reactor.adoptionError = None
        self.come()
        self.turn()
        self.assertEqual(len(self.reactor.adopted), 1)
        self.assertEqual(lines(self.events), [])

    def test_trouble(self) -> None:
        """
        One client's is not the next one's.
        """
        self.listen()
        self.come()
        self.come()
        answers = iter([ZeroDivisionError(), None])

        def admits(_: object) -> bool:
            error = next(answers)
            if error is not None:
                raise error
            return True

        self.patch(self.factory, "admits", admits)
        self.turn()
        self.assertEqual(len(self.reactor.adopted), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_firewall(self) -> None:
        """
        Linux tells the errors of a connection that has failed already by accept.
        """
        self.listen()
        self.come()
        self.socket.error = OSError(errno.EPERM, "not permitted")
        self.turn()
        self.assertEqual(len(self.reactor.adopted), 1)

    def test_exhausted(self) -> None:
        """
        Without descriptors it waits a moment; clients wait in the backlog.
        """
        self.listen()
        self.come()
        self.socket.error = OSError(errno.EMFILE, "too many open files")
        self.socket.times = 2
        self.turn()
        self.assertEqual(self.reactor.getReaders(), [])
        (line,) = lines(self.events)
        self.assertIn("accepts no clients for 0.1 s, 1 times now: too many open files", line)
        self.reactor.advance(EXHAUSTED_PAUSE)
        self.turn()
        self.assertEqual(len(lines(self.events)), 1)
        self.reactor.advance(EXHAUSTED_PAUSE)
        self.turn()
        self.assertEqual(len(self.reactor.adopted), 1)

    def test_stop(self) -> None:
        acceptor = self.listen()
        client = self.come()
        self.reactor.readable()
        acceptor.stop()
        self.assertFalse(self.factory.work.pending)
        self.assertEqual(self.reactor.getReaders(), [])
        with self.assertRaises(OSError):
            socket.create_connection(client.getpeername(), timeout=10)

    def test_stopWhileItWaits(self) -> None:
        acceptor = self.listen()
        self.come()
        self.socket.error = OSError(errno.ENFILE, "too many")
        self.turn()
        acceptor.stop()
        self.reactor.advance(1)
        self.assertEqual(self.reactor.getReaders(), [])

    def test_descriptor(self) -> None:
        acceptor = self.listen()
        self.assertEqual(acceptor.fileno(), self.socket.fileno())
        self.assertEqual(acceptor.logPrefix(), "txlb.admin.Acceptor")
        with self.socket.dup() as other:
            other.shutdown(socket.SHUT_RDWR)
        acceptor.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.socket.fileno(), -1)

    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of the descriptor don't close the
        socket, and clients are accepted after them.
        """
        for kind in BY_NUMBER:
            reactor = kind()
            self.addCleanup(reactor.close)
            self.patch(self, "reactor", reactor)
            self.asked.clear()
            self.admitted = False
            acceptor = self.listen()
            reactor.tellOfFormer(acceptor)
            self.come()
            reactor.turnUntil(lambda watched=acceptor: watched not in self.reactor.getReaders())
            self.wire.clock.pump([LOGINS.pause] * 3)
            self.assertEqual(len(self.asked), 1)
            acceptor.stop()

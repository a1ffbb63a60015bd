"""
Tests for L{txlb.process.SocketFile} and L{txlb.process.UNIXPort}.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.process.support import FolderCase
from tests.proxy.fakes import FakeReactor
from tests.proxy.reactors import BY_NUMBER
from txlb.model import UNIXAddress
from txlb.process import SocketFile, UNIXPort, listenUNIX
from txlb.process._unixport import BATCH, PAUSE


class SocketCase(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.at = self.path("socket")

    def listen(self) -> socket.socket:
        sock = listenUNIX(UNIXAddress(self.at))
        self.addCleanup(sock.close)
        return sock

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.settimeout(10)
        sock.connect(self.at)
        return sock


class FileTests(SocketCase):
    def test_ours(self) -> None:
        self.listen()
        file = SocketFile(self.at)
        self.assertTrue(file.isOurs)
        file.remove()
        self.assertFalse(os.path.exists(self.at))
        self.assertFalse(file.isOurs)
        self.listen()
        file.remove()
        self.assertTrue(os.path.exists(self.at))

    def test_anothers(self) -> None:
        """
        A program that has removed the file and listens there keeps its socket, even if the system
        would use the file's number again: it does not while our socket is open.
        """
        self.listen()
        file = SocketFile(self.at)
        for _ in range(5):
            os.unlink(self.at)
            self.listen()
            self.assertFalse(file.isOurs)
        file.remove()
        self.connect()

    def test_gone(self) -> None:
        """
        That it was removed from outside, or is in another root by now, is no trouble.
        """
        self.listen()
        file = SocketFile(self.at)
        os.unlink(self.at)
        file.remove()
        nowhere = SocketFile(self.path("no", "socket"))
        self.assertFalse(nowhere.isOurs)
        nowhere.remove()


class PortTests(SocketCase):
    def setUp(self) -> None:
        super().setUp()
        self.reactor = FakeReactor()
        self.addCleanup(self.reactor.closeAdopted)
        self.factory = Factory.forProtocol(Protocol)

    def port(self, file: SocketFile | None = None) -> UNIXPort:
        return UNIXPort(self.listen(), file, self.factory, self.reactor)

    def test_accepts(self) -> None:
        port = self.port()
        verifyObject(IReadDescriptor, port)
        self.assertIn("UNIXPort", port.logPrefix())
        self.assertGreaterEqual(port.fileno(), 0)
        clients = [self.connect() for _ in range(BATCH + 1)]
        self.reactor.readable()
        self.assertEqual(len(self.reactor.adopted), BATCH)
        self.reactor.readable()
        self.assertEqual(len(self.reactor.adopted), len(clients))
        self.assertEqual({family for _, family, _ in self.reactor.adopted}, {socket.AF_UNIX})
        self.assertIs(self.reactor.adopted[0][2], self.factory)
        self.assertEqual(self.factory.numPorts, 1)

    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of the descriptor don't close the
        socket. One that listens no more is closed.
        """
        for kind in BY_NUMBER:
            reactor = kind()
            self.addCleanup(reactor.close)
            adopt = mock.patch.object(reactor, "adoptStreamConnection")
            port = UNIXPort(self.listen(), None, self.factory, reactor)
            reactor.tellOfFormer(port)
            self.connect()
            with adopt as adopted:
                self.assertTrue(reactor.turnUntil(lambda calls=adopted: bool(calls.called)))
            port.stopListening()
            port.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(set(reactor.getReaders()), reactor._internalReaders)
            os.unlink(self.at)

    def test_stops(self) -> None:
        """
        The file is removed in the end, if it is still the same one. One that is another
        process's, as systemd's, is left, and that process listens on.
        """
        for kind in ("ours", "another's", "inherited"):
            sock = self.listen()
            copy = sock.dup()
            self.addCleanup(copy.close)
            os.chmod(self.at, 0o660)
            file = None if kind == "inherited" else SocketFile(self.at)
            port = UNIXPort(sock, file, self.factory, self.reactor)
            if kind == "another's":
                os.unlink(self.at)
                self.listen()
                os.chmod(self.at, 0o660)
            port.stopListening()
            self.assertEqual(self.reactor.getReaders(), [])
            self.assertEqual(self.factory.numPorts, 0)
            self.assertEqual(os.path.exists(self.at), kind != "ours")
            if kind != "ours":
                self.connect()
                self.assertEqual(stat.S_IMODE(os.stat(self.at).st_mode), 0o660)
                os.unlink(self.at)

    def test_exhausted(self) -> None:
        """
        Without descriptors it pauses, and clients wait.
        """
        port = self.port()
        self.connect()
        accept = port.socket.accept

        class Scripted:
            def __init__(self, *errors: OSError) -> None:
                self.errors = list(errors)

            def accept(self) -> Any:
                if self.errors:
                    raise self.errors.pop(0)
                return accept()

            def close(self) -> None:
                pass

        port.socket = Scripted(  # type: ignore[assignment]  # stands in for one
            OSError(errno.ECONNABORTED, "gone"), OSError(errno.EMFILE, "many")
        )
        self.reactor.readable()
        self.assertEqual((self.reactor.adopted, self.reactor.getReaders()), ([], []))
        self.reactor.advance(PAUSE)
        self.reactor.readable()
        self.assertEqual(len(self.reactor.adopted), 1)
        port.socket = Scripted(OSError(errno.EMFILE, "many"))  # type: ignore[assignment]
        self.reactor.readable()
        port.stopListening()
        self.reactor.advance(PAUSE)
        self.assertEqual(self.reactor.getReaders(), [])

    def test_raises(self) -> None:
        """
        A connection that can't be taken is closed and told, and the next one is taken.
        """
        self.port()
        self.reactor.adoptionError = OSError(errno.EMFILE, "many")
        first = self.connect()
        self.reactor.readable()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(first.recv(1), b"")
        self.reactor.adoptionError = None
        self.connect()
        self.reactor.readable()
        self.assertEqual(len(self.reactor.adopted), 1)

    def test_lost(self) -> None:
        """
        A socket that is closed is not watched again when the reactor gives it up.
        """
        sock = self.listen()
        port = UNIXPort(sock, None, self.factory, self.reactor)
        self.reactor.removeReader(port)
        sock.close()
        port.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(port.fileno(), -1)


class ListenTests(SocketCase):
    def test_mode(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        sock = self.listen()
        self.assertEqual(stat.S_IMODE(os.stat(self.at).st_mode), 0o600)
        self.assertFalse(sock.getblocking())
        self.assertEqual(os.umask(0), 0)

    def test_taken(self) -> None:
        self.file("socket")
        before = os.listdir("/proc/self/fd")
        self.assertRaises(OSError, listenUNIX, UNIXAddress(self.at))
        self.assertEqual(os.listdir("/proc/self/fd"), before)

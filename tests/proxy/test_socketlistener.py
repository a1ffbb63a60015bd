"""
Tests for L{txlb.proxy.SocketListener}.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any
from unittest import skipUnless

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import formatEvent
from zope.interface.verify import verifyObject

from tests.proxy.fakes import FakeReactor, ReactorCase, closeAll, logOf, takesIPv6
from tests.proxy.reactors import BY_NUMBER, KINDS
from txlb.errors import ListenError
from txlb.model import Address, InheritedAddress, Listener, TCPAddress, UNIXAddress
from txlb.proxy import ClientConnection, Loop, SocketListener, _inherited
from txlb.proxy._inherited import InheritedSockets
from txlb.proxy._listeningsocket import EXHAUSTED_PAUSE

ANY_PORT = TCPAddress("127.0.0.1", 0)


class ListenerCase(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.accepted: list[tuple[socket.socket, object]] = []
        self.listeners: list[object] = []
        self.addCleanup(lambda: closeAll(sock for sock, _ in self.accepted))

    def listen(self, address: Address = ANY_PORT) -> SocketListener:
        listener = SocketListener(
            Listener(address),
            self.reactor,
            self.deadlines,
            self.take,
        )
        self.addCleanup(listener.close)
        return listener

    def take(self, client: ClientConnection) -> None:
        self.listeners.append(client.listener)
        self.accepted.append((socket.socket(fileno=client.fd), client.peer))

    def connectTo(self, listener: SocketListener) -> socket.socket:
        address = listener.addresses[0]
        if isinstance(address, UNIXAddress):
            return self.connect(address.path)
        return self.connect((address.host, address.port))


class ListenerTests(ListenerCase):
    def test_waits(self) -> None:
        """
        Before the start clients can connect, and wait; then they are taken.
        """
        listener = self.listen()
        client = self.connectTo(listener)
        self.assertEqual(self.reactor.getReaders(), [])
        listener.start()
        self.reactor.readable()
        [(sock, peer)] = self.accepted
        self.assertEqual(peer, client.getsockname())
        self.assertEqual(self.listeners, [Listener(ANY_PORT)])
        client.sendall(b"hello")
        self.assertEqual(sock.recv(10), b"hello")

    def test_watched(self) -> None:
        """
        A reactor can watch what it registers, by its descriptor.
        """
        listener = self.listen()
        listener.start()
        [door] = self.reactor.getReaders()
        verifyObject(IReadDescriptor, door)
        self.assertIn("Listener", door.logPrefix())
        self.assertGreaterEqual(door.fileno(), 0)

    def test_turnedAway(self) -> None:
        """
        A listener that is to be closed is told before to let no new client in. The clients that
        are in the backlog are taken when it is closed.
        """
        listener = self.listen()
        client = self.connectTo(listener)
        listener.turnAway()
        listener.turnAway()
        self.assertEqual(self.accepted, [])
        listener.close()
        self.assertEqual([peer for _, peer in self.accepted], [client.getsockname()])
        self.assertRaises(ConnectionRefusedError, self.connectTo, listener)

    def test_close(self) -> None:
        """
        Those in the backlog have been told that they are connected: they are
        taken. Whoever comes later is refused, and the address is free.
        """
        listener = self.listen()
        [address] = listener.addresses
        clients = [self.connectTo(listener) for _ in range(3)]
        listener.close()
        self.assertEqual(
            {peer for _, peer in self.accepted}, {client.getsockname() for client in clients}
        )
        for client in clients:
            client.sendall(b"x")
        for sock, _ in self.accepted:
            sock.settimeout(10)
            self.assertEqual(sock.recv(1), b"x")
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertRaises(ConnectionRefusedError, self.connectTo, listener)
        self.assertEqual(self.listen(address).addresses, [address])
        listener.close()

    def test_taken(self) -> None:
        """
        An address that can't be had raises, and leaves nothing behind.
        """
        listener = self.listen()
        self.assertRaises(ListenError, self.listen, listener.addresses[0])
        self.assertEqual(self.reactor.getReaders(), [])

    def test_raises(self) -> None:
        """
        A client whose taking raises is logged, and the next one is taken.
        """

        def take(client: ClientConnection) -> None:
            self.take(client)
            if len(self.accepted) == 1:
                raise RuntimeError("the first one")

        listener = SocketListener(Listener(ANY_PORT), self.reactor, self.deadlines, take)
        self.addCleanup(listener.close)
        first, second = self.connectTo(listener), self.connectTo(listener)
        listener.start()
        self.reactor.readable()
        self.assertEqual(len(self.accepted), 2)
        self.assertEqual(
            [peer for _, peer in self.accepted], [first.getsockname(), second.getsockname()]
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @skipUnless(takesIPv6(), "this machine has no IPv6")
    def test_everyInterface(self) -> None:
        """
        Every interface is IPv4 and IPv6, and clients of both are taken.
        """
        listener = self.listen(TCPAddress("", 0))
        listener.start()
        four, six = listener.addresses
        assert isinstance(four, TCPAddress)
        assert isinstance(six, TCPAddress)
        self.assertEqual(four.port, six.port)
        for host in ("127.0.0.1", "::1"):
            client = self.connect((host, four.port))
            self.reactor.readable()
            _, peer = self.accepted[-1]
            assert isinstance(peer, tuple)
            self.assertEqual(peer[:2], client.getsockname()[:2])

    def test_UNIX(self) -> None:
        """
        A socket in the file system is taken away when it is closed.
        """
        path = self.socketPath()
        listener = self.listen(UNIXAddress(path))
        self.assertEqual(listener.addresses, [UNIXAddress(path)])
        listener.start()
        self.connectTo(listener)
        self.reactor.readable()
        self.assertEqual(len(self.accepted), 1)
        listener.close()
        self.assertFalse(os.path.exists(path))

    def test_UNIXClosedTwice(self) -> None:
        """
        A second close does not take away the socket of the next listener, and
        that somebody else took ours away is no trouble.
        """
        path = self.socketPath()
        first = self.listen(UNIXAddress(path))
        first.close()
        second = self.listen(UNIXAddress(path))
        first.close()
        self.assertTrue(os.path.exists(path))
        os.unlink(path)
        second.close()

    def test_UNIXOfAnother(self) -> None:
        """
        A program that has removed the file since and listens there itself keeps its socket (the
        fault of nodejs 19729); it is asked for the file's number, as for the control socket.
        """
        path = self.socketPath()
        listener = self.listen(UNIXAddress(path))
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()
            listener.close()
            self.connect(path)

    @skipUnless(hasattr(socket, "TCP_DEFER_ACCEPT"), "only Linux has it")
    def test_deferAccept(self) -> None:
        """
        With C{deferAccept} a client comes once it has sent something. The option follows the
        configuration, and a socket of another process that goes on is not touched.
        """
        listener = SocketListener(
            Listener(ANY_PORT, deferAccept=True), self.reactor, self.deadlines, self.take
        )
        self.addCleanup(listener.close)
        listener.start()
        (sock,) = listener.sockets
        client = self.connectTo(listener)
        self.assertRaises(BlockingIOError, sock.accept)
        client.sendall(b"hello")
        self.reactor.readable()
        [(accepted, _)] = self.accepted
        self.assertEqual(accepted.recv(10), b"hello")
        deferred = socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT
        self.assertGreater(sock.getsockopt(*deferred), 0)

        borrowed = SocketListener(
            Listener(ANY_PORT), self.reactor, self.deadlines, self.take, [sock.dup()]
        )
        self.addCleanup(borrowed.letGo)
        borrowed.handTo(self.reactor, self.take, Listener(ANY_PORT))
        self.assertGreater(sock.getsockopt(*deferred), 0)
        borrowed.own()
        self.assertEqual(sock.getsockopt(*deferred), 0)
        listener.handTo(self.reactor, self.take, Listener(ANY_PORT, deferAccept=True))
        self.assertGreater(sock.getsockopt(*deferred), 0)
        listener.handTo(self.reactor, self.take, Listener(ANY_PORT))
        self.assertEqual(sock.getsockopt(*deferred), 0)

    @skipUnless(hasattr(socket, "TCP_DEFER_ACCEPT"), "only Linux has it")
    def test_deferAcceptInherited(self) -> None:
        """
        A socket that was inherited keeps the option that it was given with.
        """
        deferred = socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT
        with socket.create_server(("127.0.0.1", 0)) as given:
            given.setsockopt(*deferred, 1)
            found = InheritedSockets([("web", os.dup(given.fileno()))])
            self.addCleanup(found.close)
            self.patch(_inherited, "_inherited", found)
            listener = SocketListener(
                Listener(InheritedAddress("web")), self.reactor, self.deadlines, lambda *_: None
            )
            self.addCleanup(listener.close)
            self.assertGreater(given.getsockopt(*deferred), 0)

    def test_UNIXInherited(self) -> None:
        """
        One that was inherited is left, file and all, for the next process.
        """
        path = self.socketPath()
        with socket.socket(socket.AF_UNIX) as given:
            given.bind(path)
            given.listen()
            found = InheritedSockets([("web", os.dup(given.fileno()))])
            self.addCleanup(found.close)
            self.patch(_inherited, "_inherited", found)
            listener = SocketListener(
                Listener(InheritedAddress("web")), self.reactor, self.deadlines, lambda *_: None
            )
            listener.close()
            self.connect(path)

    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of the descriptor don't close the
        socket, and clients are accepted after them.
        """
        for kind in BY_NUMBER:
            for address in (ANY_PORT, UNIXAddress(self.socketPath())):
                reactor = kind()
                self.addCleanup(reactor.close)
                self.reactor = reactor
                listener = self.listen(address)
                listener.start()
                [door] = set(reactor.getReaders()) - reactor._internalReaders
                reactor.tellOfFormer(door)
                self.accepted.clear()
                self.connectTo(listener)
                self.assertTrue(reactor.turnUntil(lambda: bool(self.accepted)))
                listener.close()

    def test_listensNoMore(self) -> None:
        """
        A socket that another process, which shares it, has shut down is closed, with a line
        in the log. Linux would report it for ever, and nothing else would have a turn. So it
        is under reactors and in the loop of the fast relay.
        """
        for kind in (*KINDS, None):
            log = logOf(self)
            reactor: Any = FakeReactor() if kind is None else kind()
            self.reactor, watcher = reactor, reactor
            if kind is None:
                watcher = Loop(reactor, self.deadlines)
                self.addCleanup(watcher.stop)
            else:
                self.addCleanup(reactor.close)
            listener = self.listen()
            listener.handTo(watcher, self.take, listener.configured)
            listener.start()
            [sock] = listener._sockets
            with socket.socket(fileno=os.dup(sock.fileno())) as other:
                other.shutdown(socket.SHUT_RDWR)
            for _ in range(3):
                watcher.turn()
            self.assertEqual(sock.fileno(), -1)
            self.assertFalse(watcher.turn())
            [line] = [formatEvent(event) for event in log if "name" in event]
            self.assertIn(f"{listener.addresses[0]} listens no more", line)


class LetGoTests(ListenerCase):
    def test_letGo(self) -> None:
        """
        A listener that is let go is closed here. Another process that has the socket goes on, and
        gets the clients in the backlog.
        """
        listener = self.listen()
        listener.start()
        [copy] = [sock.dup() for sock in listener.sockets]
        self.addCleanup(copy.close)
        client = self.connectTo(listener)
        listener.letGo()
        self.assertEqual((self.accepted, listener.sockets), ([], []))
        self.assertEqual(self.reactor.getReaders(), [])
        other = SocketListener(Listener(ANY_PORT), self.reactor, self.deadlines, self.take, [copy])
        other.start()
        self.reactor.readable()
        [(_, peer)] = self.accepted
        self.assertEqual(peer, client.getsockname())
        other.letGo()

    def borrowed(self, listener: SocketListener) -> SocketListener:
        """
        Make a listener of another process with the same sockets.
        """
        copies = [sock.dup() for sock in listener.sockets]
        address = listener.configured.address
        other = SocketListener(
            Listener(address), self.reactor, self.deadlines, lambda *_: self.fail(), copies
        )
        self.addCleanup(other.close)
        return other

    def test_borrowed(self) -> None:
        """
        If a process ends that would have taken sockets over, the process that has them goes on:
        clients connect, and those in the backlog stay.
        """
        for address in (ANY_PORT, UNIXAddress(self.socketPath())):
            listener = self.listen(address)
            other = self.borrowed(listener)
            self.connectTo(listener)
            other.turnAway()
            other.close()
            self.assertEqual(other.sockets, [])
            self.connectTo(listener)
            self.accepted.clear()
            listener.start()
            self.reactor.readable()
            self.assertEqual(len(self.accepted), 2)

    def test_owned(self) -> None:
        """
        A process that has taken sockets over closes them as its own.
        """
        path = self.socketPath()
        listener = self.listen(UNIXAddress(path))
        other = self.borrowed(listener)
        listener.letGo()
        other.own()
        other.close()
        self.assertFalse(os.path.exists(path))


class PauseTests(ListenerCase):
    def test_pause(self) -> None:
        """
        A listener that is paused accepts nobody and goes on listening: clients wait in its
        backlog until it is started again.
        """
        listener = self.listen()
        for number in (1, 2):
            listener.start()
            self.connectTo(listener)
            self.reactor.readable()
            self.assertEqual(len(self.accepted), 2 * number - 1)
            listener.pause()
            self.connectTo(listener)
            self.reactor.readable()
            self.assertEqual(len(self.accepted), 2 * number - 1)
            listener.start()
            self.reactor.readable()
            self.assertEqual(len(self.accepted), 2 * number)


class HoldTests(ListenerCase):
    def test_log(self) -> None:
        """
        A storm of pauses is one line a second, with how many there were.
        """
        log = logOf(self)
        listener = self.listen()
        error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        for _ in range(25):
            listener._hold(error)
            self.reactor.advance(EXHAUSTED_PAUSE)
        times = [event["times"] for event in log if "pause" in event]
        self.assertEqual(len(times), 3)
        self.assertEqual(times[0], 1)
        self.assertGreaterEqual(sum(times), 20)
        [first, *_] = [event for event in log if "pause" in event]
        self.assertEqual(first["reason"], os.strerror(errno.EMFILE))
        self.assertEqual(first["addresses"], str(listener.addresses[0]))

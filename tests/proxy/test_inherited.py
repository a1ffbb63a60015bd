"""
Tests for L{txlb.proxy.InheritedSockets}, and for listening on them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from tests.proxy.fakes import ReactorCase
from txlb.errors import ListenError
from txlb.model import InheritedAddress, Listener, TCPAddress, UNIXAddress
from txlb.proxy import (
    ClientConnection,
    InheritedSockets,
    SocketListener,
    _inherited,
    bindSockets,
    inheritedSockets,
)
from txlb.proxy._sockets import socketAddress

WEB = InheritedAddress("web")


class InheritedCase(ReactorCase):
    def listening(self, address: str = "127.0.0.1") -> socket.socket:
        sock = socket.create_server((address, 0))
        self.addCleanup(sock.close)
        return sock

    def inherit(self, *sockets: tuple[str, socket.socket]) -> InheritedSockets:
        """
        Hand copies over, as whoever started us keeps the sockets as well.
        """
        found = InheritedSockets([(name, os.dup(sock.fileno())) for name, sock in sockets])
        self.addCleanup(found.close)
        self.patch(_inherited, "_inherited", found)
        return found

    def wrong(self, found: InheritedSockets, name: str = "web") -> str:
        return str(self.assertRaises(ListenError, found.take, InheritedAddress(name)))


class EnvironmentTests(InheritedCase):
    def read(self, *first: int, **environ: str) -> InheritedSockets:
        environ = {"LISTEN_PID": str(os.getpid()), "PATH": "/bin", **environ}
        found = InheritedSockets.fromEnvironment(environ, *first)
        self.assertEqual(environ, {"PATH": "/bin"})
        return found

    def descriptors(self, *socks: socket.socket) -> int:
        """
        Put sockets on numbers one after the other.

        @return: the first number.
        """
        first = 200
        for number, sock in enumerate(socks, first):
            os.dup2(sock.fileno(), number)
        return first

    def test_named(self) -> None:
        """
        The names tell them apart, and several may have one.
        """
        socks = [self.listening() for _ in range(3)]
        found = self.read(self.descriptors(*socks), LISTEN_FDS="3", LISTEN_FDNAMES="web:api:web")
        self.addCleanup(found.close)
        self.assertEqual(found.names, ["web", "api"])
        self.assertEqual(found.unused, ["web", "api"])
        copies = found.take(WEB)
        for copy in copies:
            self.addCleanup(copy.close)
        self.assertEqual(found.unused, ["api"])
        self.assertEqual(
            [copy.getsockname() for copy in copies],
            [socks[0].getsockname(), socks[2].getsockname()],
        )
        for number in (*range(200, 203), *(copy.fileno() for copy in copies)):
            self.assertFalse(os.get_inheritable(number))
        for copy in copies:
            self.assertFalse(copy.getblocking())

    def test_nameless(self) -> None:
        found = self.read(self.descriptors(self.listening()), LISTEN_FDS="1")
        self.addCleanup(found.close)
        self.assertEqual(found.names, ["unknown"])

    def test_none(self) -> None:
        """
        Why there is none is told to who wants one.
        """
        for environ, words in (
            ({}, "was not started by a socket unit"),
            ({"LISTEN_FDS": "1", "LISTEN_PID": "1"}, "LISTEN_PID says that they are for process 1"),
            ({"LISTEN_FDS": "x"}, "LISTEN_FDS is 'x', which is no number of sockets"),
            ({"LISTEN_FDS": "-1"}, "is no number of sockets"),
            ({"LISTEN_FDS": "99999999999"}, "is no number of sockets"),
            ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "web"}, "2 sockets, and LISTEN_FDNAMES has 1"),
            ({"LISTEN_FDS": "0"}, "it has given none at all"),
        ):
            with self.subTest(environ=environ):
                found = self.read(**environ)
                self.assertEqual(found.names, [])
                message = self.wrong(found)
                self.assertTrue(message.startswith("can't listen on systemd:web: "), message)
                self.assertIn(words, message)

    def test_once(self) -> None:
        """
        The process's own is read once, and cleared.
        """
        self.patch(_inherited, "_inherited", None)
        self.patch(os, "environ", {"LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x"})
        found = inheritedSockets()
        self.assertIs(inheritedSockets(), found)
        self.assertEqual(dict(os.environ), {})
        self.assertIn("for process 1", self.wrong(found))

    def test_asItBegan(self) -> None:
        """
        What somebody has taken out of the environment meanwhile is found in the one
        that the process began with.
        """
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"LISTEN_FDS=2\0PATH=/bin\0LISTEN_PID=1\0LISTEN_FDNAMES=old\0")
        self.patch(_inherited, "FIRST_ENVIRONMENT", path)
        self.patch(os, "environ", {"LISTEN_FDNAMES": "new"})
        self.assertEqual(
            _inherited._environment(),
            {"LISTEN_FDS": "2", "LISTEN_PID": "1", "LISTEN_FDNAMES": "new"},
        )
        self.patch(_inherited, "FIRST_ENVIRONMENT", path + "/none")
        self.assertEqual(_inherited._environment(), {"LISTEN_FDNAMES": "new"})


class TakeTests(InheritedCase):
    def test_otherNames(self) -> None:
        """
        A name that is not there is answered with those that are.
        """
        found = self.inherit(("api", self.listening()), ("mail", self.listening()))
        self.assertIn("no socket of this name; there are: api, mail", self.wrong(found))

    def test_wrongKinds(self) -> None:
        """
        What is no listening stream socket is said so, with what would make one.
        """
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ours, theirs = socket.socketpair()
        silent = socket.socket()
        for sock in (datagrams, ours, theirs, silent):
            self.addCleanup(sock.close)
        for sock, words in (
            (datagrams, "is no stream socket; ListenStream= makes one"),
            (ours, "is a connection and does not listen; say Accept=no"),
            (silent, "does not listen"),
        ):
            before = len(os.listdir("/proc/self/fd"))
            found = self.inherit(("web", self.listening()), ("web", sock))
            self.assertIn(words, self.wrong(found))
            self.assertEqual(len(os.listdir("/proc/self/fd")), before + 3)

    def test_printable(self) -> None:
        """
        The path of a socket is the address of its clients in logs, so that it has
        nothing that ends a line there or turns text round.
        """
        for name in ("a\nb", "a\u202eb"):
            for path in (self.socketPath(name), f"\0txlb-{os.getpid()}-{name}"):
                sock = socket.socket(socket.AF_UNIX)
                self.addCleanup(sock.close)
                sock.bind(path)
                sock.listen()
                reason = self.wrong(self.inherit(("web", sock)))
                self.assertIn(f"listens on {path.removeprefix(chr(0))!r}, which has", reason)

    def test_noSocket(self) -> None:
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        found = InheritedSockets([("web", read)])
        self.assertIn(f"descriptor {read} is no socket", self.wrong(found))
        found.close()
        closed = InheritedSockets([])
        closed._descriptors = [("web", read)]
        self.assertIn("can't be used", self.wrong(closed))


class ListenTests(InheritedCase):
    """
    A listener of such sockets is like any other, but for its end.
    """

    def setUp(self) -> None:
        super().setUp()
        self.accepted: list[int] = []

    def accept(self, client: ClientConnection) -> None:
        self.accepted.append(client.fd)

    def listener(self, sockets: Sequence[tuple[str, socket.socket]]) -> SocketListener:
        self.inherit(*sockets)
        return SocketListener(Listener(WEB), self.reactor, self.deadlines, self.accept)

    def tearDown(self) -> None:
        for fd in self.accepted:
            os.close(fd)
        super().tearDown()

    def test_accepts(self) -> None:
        one, two = self.listening(), self.listening()
        listener = self.listener([("web", one), ("web", two)])
        self.assertEqual(
            listener.addresses, [TCPAddress(*one.getsockname()), TCPAddress(*two.getsockname())]
        )
        listener.start()
        for sock in (one, two):
            self.connect(sock.getsockname())
        self.reactor.readable()
        self.assertEqual(len(self.accepted), 2)
        for fd in self.accepted:
            with socket.socket(fileno=os.dup(fd)) as sock:
                self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)
        listener.close()

    def test_close(self) -> None:
        """
        Who waits when it is closed is left for who gets the socket next, and
        newcomers are not turned away.
        """
        sock = self.listening()
        listener = self.listener([("web", sock)])
        listener.start()
        early = self.connect(sock.getsockname())
        listener.close()
        self.assertEqual(self.accepted, [])
        self.assertEqual(self.reactor.getReaders(), [])
        late = self.connect(sock.getsockname())
        again = SocketListener(Listener(WEB), self.reactor, self.deadlines, self.accept)
        again.start()
        self.reactor.readable()
        self.assertEqual(len(self.accepted), 2)
        again.close()
        early.close()
        late.close()

    def test_UNIX(self) -> None:
        """
        The file of a socket is not ours to remove.
        """
        path = self.socketPath()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
            sock.listen()
            listener = self.listener([("web", sock)])
            self.assertEqual(listener.addresses, [UNIXAddress(path)])
            listener.close()
            self.assertTrue(os.path.exists(path))

    def test_abstract(self) -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(f"\0txlb-test-{os.getpid()}")
            sock.listen()
            self.assertEqual(str(socketAddress(sock)), f"unix:@txlb-test-{os.getpid()}")

    def test_none(self) -> None:
        self.inherit()
        self.assertRaises(ListenError, bindSockets, WEB)

"""
Tests for L{txlb.proxy._sockets}.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import select
import socket
import stat
import sys
from typing import Any
from unittest import mock, skipUnless

from tests.proxy.fakes import ReactorCase, takesIPv6
from txlb.errors import ListenError
from txlb.model import Address, TCPAddress, UNIXAddress
from txlb.proxy import _sockets as sockets
from txlb.proxy import bindSockets, setStreamOptions, socketAddress
from txlb.proxy._near import UNPACED, controlOf, systemPaces
from txlb.proxy._sockets import ignoreNewcomers, keepAlive

needsIPv6 = skipUnless(takesIPv6(), "this machine has no IPv6")


class BindCase(ReactorCase):
    def bind(self, address: Address) -> list[socket.socket]:
        made = bindSockets(address)
        for sock in made:
            self.addCleanup(sock.close)
        return made

    def refused(self, address: Address) -> ListenError:
        """
        @return: the error, after which nothing is left open.
        """
        before = set(os.listdir("/proc/self/fd"))
        error = self.assertRaises(ListenError, bindSockets, address)
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        self.assertEqual(error.address, str(address))
        assert isinstance(error, ListenError)
        return error

    def failing(self, method: str, number: int, family: int | None = None) -> None:
        """
        Let a method of sockets fail with an error number.
        """
        real = getattr(socket.socket, method)

        def fails(sock: socket.socket, *args: Any) -> Any:
            if family is None or sock.family == family:
                raise OSError(number, os.strerror(number))
            return real(sock, *args)

        class Failing(socket.socket):
            pass

        setattr(Failing, method, fails)
        self.patch(socket, "socket", Failing)


class TCPTests(BindCase):
    def test_one(self) -> None:
        """
        An address gets a socket that is non-blocking, that no program which is
        started inherits, and to which clients can connect at once.
        """
        [sock] = self.bind(TCPAddress("127.0.0.1", 0))
        self.assertFalse(sock.getblocking())
        self.assertFalse(sock.get_inheritable())
        client = self.connect(sock.getsockname())
        accepted, _ = sock.accept()
        with accepted:
            self.assertEqual(accepted.getpeername(), client.getsockname())

    def test_pacing(self) -> None:
        """
        What is accepted on an address of this machine alone does not pace what it
        sends, where the system would; elsewhere it is as the system says.
        """
        near, everywhere = TCPAddress("127.0.0.1", 0), TCPAddress("0.0.0.0", 0)
        with socket.socket() as plain:
            usual = controlOf(plain)
        for system, address, wanted in (
            (b"bbr", near, UNPACED),
            (b"bbr", everywhere, usual),
            (b"cubic", near, usual),
        ):
            with mock.patch("txlb.proxy._near.controlOf", return_value=system):
                [sock] = self.bind(address)
            client = self.connect(("127.0.0.1", sock.getsockname()[1]))
            accepted, _ = sock.accept()
            with accepted:
                self.assertEqual(controlOf(accepted), wanted)
                self.assertEqual(accepted.getpeername(), client.getsockname())

    def test_paceUnknown(self) -> None:
        """
        With no descriptor left, and on a system that has one control of congestion,
        sockets stay as they are.
        """
        with mock.patch("txlb.proxy._near.socket.socket", side_effect=OSError(errno.EMFILE, "")):
            self.assertFalse(systemPaces())
        with mock.patch.object(socket, "TCP_CONGESTION"):
            del socket.TCP_CONGESTION
            with socket.socket() as sock:
                self.assertEqual(controlOf(sock), b"")
            self.assertFalse(systemPaces())

    def test_addressTold(self) -> None:
        """
        The address that is told has the port that the system chose.
        """
        [sock] = self.bind(TCPAddress("127.0.0.1", 0))
        self.assertEqual(socketAddress(sock), TCPAddress("127.0.0.1", sock.getsockname()[1]))

    def test_acceptedInherits(self) -> None:
        """
        What is accepted sends small writes at once, gets urgent bytes in line and notices
        a dead peer.
        """
        [sock] = self.bind(TCPAddress("127.0.0.1", 0))
        self.connect(sock.getsockname())
        accepted, _ = sock.accept()
        with accepted:
            self.assertTrue(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            self.assertTrue(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE))
            self.assertTrue(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            idle = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            self.assertEqual(idle, sockets.KEEPALIVE_IDLE)

    def test_streamOptions(self) -> None:
        """
        A dead peer is noticed after two minutes of silence.
        """
        with socket.socket() as sock:
            setStreamOptions(sock)
            idle, interval, count = (
                sock.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
            self.assertEqual(idle + interval * count, 120)
            self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_keepAlive(self) -> None:
        """
        Where the system has no such settings, its own ones stand; sockets in the
        file system need none.
        """
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
            self.addCleanup(setattr, socket, name, getattr(socket, name))
            delattr(socket, name)
        with socket.socket() as sock:
            keepAlive(sock)
            self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        with socket.socket(socket.AF_UNIX) as sock:
            keepAlive(sock)
            self.assertFalse(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def test_inUse(self) -> None:
        """
        An address that another listener has is refused in words.
        """
        [sock] = self.bind(TCPAddress("127.0.0.1", 0))
        port = sock.getsockname()[1]
        error = self.refused(TCPAddress("127.0.0.1", port))
        self.assertEqual(
            str(error),
            f"can't listen on 127.0.0.1:{port}: the address is in use by another listener",
        )

    def test_noNewcomers(self) -> None:
        """
        Before a listener is closed nobody new is let in, and those who wait can
        still be taken.
        """
        [sock] = self.bind(TCPAddress("127.0.0.1", 0))
        first = self.connect(sock.getsockname())
        ignoreNewcomers(sock)
        with socket.socket() as second:
            second.setblocking(False)
            self.assertEqual(second.connect_ex(sock.getsockname()), errno.EINPROGRESS)
            accepted, peer = sock.accept()
            with accepted:
                accepted.settimeout(10)
                self.assertEqual(peer, first.getsockname())
                accepted.sendall(b"still here")
                self.assertEqual(first.recv(20), b"still here")
                first.sendall(b"me too")
                self.assertEqual(accepted.recv(6, socket.MSG_WAITALL), b"me too")
            self.assertRaises(BlockingIOError, sock.accept)
            self.assertEqual(select.select([], [second], [], 0), ([], [], []))

    def test_newcomersElsewhere(self) -> None:
        """
        Systems and sockets that know nothing of this are left as they are.
        """
        path = self.socketPath()
        [sock] = self.bind(UNIXAddress(path))
        ignoreNewcomers(sock)
        self.connect(path)
        self.patch(sys, "platform", "other")
        [sock] = self.bind(TCPAddress("127.0.0.1", 0))
        ignoreNewcomers(sock)
        self.connect(sock.getsockname())
        accepted, _ = sock.accept()
        accepted.close()

    def test_rightAfter(self) -> None:
        """
        Connections of a listener that is gone don't keep the address from the
        next one.
        """
        [sock] = self.bind(TCPAddress("127.0.0.1", 0))
        address = sock.getsockname()
        client = self.connect(address)
        accepted, _ = sock.accept()
        accepted.close()
        client.close()
        sock.close()
        [again] = self.bind(TCPAddress(*address))
        self.assertEqual(again.getsockname(), address)

    def test_privileged(self) -> None:
        """
        That a low port needs root is said, and for a high one that it is not
        permitted.
        """
        self.failing("bind", errno.EACCES)
        low = self.refused(TCPAddress("127.0.0.1", 80))
        self.assertEqual(low.reason, "ports below 1024 need root, or the capability for them")
        high = self.refused(TCPAddress("127.0.0.1", 8080))
        self.assertEqual(high.reason, "permission denied")

    def test_notOurs(self) -> None:
        """
        An address that this machine does not have is refused in words.
        """
        error = self.refused(TCPAddress("192.0.2.1", 8080))
        self.assertEqual(error.reason, "this machine has no such address")

    def test_otherError(self) -> None:
        """
        Any other error is told as the system tells it.
        """
        self.failing("listen", errno.EOPNOTSUPP)
        error = self.refused(TCPAddress("127.0.0.1", 0))
        self.assertEqual(error.reason, os.strerror(errno.EOPNOTSUPP))

    def test_noDescriptor(self) -> None:
        """
        Where not even a socket can be made, that is the error.
        """

        def none(*_: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        self.patch(socket, "socket", none)
        error = self.assertRaises(ListenError, bindSockets, TCPAddress("127.0.0.1", 0))
        self.assertIn(os.strerror(errno.EMFILE), str(error))

    def resolving(self, *hosts: str) -> None:
        """
        Let every name have these addresses.
        """
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, 0, 0, 0))
            if ":" in host
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0))
            for host in hosts
        ]
        self.patch(socket, "getaddrinfo", lambda *_, **__: found)

    def test_name(self) -> None:
        """
        The name of an address of this machine's own will do.
        """
        self.resolving("127.0.0.1", "127.0.0.1")
        [sock] = self.bind(TCPAddress("me.example", 0))
        self.assertEqual(sock.getsockname()[0], "127.0.0.1")

    @needsIPv6
    def test_namesOfTwoFamilies(self) -> None:
        """
        A name is listened on at all of its addresses, with one port, as nginx has it
        (U{https://nginx.org/r/listen}): C{localhost} is C{::1} and C{127.0.0.1} on most
        systems, and clients try either.
        """
        self.resolving("::1", "127.0.0.1", "127.0.0.2")
        sockets = self.bind(TCPAddress("localhost", 0))
        names = [sock.getsockname() for sock in sockets]
        port = names[0][1]
        self.assertEqual(names, [("::1", port, 0, 0), ("127.0.0.1", port), ("127.0.0.2", port)])
        for sock, name in zip(sockets, names, strict=True):
            with socket.socket(sock.family) as client:
                client.connect(name)
                accepted, peer = sock.accept()
                accepted.close()
                self.assertEqual(peer, client.getsockname())

    @needsIPv6
    def test_chosenPortIsTaken(self) -> None:
        """
        If another program has the port that the system chose, at another address of the
        name, the system chooses again.
        """
        self.resolving("::1", "127.0.0.1")
        real, tries = sockets._bindTCP, []

        def bind(address: Any, family: Any, name: Any, backlog: int) -> socket.socket:
            tries.append(name)
            if len(tries) == 2:
                cause = OSError(errno.EADDRINUSE, "taken")
                raise ListenError(str(address), "taken") from cause
            return real(address, family, name, backlog)

        self.patch(sockets, "_bindTCP", bind)
        self.assertEqual(len(self.bind(TCPAddress("localhost", 0))), 2)
        # Another program may have a port that was chosen after that as well.
        self.assertGreaterEqual(len(tries), 4)

    @needsIPv6
    def test_nameWithOneTaken(self) -> None:
        """
        If one of a name's addresses can't be had, none is listened on, and the message
        names it.
        """
        self.resolving("127.0.0.1", "192.0.2.1")
        error = self.refused(TCPAddress("me.example", 0))
        self.assertEqual(error.reason, "192.0.2.1: this machine has no such address")
        self.resolving("127.0.0.1", "2001:db8::1")
        error = self.refused(TCPAddress("me.example", 0))
        self.assertEqual(error.reason, "2001:db8::1: this machine has no such address")

    def test_nameWithoutIPv6(self) -> None:
        """
        On a machine without IPv6 a name's other addresses are listened on.
        """
        for number in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            self.failing("bind", number, socket.AF_INET6)
            self.resolving("::1", "127.0.0.1")
            [sock] = self.bind(TCPAddress("localhost", 0))
            self.assertEqual(sock.getsockname()[0], "127.0.0.1")
            self.resolving("::1")
            self.assertIn("::1: this machine", self.refused(TCPAddress("localhost", 0)).reason)

    def test_zone(self) -> None:
        """
        A link-local address is bound with the number of its interface; one that isn't
        there is named.
        """
        bound: list[object] = []

        def bind(_: socket.socket, name: object) -> None:
            bound.append(name)
            raise OSError(errno.EADDRNOTAVAIL, "")

        class Bound(socket.socket):
            pass

        Bound.bind = bind  # type: ignore[assignment,method-assign]  # for this test only
        self.patch(socket, "socket", Bound)
        lo = socket.if_nametoindex("lo")
        self.refused(TCPAddress("fe80::1%lo", 80))
        self.assertEqual(bound[0], ("fe80::1", 80, 0, lo))
        error = self.refused(TCPAddress("fe80::1%none0", 80))
        self.assertEqual(error.reason, "this machine has no network interface none0")

    def test_zoneTold(self) -> None:
        """
        The address that is told has its zone.
        """

        class Scoped:
            family = socket.AF_INET6

            def getsockname(self) -> tuple[str, int, int, int]:
                return "fe80::1", 80, 0, socket.if_nametoindex("lo")

        told = socketAddress(Scoped())  # type: ignore[arg-type]  # it is as good
        self.assertEqual(told, TCPAddress("fe80::1%lo", 80))

    def test_unknownName(self) -> None:
        """
        A name that nobody knows is named.
        """

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self.patch(socket, "getaddrinfo", unknown)
        error = self.refused(TCPAddress("nobody.example", 80))
        self.assertIn("nobody.example can't be resolved: ", error.reason)
        self.assertIn("Name or service not known", error.reason)

    @needsIPv6
    def test_IPv6(self) -> None:
        """
        An IPv6 address is listened on as such.
        """
        [sock] = self.bind(TCPAddress("::1", 0))
        address = socketAddress(sock)
        assert isinstance(address, TCPAddress)
        self.assertEqual(str(address), f"[::1]:{address.port}")


class EveryInterfaceTests(BindCase):
    @needsIPv6
    def test_both(self) -> None:
        """
        Every interface means IPv4 and IPv6 with the same port.
        """
        four, six = self.bind(TCPAddress("", 0))
        self.assertEqual(four.family, socket.AF_INET)
        self.assertEqual(six.family, socket.AF_INET6)
        port = four.getsockname()[1]
        self.assertEqual(six.getsockname()[1], port)
        for sock, host in ((four, "127.0.0.1"), (six, "::1")):
            client = self.connect((host, port))
            accepted, peer = sock.accept()
            accepted.close()
            self.assertEqual(peer[:2], client.getsockname()[:2])

    def test_withoutIPv6(self) -> None:
        """
        A machine without IPv6 listens on IPv4 alone, be it that its Python has
        none, its kernel, or its interfaces.
        """
        for number in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            self.failing("bind", number, socket.AF_INET6)
            [sock] = self.bind(TCPAddress("", 0))
            self.assertEqual(sock.family, socket.AF_INET)
        self.patch(socket, "has_ipv6", False)
        [sock] = self.bind(TCPAddress("", 0))
        self.assertEqual(sock.family, socket.AF_INET)

    def test_otherHalfTaken(self) -> None:
        """
        Where one of the two is taken, neither is held.
        """
        self.failing("bind", errno.EADDRINUSE, socket.AF_INET6)
        error = self.refused(TCPAddress("", 0))
        self.assertIn("in use", error.reason)


class UNIXTests(BindCase):
    def test_private(self) -> None:
        """
        Its socket is for this user alone, and the umask is as it was.
        """
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        path = self.socketPath()
        [sock] = self.bind(UNIXAddress(path))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(os.umask(0o022), 0o022)
        self.assertEqual(socketAddress(sock), UNIXAddress(path))
        self.connect(path)

    def test_mode(self) -> None:
        """
        Its file has the mode that is wanted from the first moment, whatever the umask
        is.
        """
        modes: list[int] = []
        folder = os.path.dirname(self.socketPath())

        class Listening(socket.socket):
            def listen(self, backlog: int = 0) -> None:
                modes.append(stat.S_IMODE(os.stat(self.getsockname()).st_mode))
                super().listen(backlog)

        self.patch(socket, "socket", Listening)
        for umask in (0o000, 0o022, 0o777):
            before = os.umask(umask)
            try:
                for mode in (0o600, 0o660, 0o777, 0o000):
                    path = os.path.join(folder, f"{umask}-{mode}")
                    self.bind(UNIXAddress(path, mode=mode))
                    self.assertEqual(modes.pop(), mode)
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode)
            finally:
                os.umask(before)

    def test_given(self) -> None:
        """
        It is given to its user and group before anybody can connect.
        """
        given: list[tuple[object, ...]] = []

        def chown(file: str, uid: int, gid: int) -> None:
            self.assertTrue(os.path.samefile(file, address.path))
            with socket.socket(socket.AF_UNIX) as client:
                self.assertEqual(client.connect_ex(address.path), errno.ECONNREFUSED)
            given.append((uid, gid))

        self.patch(os, "chown", chown)
        root = pwd.getpwuid(0).pw_name
        for address, ids in (
            (UNIXAddress(self.socketPath(), user="1234"), (1234, -1)),
            (UNIXAddress(self.socketPath(), group="4321"), (-1, 4321)),
            (UNIXAddress(self.socketPath(), user=root, group=grp.getgrgid(0).gr_name), (0, 0)),
        ):
            self.bind(address)
            self.assertEqual(given.pop(), ids)
            self.connect(address.path)
        self.bind(UNIXAddress(self.socketPath(), mode=0o660))
        self.assertEqual(given, [])

    def test_cantBeGiven(self) -> None:
        """
        A socket that can't be given to its user, or can't listen, is no longer there.
        """

        def chown(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        path = self.socketPath()
        for address, words in (
            (UNIXAddress(path, user="nosuch-user"), "this machine has no user 'nosuch-user'"),
            (UNIXAddress(path, group="nosuch-group"), "no group 'nosuch-group'"),
            (UNIXAddress(path, user="4294967295"), "this machine has no user '4294967295'"),
        ):
            self.assertIn(words, self.refused(address).reason)
            self.assertFalse(os.path.lexists(path))
        self.patch(os, "chown", chown)
        for address, words in (
            (UNIXAddress(path, user="1"), "can't be given to user '1' (Operation not permitted)"),
            (UNIXAddress(path, user="1", group="2"), "given to user '1' and group '2' ("),
            (UNIXAddress(path, group="2"), "only to a group that they are in"),
        ):
            self.assertIn(words, self.refused(address).reason)
            self.assertFalse(os.path.lexists(path))
        self.failing("listen", errno.EOPNOTSUPP)
        self.refused(UNIXAddress(path))
        self.assertFalse(os.path.lexists(path))

    def test_stale(self) -> None:
        """
        What a listener that died has left behind is replaced.
        """
        path = self.socketPath()
        [sock] = self.bind(UNIXAddress(path))
        sock.close()
        self.assertTrue(os.path.exists(path))
        self.bind(UNIXAddress(path))
        self.connect(path)

    def test_inUse(self) -> None:
        """
        A socket that somebody listens on is left to them.
        """
        path = self.socketPath()
        [sock] = self.bind(UNIXAddress(path))
        error = self.refused(UNIXAddress(path))
        self.assertEqual(error.reason, "the address is in use by another listener")
        self.connect(path)
        self.assertGreaterEqual(sock.fileno(), 0)

    def test_file(self) -> None:
        """
        A file that is no socket is left alone, and so is a folder.
        """
        path = self.socketPath()
        with open(path, "w") as file:
            file.write("precious")
        error = self.refused(UNIXAddress(path))
        self.assertEqual(error.reason, "there is a file of this name that is no socket")
        with open(path) as file:
            self.assertEqual(file.read(), "precious")
        self.refused(UNIXAddress(os.path.dirname(path)))

    def test_noFolder(self) -> None:
        """
        A folder that does not exist is told as the system tells it.
        """
        error = self.refused(UNIXAddress(os.path.join(self.socketPath("no"), "socket")))
        self.assertEqual(error.reason, os.strerror(errno.ENOENT))

    def test_staleCantBeRemoved(self) -> None:
        """
        A stale socket that may not be removed is in the way.
        """
        path = self.socketPath()
        [sock] = self.bind(UNIXAddress(path))
        sock.close()

        def unlink(_: str) -> None:
            raise PermissionError(errno.EPERM, "no")

        with contextlib.ExitStack() as stack:
            real = os.unlink
            stack.callback(setattr, os, "unlink", real)
            os.unlink = unlink  # type: ignore[assignment] # for these lines only
            error = self.refused(UNIXAddress(path))
        self.assertEqual(error.reason, "the address is in use by another listener")

"""
How to connect to an address.
"""

from __future__ import annotations

import errno
import socket
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.connecting import NO_PORTS
from txlb.model import TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind
from txlb.proxy._near import UNPACED, controlOf
from txlb.proxy.fast._targets import (
    FIRST_EPHEMERAL,
    PausedTarget,
    Target,
    Targets,
    _firstEphemeral,
    isSelfConnected,
)

NO_PORT = OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")


class TargetTests(SynchronousTestCase):
    """
    One address.
    """

    def test_near(self) -> None:
        """
        Near is what needs no network.
        """
        near, far = ("127.0.0.1", "127.9.9.9", "::1"), ("192.0.2.7", "2001:db8::1", "12.7.0.1")
        self.assertTrue(Target(UNIXAddress("/run/x")).near)
        self.assertTrue(all(Target(TCPAddress(host, 80)).near for host in near))
        self.assertFalse(any(Target(TCPAddress(host, 80)).near for host in far))

    def test_mayBeItself(self) -> None:
        """
        Only a port that the system gives to those who connect.
        """
        self.assertTrue(Target(TCPAddress("127.0.0.1", FIRST_EPHEMERAL)).mayBeItself)
        self.assertFalse(Target(TCPAddress("127.0.0.1", FIRST_EPHEMERAL - 1)).mayBeItself)
        self.assertFalse(Target(UNIXAddress("/run/x")).mayBeItself)

    def test_unknownPorts(self) -> None:
        """
        Where the system does not say which these are, all that need no privilege.
        """
        with mock.patch("builtins.open", side_effect=OSError):
            self.assertEqual(_firstEphemeral(), 1024)

    def test_connect(self) -> None:
        """
        Each kind of address is connected to, without waiting.
        """
        path = f"{self.mktemp()[-80:]}.sock"
        for family, name in (
            (socket.AF_INET, ("127.0.0.1", 0)),
            (socket.AF_INET6, ("::1", 0)),
            (socket.AF_UNIX, path),
        ):
            with socket.socket(family, socket.SOCK_STREAM) as listener:
                listener.bind(name)
                listener.listen(1)
                bound = listener.getsockname()
                address = UNIXAddress(path) if bound == path else TCPAddress(*bound[:2])
                sock, number = Target(address).connect()
                self.assertIn(number, (0, errno.EINPROGRESS))
                accepted, _ = listener.accept()
                sock.send(b"x")
                self.assertEqual(accepted.recv(2), b"x")
                self.assertFalse(isSelfConnected(sock) and family != socket.AF_UNIX)
                accepted.close()
                sock.close()

    def test_zone(self) -> None:
        """
        A link-local address is connected to with all four members of its name, and with
        the number that its interface has now.
        """
        target = Targets(lambda: 0.0).of(TCPAddress("fe80::1%wg0", 80))
        names: list[object] = []

        class Sock:
            def setsockopt(self, *_: object) -> None:
                pass

            def connect_ex(self, name: object) -> int:
                names.append(name)
                return errno.EINPROGRESS

        with mock.patch("txlb.proxy.fast._targets._socket.socket", return_value=Sock()):
            for number in (5, 9):
                with mock.patch("socket.if_nametoindex", return_value=number):
                    self.assertEqual(target.connect()[1], errno.EINPROGRESS)
        self.assertEqual(names, [("fe80::1", 80, 0, 5), ("fe80::1", 80, 0, 9)])

    def test_noInterface(self) -> None:
        """
        Where the interface is gone the host is down, and it is said why.
        """
        targets = Targets(lambda: 0.0)
        target = targets.of(TCPAddress("fe80::1%none0", 80))
        error = self.assertRaises(OSError, target.connect)
        self.assertEqual(
            targets.failed(target, error.errno or 0),
            Failure(FailureKind.UNREACHABLE, "this machine has no network interface none0"),
        )

    def test_notConnected(self) -> None:
        """
        A socket that is connected to nobody is not connected to itself.
        """
        with socket.socket() as sock:
            self.assertFalse(isSelfConnected(sock))

    def test_connectedToItself(self) -> None:
        """
        One that is connected to its own port is.
        """
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.connect(sock.getsockname())
            self.assertTrue(isSelfConnected(sock))


class PacingTests(SynchronousTestCase):
    """
    A near host that gets much.
    """

    def setUp(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)

    def target(self, systems: bytes, host: str | None = None) -> Target:
        """
        One that has got much, where this is the system's control of congestion.
        """
        name, port = self.listener.getsockname()
        target = Target(TCPAddress(host or name, port))
        with mock.patch("txlb.proxy._near.controlOf", return_value=systems):
            target.getsMuch()
        return target

    def controlOf(self, target: Target) -> bytes:
        """
        The control of congestion of a connection to it.
        """
        sock, _ = target.connect()
        with socket.socket(fileno=sock.detach()) as connected:
            return controlOf(connected)

    def test_paced(self) -> None:
        """
        Where the system paces, those who connect next don't.
        """
        target = self.target(b"bbr")
        self.assertTrue(target.unpaced)
        self.assertEqual(self.controlOf(target), UNPACED)

    def test_notPaced(self) -> None:
        """
        Where it doesn't, it stays as it is, and so it does before much was sent.
        """
        name, port = self.listener.getsockname()
        with socket.socket() as sock:
            usual = controlOf(sock)
        for target in (self.target(b"cubic"), Target(TCPAddress(name, port))):
            self.assertFalse(target.unpaced)
            self.assertEqual(self.controlOf(target), usual)

    def test_elsewhere(self) -> None:
        """
        A path through a network is left to the system, and a UNIX socket has no such
        thing.
        """
        self.assertFalse(self.target(b"bbr", "192.0.2.7").unpaced)
        other = Target(UNIXAddress("/run/x"))
        other.getsMuch()
        self.assertFalse(other.unpaced)

    def test_notAllowed(self) -> None:
        """
        Where it can't be chosen the host is connected to as ever.
        """
        target = self.target(b"bbr")
        with mock.patch("txlb.proxy._near.UNPACED", b"no such thing"):
            sock, number = target.connect()
        self.assertIn(number, (0, errno.EINPROGRESS))
        sock.close()


class TargetsTests(SynchronousTestCase):
    """
    Many of them.
    """

    def test_once(self) -> None:
        """
        An address is looked into once.
        """
        targets, address = Targets(lambda: 0.0), TCPAddress("192.0.2.7", 80)
        target = targets.of(address)
        self.assertIs(targets.of(address), target)
        self.assertIs(target.address, address)

    def test_bounded(self) -> None:
        """
        However many addresses come and go, only so many are kept.
        """
        targets = Targets(lambda: 0.0)
        with mock.patch("txlb.proxy.fast._targets.MOST", 10):
            for number in range(100):
                targets.of(TCPAddress("192.0.2.7", 1 + number))
                self.assertTrue(len(targets) <= 10)


class NoPortsTests(SynchronousTestCase):
    """
    Want of local ports towards one address.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.targets = Targets(lambda: self.now)
        self.address = TCPAddress("127.0.0.1", 1)
        self.target = self.targets.of(self.address)
        self.target.unpaced = True

    def failOnce(self) -> Failure:
        """
        Connect to it, for which there is no port, as the relay does.
        """
        target = self.targets.of(self.address)
        with mock.patch.object(Target, "connect", side_effect=NO_PORT):
            try:
                target.connect()
            except OSError as error:
                return self.targets.failed(target, error.errno or 0)
        raise AssertionError("it was connected to")

    def test_noStorm(self) -> None:
        """
        With 28,000 ports in use the system takes more than a millisecond to find that
        none is left: for a tenth of a second it is not asked again.
        """
        self.assertEqual(self.failOnce(), NO_PORTS)
        paused = self.targets.of(self.address)
        with mock.patch.object(Target, "connect", side_effect=AssertionError):
            for _ in range(1000):
                error = self.assertRaises(OSError, paused.connect)
                self.assertEqual(self.targets.failed(paused, error.errno or 0), NO_PORTS)
        # Others are connected to as ever.
        self.assertIs(type(self.targets.of(TCPAddress("127.0.0.1", 2))), Target)

    def test_again(self) -> None:
        """
        Then it is as it was before.
        """
        for _ in range(3):
            self.failOnce()
            self.assertIsInstance(self.targets.of(self.address), PausedTarget)
            self.now += 0.2
        sock, number = self.targets.of(self.address).connect()
        sock.close()
        self.assertIn(number, {0, errno.EINPROGRESS, errno.ECONNREFUSED})
        self.assertIs(self.targets.of(self.address), self.target)

    def test_refusedMeanwhile(self) -> None:
        """
        A connection that was begun before may fail for a reason of its own.
        """
        self.failOnce()
        failure = self.targets.failed(self.target, errno.ECONNREFUSED)
        self.assertIs(failure.kind, FailureKind.REFUSED)

"""
How to connect to an address.
"""

from __future__ import annotations

import errno
import socket
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.model import TCPAddress, UNIXAddress
from txlb.proxy.fast._targets import (
    FIRST_EPHEMERAL,
    Target,
    Targets,
    _firstEphemeral,
    isSelfConnected,
)


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


class TargetsTests(SynchronousTestCase):
    """
    Many of them.
    """

    def test_once(self) -> None:
        """
        An address is looked into once.
        """
        targets, address = Targets(), TCPAddress("192.0.2.7", 80)
        target = targets.of(address)
        self.assertIs(targets.of(address), target)
        self.assertIs(target.address, address)

    def test_bounded(self) -> None:
        """
        However many addresses come and go, only so many are kept.
        """
        targets = Targets()
        with mock.patch("txlb.proxy.fast._targets.MOST", 10):
            for number in range(100):
                targets.of(TCPAddress("192.0.2.7", 1 + number))
                self.assertTrue(len(targets) <= 10)

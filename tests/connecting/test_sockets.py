"""
Tests for L{txlb.connecting._sockets}.
"""

from __future__ import annotations

import errno
import socket

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import takesIPv6
from txlb.connecting import (
    familyAndName,
    familyOf,
    hostOf,
    lacksIPv6,
    placesOf,
    tcpAddressOf,
)
from txlb.model import TCPAddress, UNIXAddress

LO = socket.if_nametoindex("lo")


class ToSocketsTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """
        A name of an IPv6 socket has four members, and all of them count.
        """
        for address, family, name in (
            (UNIXAddress("/run/a"), socket.AF_UNIX, "/run/a"),
            (TCPAddress("192.0.2.1", 80), socket.AF_INET, ("192.0.2.1", 80)),
            (TCPAddress("2001:db8::1", 80), socket.AF_INET6, ("2001:db8::1", 80, 0, 0)),
            (TCPAddress("fe80::1%lo", 80), socket.AF_INET6, ("fe80::1", 80, 0, LO)),
            (TCPAddress("fe80::1%77", 80), socket.AF_INET6, ("fe80::1", 80, 0, 77)),
        ):
            self.assertEqual(familyAndName(address), (family, name))
            self.assertIs(familyOf(address), family)

    def test_noInterface(self) -> None:
        """
        An interface that this machine doesn't have is an error with a number, which the
        table of errors has a meaning for; to ask for the family alone is none.
        """
        for zone in ("none0", "0", "4294967296", "999999999999999"):
            address = TCPAddress(f"fe80::1%{zone}", 80)
            error = self.assertRaises(OSError, familyAndName, address)
            self.assertEqual(error.errno, errno.ENODEV)
            self.assertEqual(error.strerror, f"this machine has no network interface {zone}")
            self.assertIs(familyOf(address), socket.AF_INET6)

    def test_another(self) -> None:
        """
        An interface that was made anew has another number.
        """
        address = TCPAddress("fe80::1%wg0", 80)
        for number in (5, 9):
            self.patch(socket, "if_nametoindex", lambda _, number=number: number)
            self.assertEqual(familyAndName(address)[1], ("fe80::1", 80, 0, number))


class PlacesTests(SynchronousTestCase):
    """
    Most of it is tested with what listens.
    """

    def test_none(self) -> None:
        """
        A name without an address of a known family can't be listened on.
        """
        found = [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", "/a")]
        self.patch(socket, "getaddrinfo", lambda *_, **__: found)
        error = self.assertRaises(OSError, placesOf, TCPAddress("me.example", 80))
        self.assertEqual(error.strerror, "me.example has no IP address")

    def test_lacksIPv6(self) -> None:
        """
        An address that isn't this machine's is no lack of IPv6, if it has C{::1}.
        """
        self.assertEqual(lacksIPv6(errno.EADDRNOTAVAIL), not takesIPv6())

        class Refusing(socket.socket):
            def bind(self, _: object) -> None:
                raise OSError(errno.EADDRNOTAVAIL, "")

        self.patch(socket, "socket", Refusing)
        self.assertTrue(lacksIPv6(errno.EADDRNOTAVAIL))
        self.assertTrue(lacksIPv6(errno.EAFNOSUPPORT))
        self.assertFalse(lacksIPv6(errno.EADDRINUSE))
        self.assertFalse(lacksIPv6(None))


class FromSocketsTests(SynchronousTestCase):
    def test_host(self) -> None:
        """
        Whichever socket a client comes through, its address is written in one way. Only
        a mapped address (RFC 4291, 2.5.5.2) is one of IPv4; one that is translated
        (RFC 2765, C{::ffff:0:0:0/96}) isn't.
        """
        for name, host in (
            (("192.0.2.1", 80), "192.0.2.1"),
            (("::ffff:192.0.2.1", 80, 0, 0), "192.0.2.1"),
            (("::ffff:0:c000:201", 80, 0, 0), "::ffff:0:c000:201"),
            (("2001:db8::1", 80, 0, 0), "2001:db8::1"),
            (("fe80::1", 80, 0, LO), "fe80::1%lo"),
            (("fe80::1%lo", 80, 0, LO), "fe80::1%lo"),
            (("fe80::1", 80, 0, 4294967295), "fe80::1%4294967295"),
        ):
            self.assertEqual(hostOf(name), host)

    def test_system(self) -> None:
        """
        The system writes a mapped address as it is read here.
        """
        with socket.socket(socket.AF_INET6) as listener:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(("::", 0))
            listener.listen()
            with socket.create_connection(("127.0.0.1", listener.getsockname()[1])):
                sock, peer = listener.accept()
                sock.close()
        self.assertEqual(len(peer), 4)
        self.assertEqual(hostOf(peer), "127.0.0.1")

    def test_twisted(self) -> None:
        """
        Twisted's addresses have the zone beside the host.
        """
        for given, made in (
            (IPv4Address("TCP", "192.0.2.1", 80), TCPAddress("192.0.2.1", 80)),
            (IPv6Address("TCP", "2001:db8::1", 80), TCPAddress("2001:db8::1", 80)),
            (IPv6Address("TCP", "::ffff:192.0.2.1", 80, 0, 0), TCPAddress("192.0.2.1", 80)),
            (IPv6Address("TCP", "fe80::1", 80, 0, LO), TCPAddress("fe80::1%lo", 80)),
        ):
            self.assertEqual(tcpAddressOf(given), made)

"""
Tests for L{txlb.connecting._errors}.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.connecting import MEANINGS, NO_PORTS, About, failureOf, familyAndName, meaningOf
from txlb.model import TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind

FOUR, SIX = TCPAddress("192.0.2.1", 80), TCPAddress("2001:db8::1", 80)
PATH = UNIXAddress("/run/host")

#: What each error is about, and what it means for the host. Any other is about the
#: host, which can't be reached.
EXPECTED = {
    "ECONNREFUSED": (About.HOST, FailureKind.REFUSED),
    "ECONNRESET": (About.HOST, FailureKind.REFUSED),
    "EPIPE": (About.HOST, FailureKind.REFUSED),
    "ENOENT": (About.HOST, FailureKind.REFUSED),
    "ETIMEDOUT": (About.HOST, FailureKind.TIMEOUT),
    "EAFNOSUPPORT": (About.FAMILY, FailureKind.UNREACHABLE),
    "ENETUNREACH": (About.FAMILY, FailureKind.UNREACHABLE),
    "ENODEV": (About.FAMILY, FailureKind.UNREACHABLE),
    "EACCES": (About.FIREWALL, FailureKind.UNREACHABLE),
    "EPERM": (About.FIREWALL, FailureKind.UNREACHABLE),
    "EADDRNOTAVAIL": (About.PORTS, FailureKind.PORTS),
    "EADDRINUSE": (About.PORTS, FailureKind.PORTS),
    "EAGAIN": (About.BUSY, FailureKind.BUSY),
    "EMFILE": (About.RESOURCES, FailureKind.LOCAL),
    "ENFILE": (About.RESOURCES, FailureKind.LOCAL),
    "ENOBUFS": (About.RESOURCES, FailureKind.LOCAL),
    "ENOMEM": (About.RESOURCES, FailureKind.LOCAL),
}


@contextmanager
def datagrams(answer: int | OSError) -> Iterator[list[tuple[int, object]]]:
    """
    Let connecting a datagram socket have this answer.

    @return: the family of each one that is made, and what it is connected to.
    """
    asked: list[tuple[int, object]] = []

    class Datagram:
        def __init__(self, family: int, kind: int) -> None:
            if isinstance(answer, OSError):
                raise answer
            asked.append((family, kind))

        def connect_ex(self, name: object) -> int:
            asked.append((-1, name))
            assert not isinstance(answer, OSError)
            return answer

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            asked.append((-2, "closed"))

    with mock.patch("txlb.connecting._errors.socket.socket", Datagram):
        yield asked


class MeaningTests(SynchronousTestCase):
    def test_everyNumber(self) -> None:
        """
        Each error that the system knows has its meaning and its words, for every kind
        of address.
        """
        with datagrams(0):
            for number, name in errno.errorcode.items():
                expected = EXPECTED.get(name, (About.HOST, FailureKind.UNREACHABLE))
                for address in (None, FOUR, SIX):
                    meaning = meaningOf(number, address)
                    self.assertEqual((meaning.about, meaning.kind), expected, name)
                    failure = failureOf(number, address)
                    self.assertIs(failure.kind, meaning.kind)
                    self.assertTrue(failure.detail.isprintable())
                    self.assertNotIn("{", failure.detail)

    def test_wholeTable(self) -> None:
        """
        Nothing else is in the table, and everything that an error can be about is.
        """
        # EWOULDBLOCK is EAGAIN here.
        names = {errno.errorcode[number] for number in MEANINGS}
        self.assertEqual(names, {*EXPECTED, "EHOSTUNREACH", "EINVAL"})
        self.assertEqual({meaning.about for meaning in MEANINGS.values()}, set(About))

    def test_marking(self) -> None:
        """
        A host is out for what is about it, and as seen from here also for want of a
        family or route, and for a firewall; for nothing that another moment mends here.
        """
        marking = {FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.UNREACHABLE}
        for meaning in MEANINGS.values():
            out = meaning.about in {About.HOST, About.FAMILY, About.FIREWALL}
            self.assertIs(meaning.kind in marking, out, meaning)

    def test_noAddress(self) -> None:
        """
        C{EADDRNOTAVAIL} is want of ports if a datagram socket can be connected, which
        sends nothing and has ports of its own; otherwise it is want of an address. So
        Linux does it, in a namespace with C{net.ipv6.conf.all.disable_ipv6} and in one
        with a narrow C{ip_local_port_range}.
        """
        number = errno.EADDRNOTAVAIL
        for address, family in ((FOUR, socket.AF_INET), (SIX, socket.AF_INET6)):
            with datagrams(number) as asked:
                failure = failureOf(number, address)
            self.assertEqual(asked[0], (family, socket.SOCK_DGRAM))
            self.assertEqual(asked[1:], [(-1, familyAndName(address)[1]), (-2, "closed")])
            word = "IPv6" if address is SIX else "IPv4"
            self.assertEqual(
                failure,
                Failure(
                    FailureKind.UNREACHABLE, f"this machine has no {word} address to connect from"
                ),
            )
            # It has no port left either, or there is no descriptor to ask with.
            for answer in (errno.EAGAIN, OSError(errno.EMFILE, "none left")):
                with datagrams(answer):
                    self.assertEqual(failureOf(number, address), NO_PORTS)
        self.assertEqual(failureOf(number), NO_PORTS)

    def test_notAsked(self) -> None:
        """
        For no other error the system is asked anything.
        """
        with datagrams(0) as asked:
            for number in errno.errorcode:
                if number != errno.EADDRNOTAVAIL:
                    failureOf(number, SIX)
        self.assertEqual(asked, [])

    def test_family(self) -> None:
        """
        What a machine lacks has a name.
        """
        for number, words in (
            (errno.EAFNOSUPPORT, "this machine has no {}"),
            (errno.ENETUNREACH, "no {} route to it (network unreachable)"),
        ):
            self.assertEqual(failureOf(number, FOUR).detail, words.format("IPv4"))
            self.assertEqual(failureOf(number, SIX).detail, words.format("IPv6"))
            self.assertEqual(failureOf(number).detail, words.format("IP"))

    def test_socketFile(self) -> None:
        """
        No firewall forbids a UNIX socket: its file does.
        """
        for number in (errno.EACCES, errno.EPERM):
            failure = failureOf(number, PATH)
            self.assertIs(failure.kind, FailureKind.UNREACHABLE)
            self.assertEqual(
                failure.detail, "this process may not open the socket (permission denied)"
            )
        self.assertEqual(failureOf(errno.ENOENT, PATH).detail, "there is no such socket")
        self.assertEqual(failureOf(errno.EADDRNOTAVAIL, PATH), NO_PORTS)

    def test_others(self) -> None:
        """
        What is in no table is said in the system's words.
        """
        words = os.strerror(errno.ELOOP)
        self.assertEqual(failureOf(errno.ELOOP).detail, words[:1].lower() + words[1:])
        self.assertIs(failureOf(99999).kind, FailureKind.UNREACHABLE)

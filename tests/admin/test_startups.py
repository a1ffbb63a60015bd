"""
Tests for L{txlb.admin._startups} and L{txlb.admin.login._clientsource}.
"""

from __future__ import annotations

import socket
from random import Random

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._startups import (
    AGE,
    EARLY,
    EARLY_OF_ONE,
    MOST,
    MOST_OF_ONE,
    SILENCE,
    Startups,
)
from txlb.admin.login._clientsource import LOCAL, peerName, sourceOf

LO = socket.if_nametoindex("lo")


class FakeStartup:
    """
    A client that has not logged in.
    """

    def __init__(self, startups: Startups, source: str) -> None:
        self._startups = startups
        self.source = source
        self.silent = True
        self.gone = False

    def makeRoom(self) -> None:
        self.gone = self._startups.remove(self)


class StartupsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.startups = Startups(self.clock.seconds, Random(7))
        self.let: list[FakeStartup] = []

    def come(self, source: str = "a") -> FakeStartup | None:
        """
        A newcomer.

        @return: L{None} if it was refused.
        """
        if not self.startups.admits(source):
            return None
        startup = FakeStartup(self.startups, source)
        self.startups.add(startup)
        self.let.append(startup)
        return startup

    def fill(self, source: str, count: int) -> list[FakeStartup]:
        """
        Have so many of a source, whatever it takes.
        """
        made = [FakeStartup(self.startups, source) for _ in range(count)]
        for startup in made:
            self.startups.add(startup)
        return made

    def test_whileThereIsRoom(self) -> None:
        for _ in range(EARLY_OF_ONE):
            self.assertIsNotNone(self.come())

    def test_earlyDrop(self) -> None:
        """
        From there on the more, the less likely: RED, as OpenSSH's MaxStartups does it.
        """
        chances = []
        for count in (EARLY_OF_ONE, (EARLY_OF_ONE + MOST_OF_ONE) // 2, MOST_OF_ONE - 1):
            self.startups = Startups(self.clock.seconds, Random(7))
            self.fill("a", count)
            let = sum(self.startups.admits("a") for _ in range(2000))
            chances.append(let / 2000)
        for chance, wanted in zip(chances, (16 / 17, 8 / 17, 1 / 17), strict=True):
            self.assertApproximates(chance, wanted, 0.05)

    def test_mostOfOne(self) -> None:
        self.fill("a", MOST_OF_ONE)
        self.assertFalse(any(self.startups.admits("a") for _ in range(100)))
        self.assertTrue(self.startups.admits("b"))

    def test_most(self) -> None:
        for number in range(MOST):
            self.fill(f"{number}", 1)
        self.assertFalse(any(self.startups.admits("new") for _ in range(100)))
        self.assertEqual(len(self.startups), MOST)

    def test_silent(self) -> None:
        """
        The one that has been silent for longest makes room, and only after a while.
        """
        first, second, *_ = self.fill("a", MOST_OF_ONE)
        self.clock.advance(SILENCE / 2)
        self.startups.heard(first)
        self.clock.advance(SILENCE / 2)
        self.assertIsNotNone(self.come())
        self.assertEqual((first.gone, second.gone), (False, True))
        self.assertEqual(len(self.startups), MOST_OF_ONE)

    def test_itIsForUsToGoOn(self) -> None:
        """
        A client that waits for our answer is not silent.
        """
        startups = self.fill("a", MOST_OF_ONE)
        for startup in startups:
            startup.silent = False
        self.clock.advance(SILENCE)
        self.assertIsNone(self.come())
        startups[5].silent = True
        self.assertIsNotNone(self.come())
        self.assertEqual([s.gone for s in startups].index(True), 5)

    def test_slept(self) -> None:
        """
        What a client has said while the process slept is not read yet.
        """
        self.startups = Startups(self.clock.seconds, Random(7), lambda _: 3600.0)
        self.fill("a", MOST_OF_ONE)
        self.clock.advance(3600 + SILENCE / 2)
        self.assertIsNone(self.come())
        self.clock.advance(SILENCE / 2)
        self.assertIsNotNone(self.come())

    def test_old(self) -> None:
        """
        Those that keep talking have their time too, the oldest first.
        """
        startups = self.fill("a", MOST_OF_ONE)
        for _ in range(int(AGE)):
            self.clock.advance(1)
            for startup in startups:
                self.startups.heard(startup)
        self.assertIsNotNone(self.come())
        self.assertEqual([s.gone for s in startups].index(True), 0)

    def test_whoseRoom(self) -> None:
        """
        With many sources it is the one with the most that makes room, and not one with
        a single client, though that has been silent for longer.
        """
        (lonely,) = self.fill("b", 1)
        self.clock.advance(SILENCE)
        many = self.fill("a", EARLY)
        self.clock.advance(SILENCE)
        self.assertIsNotNone(self.come("c"))
        self.assertFalse(lonely.gone)
        self.assertEqual(sum(s.gone for s in many), 1)

    def test_removed(self) -> None:
        made = self.fill("a", MOST_OF_ONE)
        for startup in made:
            self.assertTrue(self.startups.remove(startup))
            self.assertFalse(self.startups.remove(startup))
            self.startups.heard(startup)
        self.assertEqual(len(self.startups), 0)
        self.assertIsNotNone(self.come())


class SourceTests(SynchronousTestCase):
    def test_sources(self) -> None:
        """
        An IPv4 client is one address, also on a socket for both families; one of IPv6 has a
        /64 to choose from.
        """
        for address, source, name in (
            (IPv4Address("TCP", "192.0.2.1", 5), "192.0.2.1", "192.0.2.1:5"),
            (IPv6Address("TCP", "::ffff:192.0.2.1", 5), "192.0.2.1", "192.0.2.1:5"),
            (IPv6Address("TCP", "2001:db8::1:2:3:4", 5), "2001:db8::/64", "[2001:db8::1:2:3:4]:5"),
            (IPv6Address("TCP", "2001:db8::", 5), "2001:db8::/64", "[2001:db8::]:5"),
            (IPv6Address("TCP", "fe80::1", 5, 0, LO), "fe80::/64", "[fe80::1%lo]:5"),
            (UNIXAddress(b"/run/x"), LOCAL, "unix"),
            (None, LOCAL, "unix"),
        ):
            self.assertEqual((sourceOf(address), peerName(address)), (source, name))

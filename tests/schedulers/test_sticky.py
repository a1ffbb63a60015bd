"""
Tests for L{txlb.schedulers._sticky}.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import Sticky
from txlb.testing import FakeHost
from txlb.testing._measure import chiSquare, chiSquareLimit

CLIENTS = [(f"198.51.{number // 250}.{number % 250}", number) for number in range(1_000)]


class Affine(Group):
    word = "sticky"


def policy(hosts: list[FakeHost]) -> Sticky:
    """
    A policy that holds these.
    """
    scheduler = Sticky(Random(1))
    for host in hosts:
        scheduler.hostAdded(host)
    return scheduler


def homes(scheduler: Sticky) -> dict[str, str]:
    """
    The name of the host of each client.
    """
    found = {}
    for client in CLIENTS:
        pick = scheduler.nextHost(client)
        assert pick is not None
        found[client[0]] = pick.key[2]
    return found


class StickyTests(SynchronousTestCase):
    @given(histories)
    def test_anyHistory(self, history: list[Step]) -> None:
        """
        A held host that is not excluded is chosen wherever there is one; how it
        came to be held makes no difference.
        """
        group = Affine()
        group.follow(history)
        again = policy(sorted(group.held.values(), key=lambda host: host.key))
        for client in CLIENTS[:20]:
            self.assertIs(group.scheduler.nextHost(client), again.nextHost(client))

    def test_sameHost(self) -> None:
        """
        A client has one host, whatever port it comes from; its address may also
        be given alone, or as a list.
        """
        scheduler = policy([FakeHost(name) for name in "abcde"])
        for number in range(20):
            address = f"203.0.113.{number}"
            first = scheduler.nextHost((address, 1))
            for client in ((address, 2), [address, 3], (address, 4, 0, 0), address):
                self.assertIs(scheduler.nextHost(client), first)
        self.assertIsNotNone(scheduler.nextHost(None))
        self.assertIsNotNone(scheduler.nextHost(()))

    @given(st.integers(0, 4))
    def test_leaver(self, place: int) -> None:
        """
        A host that goes moves its own clients and nobody else, and gets them
        back when it returns.
        """
        hosts = [
            FakeHost(name, weight) for name, weight in zip("abcde", (1, 2, 1, 5, 1), strict=True)
        ]
        scheduler = policy(hosts)
        before = homes(scheduler)
        gone = hosts[place]
        scheduler.hostRemoved(gone)
        after = homes(scheduler)
        for client, home in before.items():
            if home == gone.name:
                self.assertNotEqual(after[client], gone.name)
            else:
                self.assertEqual(after[client], home)
        scheduler.hostAdded(gone)
        self.assertEqual(homes(scheduler), before)

    def test_raisedWeight(self) -> None:
        """
        A host that gets more weight takes clients over and loses none.
        """
        hosts = [FakeHost(name) for name in "abc"]
        scheduler = policy(hosts)
        before = homes(scheduler)
        hosts[0].effectiveWeight = 2.0
        scheduler.hostChanged(hosts[0])
        after = homes(scheduler)
        moved = {client for client in before if before[client] != after[client]}
        self.assertEqual({after[client] for client in moved}, {"a"})
        self.assertGreater(len(moved), 0)

    def test_shares(self) -> None:
        """
        Clients are shared out by weight.
        """
        weights = [1, 3, 6]
        hosts = [FakeHost(name, weight) for name, weight in zip("abc", weights, strict=True)]
        counts = Counter(homes(policy(hosts)).values())
        self.assertLess(chiSquare([counts[name] for name in "abc"], weights), chiSquareLimit(2))

    def test_excludedGoesToTheNext(self) -> None:
        """
        Where a client's host is excluded, it goes where it would without it.
        """
        hosts = [FakeHost(name) for name in "abc"]
        scheduler = policy(hosts)
        first = scheduler.nextHost(("192.0.2.7", 1))
        assert first is not None
        second = scheduler.nextHost(("192.0.2.7", 1), frozenset({first.key}))
        assert isinstance(first, FakeHost)
        scheduler.hostRemoved(first)
        self.assertIs(scheduler.nextHost(("192.0.2.7", 1)), second)

    def test_explain(self) -> None:
        """
        The host with the highest score is the one.
        """
        scheduler = policy([FakeHost(name) for name in "abc"])
        for client in CLIENTS[:50]:
            scores = scheduler.explain(client)
            pick = scheduler.nextHost(client)
            assert pick is not None
            self.assertEqual(max(scores, key=lambda key: scores[key]), pick.key)

    def test_extremeHashes(self) -> None:
        """
        The lowest and the highest hash that there are give a score as well.
        """
        scheduler = policy([FakeHost("a")])
        for digest in (b"\0" * 8, b"\xff" * 8):
            with patch("txlb.schedulers._sticky.blake2b") as hashed:
                hashed.return_value.digest.return_value = digest
                (score,) = scheduler.explain("192.0.2.1").values()
                self.assertGreater(score, 0)

"""
The tests that every policy has to pass, for one's own policies.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING
from unittest import SkipTest

from zope.interface.verify import verifyObject

from txlb.errors import StateError
from txlb.interfaces import IExplainedScheduler, IKeptScheduler, IScheduler
from txlb.testing._hosts import FakeHost
from txlb.testing._measure import chiSquare, chiSquareLimit, countHeld

if TYPE_CHECKING:
    from unittest import TestCase as Base
else:
    Base = object

Key = tuple[str, str, str]

#: Objects that a policy may hold beyond those that it held after its warm-up.
SLACK = 500

#: The call of one cycle for a policy and its hosts.
Change = Callable[[IScheduler, list[FakeHost], int], None]


class SchedulerContract(Base):
    """
    Tests of a policy. Derive from it and from a test case of trial, and implement
    C{makeScheduler}::

        class MyPolicyTests(SchedulerContract, SynchronousTestCase):
            def makeScheduler(self, random):
                return MyPolicy(random)

    All chance in it is seeded, so it fails every time or never.

    @cvar weighted: whether idle hosts are chosen in proportion to their weights.
    @cvar bounded: whether the memory of the policy depends on its hosts alone. A policy
        that keeps a table of clients on purpose sets L{False} and has a test of its own
        for the table's size.
    @cvar seeds: a history of random calls is made for each seed.
    """

    weighted = False
    bounded = True
    seeds: Iterable[int] = range(20)

    def makeScheduler(self, random: Random) -> IScheduler:
        """
        Make a policy without hosts.

        @param random: all the chance that it may use.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement makeScheduler")

    def test_interface(self) -> None:
        """
        A policy provides L{IScheduler} and has a name.
        """
        scheduler = self.makeScheduler(Random(1))
        verifyObject(IScheduler, scheduler)
        self.assertIsInstance(scheduler.name, str)
        self.assertTrue(scheduler.name, "the name is empty")

    def test_noHosts(self) -> None:
        """
        Without hosts the policy chooses none: neither at first, nor when all have gone.
        """
        scheduler = self.makeScheduler(Random(1))
        host = FakeHost("a")
        self.assertIsNone(scheduler.nextHost(client(1)))
        self.assertEqual(dict(scheduler.explain(client(1))), {})
        scheduler.hostAdded(host)
        scheduler.hostRemoved(host)
        self.assertIsNone(scheduler.nextHost(client(1)))
        self.assertIsNone(scheduler.nextHost(client(1), frozenset({host.key})))
        self.assertEqual(dict(scheduler.explain(client(1))), {})

    def test_onlyHost(self) -> None:
        """
        The only host is chosen eventually, and again when it has gone and come back,
        with the same name but as another object.
        """
        scheduler = self.makeScheduler(Random(1))
        for _ in range(3):
            host = FakeHost("a")
            scheduler.hostAdded(host)
            picks = [scheduler.nextHost(client(number)) for number in range(100)]
            self.assertTrue(any(pick is host for pick in picks), "the only host is never chosen")
            self.assertTrue(all(pick in {host, None} for pick in picks))
            scheduler.hostRemoved(host)

    def test_excluded(self) -> None:
        """
        An excluded host is not chosen, and no host is chosen if all are excluded.
        """
        scheduler = self.makeScheduler(Random(1))
        hosts = [FakeHost(name, weight) for name, weight in (("a", 1), ("b", 50), ("c", 3))]
        for host in hosts:
            scheduler.hostAdded(host)
        for number in range(8 * 20):
            excluded = frozenset(h.key for place, h in enumerate(hosts) if number >> place & 1)
            pick = scheduler.nextHost(client(number), excluded)
            if pick is not None:
                self.assertNotIn(pick.key, excluded)
            if len(excluded) == len(hosts):
                self.assertIsNone(pick)

    def test_histories(self) -> None:
        """
        After any calls in any order, a choice is a host that is held and not excluded,
        and the scores are of exactly the held hosts.
        """
        for seed in self.seeds:
            history = History(self.makeScheduler(Random(seed)), Random(seed))
            for step in range(200):
                where = f"seed {seed}, step {step}"
                excluded = history.step()
                pick = history.scheduler.nextHost(client(step), excluded)
                if pick is not None:
                    self.assertIs(pick, history.held.get(pick.key), f"{where}: it is not held")
                    self.assertNotIn(pick.key, excluded, f"{where}: it is excluded")
                scores = history.scheduler.explain(client(step))
                self.assertEqual(set(scores), set(history.held), where)
                self.assertTrue(all(map(math.isfinite, scores.values())), f"{where}: {scores}")

    def test_explainChangesNothing(self) -> None:
        """
        Of two policies with the same seed and history one is asked for scores all the
        time. They choose the same hosts.
        """
        for seed in self.seeds:
            asked = History(self.makeScheduler(Random(seed)), Random(seed))
            other = History(self.makeScheduler(Random(seed)), Random(seed))
            for step in range(200):
                excluded = asked.step()
                self.assertEqual(excluded, other.step())
                asked.scheduler.explain(client(step + 1))
                picks = [h.scheduler.nextHost(client(step), excluded) for h in (asked, other)]
                keys = [None if pick is None else pick.key for pick in picks]
                self.assertEqual(keys[0], keys[1], f"seed {seed}, step {step}")

    def test_kept(self) -> None:
        """
        A policy that takes over the state of another one chooses as that does for every client,
        as long as both have the same hosts. The policies that tell of no state need none.
        """
        for seed in self.seeds:
            history = History(self.makeScheduler(Random(seed)), Random(seed))
            for step in range(100):
                history.scheduler.nextHost(client(step), history.step())
            kept: IKeptScheduler | None = IKeptScheduler(history.scheduler, None)
            state = {} if kept is None else json.loads(json.dumps(kept.state()))
            heir, hosts = self.makeScheduler(Random(seed)), copiesOf(history.held.values())
            for host in hosts:
                heir.hostAdded(host)
            if kept is not None:
                IKeptScheduler(heir).restoring({**state, "unknown": 1})()
            elif not IExplainedScheduler(heir).predictable:
                # Chance decides.
                continue
            for step in range(200):
                where = f"seed {seed}, client {step}"
                self._assertSamePick(history.scheduler, heir, client(step), where)

    def _assertSamePick(
        self, one: IScheduler, other: IScheduler, clientAddr: object, where: str
    ) -> None:
        scores = [sorted(each.explain(clientAddr).items()) for each in (one, other)]
        self.assertEqual([key for key, _ in scores[0]], [key for key, _ in scores[1]], where)
        for (key, score), (_, again) in zip(*scores, strict=True):
            self.assertAlmostEqual(score, again, 6, f"{where}: {key}")
        explained: IExplainedScheduler | None = IExplainedScheduler(one, None)
        picks = [each.nextHost(clientAddr) for each in (one, other)]
        if explained is not None and explained.predictable:
            keys = [None if pick is None else pick.key for pick in picks]
            self.assertEqual(keys[0], keys[1], where)

    def test_keptWrong(self) -> None:
        """
        A state that can't be right is refused, and changes nothing. An empty one is right.
        """
        scheduler = self.makeScheduler(Random(1))
        kept: IKeptScheduler | None = IKeptScheduler(scheduler, None)
        if kept is None:
            # There is nothing that could be wrong.
            return
        scheduler.hostAdded(FakeHost("a"))
        scheduler.hostAdded(FakeHost("b"))
        before = kept.state()
        wrongs: tuple[object, ...] = ("x", {}, -math.inf, [["a", math.nan]], [1])
        for key in before:
            for wrong in wrongs:
                self.assertRaises(StateError, kept.restoring, {**before, key: wrong})
        self.assertEqual(kept.state(), before)
        kept.restoring({})()
        self.assertIsNotNone(scheduler.nextHost(client(1)))

    def test_claimsNothing(self) -> None:
        """
        Choosing a host does not change it: the pool counts, the policy doesn't.
        """
        scheduler = self.makeScheduler(Random(1))
        hosts = [FakeHost(name, weight, active=2) for name, weight in (("a", 1), ("b", 3))]
        before = [dict(vars(host)) for host in hosts]
        for host in hosts:
            scheduler.hostAdded(host)
        for number in range(50):
            scheduler.nextHost(client(number))
            scheduler.explain(client(number))
        self.assertEqual([vars(host) for host in hosts], before)

    def test_shares(self) -> None:
        """
        Held hosts serve clients; with C{weighted} in proportion to the weights, by a
        chi-square test that refuses right shares once in 1,000.
        """
        for weights in ((1, 3), (1, 1, 1), (5, 1, 2, 8), (100, 1, 30)):
            scheduler = self.makeScheduler(Random(7))
            hosts = [FakeHost(f"h{place}", weight) for place, weight in enumerate(weights)]
            for host in hosts:
                scheduler.hostAdded(host)
            picks = [scheduler.nextHost(client(number)) for number in range(10_000)]
            counts = Counter(pick.key for pick in picks if pick is not None)
            self.assertLessEqual(set(counts), {host.key for host in hosts})
            if self.weighted:
                self.assertEqual(sum(counts.values()), len(picks), "some clients got no host")
                found = chiSquare([counts[host.key] for host in hosts], weights)
                most = chiSquareLimit(len(weights) - 1)
                self.assertLess(found, most, f"weights {weights} gave {dict(counts)}")

    def test_boundedPicks(self) -> None:
        """
        Many choices without other calls don't grow the policy's memory.
        """
        self._assertBounded()

    def test_boundedChanges(self) -> None:
        """
        Many changes of weights, connections and times, with few choices, don't grow the
        policy's memory.
        """

        def change(scheduler: IScheduler, hosts: list[FakeHost], number: int) -> None:
            host = hosts[number % len(hosts)]
            host.effectiveWeight = 1.0 + number % 7
            host.active = number % 3
            host.connectTime = number % 5 / 10
            scheduler.hostChanged(host)

        self._assertBounded(change, every=1000)

    def test_boundedMembers(self) -> None:
        """
        Many hosts that come and go, each with a name of its own, don't grow the
        policy's memory.
        """

        def replace(scheduler: IScheduler, hosts: list[FakeHost], number: int) -> None:
            place = number % len(hosts)
            scheduler.hostRemoved(hosts[place])
            hosts[place] = FakeHost(f"n{number}", 1 + number % 4)
            scheduler.hostAdded(hosts[place])

        self._assertBounded(replace, every=10)

    def _assertBounded(self, change: Change | None = None, every: int = 1) -> None:
        if not self.bounded:
            raise SkipTest("the policy says that it is not bounded by its hosts")
        scheduler = self.makeScheduler(Random(3))
        hosts = [FakeHost(f"h{number}", 1 + number % 4) for number in range(5)]
        for host in hosts:
            scheduler.hostAdded(host)
        sizes = []
        for cycles in (2_000, 20_000):
            for number in range(cycles):
                if change is not None:
                    change(scheduler, hosts, cycles + number)
                if number % every == 0:
                    scheduler.nextHost(client(cycles + number))
            sizes.append(countHeld(scheduler))
        self.assertLessEqual(
            sizes[1],
            sizes[0] + SLACK,
            f"it held {sizes[0]} objects after 2,000 cycles, and {sizes[1]} after 20,000 more",
        )


def copiesOf(hosts: Iterable[FakeHost]) -> list[FakeHost]:
    """
    Copy hosts, as another process has them.
    """
    copies = []
    for host in hosts:
        copies.append(FakeHost(host.name))
        vars(copies[-1]).update(vars(host))
    return copies


class History:
    """
    A random history of calls for a policy.

    @ivar held: the hosts that the policy holds.
    """

    def __init__(self, scheduler: IScheduler, random: Random) -> None:
        self.scheduler = scheduler
        self.random = random
        self.held: dict[Key, FakeHost] = {}

    def step(self) -> frozenset[Key]:
        """
        Make one random call.

        @return: keys to exclude next, some of them of no held host.
        """
        random = self.random
        host = FakeHost(f"h{random.randrange(8)}", random.choice((1, 1, 2, 5, 100, 65535)))
        held = self.held.get(host.key)
        if held is None:
            host.active = random.randrange(4)
            self.held[host.key] = host
            self.scheduler.hostAdded(host)
        elif random.random() < 0.4:
            del self.held[host.key]
            self.scheduler.hostRemoved(held)
        else:
            held.active = max(0, held.active + random.choice((-1, 1, 1)))
            held.connectTime = random.random()
            if random.random() < 0.3:
                held.effectiveWeight = host.effectiveWeight * random.choice((0.1, 1.0))
            self.scheduler.hostChanged(held)
        names = [f"h{number}" for number in range(8) if random.random() < 0.3]
        return frozenset(("service", "group", name) for name in names)


def client(number: int) -> tuple[str, int]:
    """
    Return the address of one of many clients.
    """
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1024 + number % 60000

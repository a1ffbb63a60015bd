"""
Every policy of txlb keeps to the contract, and the contract finds those that
don't.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from unittest import TestResult

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txlb.errors import ModelError, UnknownName
from txlb.interfaces import IHost, IScheduler
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.schedulers import Key, Maglev, Scheduler, Sticky, schedulerFactory, schedulerWords
from txlb.testing import FakeHost, SchedulerContract
from txlb.testing._measure import chiSquare, chiSquareLimit, countHeld


class RandTests(SchedulerContract, SynchronousTestCase):
    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("rand", random=random)


class RoundrTests(SchedulerContract, SynchronousTestCase):
    weighted = True

    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("roundr", random=random)


class LeastcTests(SchedulerContract, SynchronousTestCase):
    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("leastc", random=random)


class WeightrTests(SchedulerContract, SynchronousTestCase):
    weighted = True

    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("weightr", random=random)


class WeightlcTests(SchedulerContract, SynchronousTestCase):
    weighted = True

    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("weightlc", random=random)


class StickyTests(SchedulerContract, SynchronousTestCase):
    """
    With few points, as a change of weight costs a step for each of them; but
    shares are those of a ring as it is used.
    """

    weighted = True
    points = 256

    def makeScheduler(self, random: Random) -> IScheduler:
        return Sticky(random, points=self.points)

    def test_shares(self) -> None:
        self.points = 16384
        super().test_shares()


class BoundedStickyTests(StickyTests):
    """
    With all hosts idle nobody may have more than one more than another.
    """

    def makeScheduler(self, random: Random) -> IScheduler:
        return Sticky(random, points=self.points, boundedLoad=1.25)


class P2cTests(SchedulerContract, SynchronousTestCase):
    weighted = True

    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("p2c", random=random)


class EwmaTests(SchedulerContract, SynchronousTestCase):
    weighted = True

    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("ewma", random=random, settings={"seconds": lambda: 5.0})


class MaglevTests(SchedulerContract, SynchronousTestCase):
    """
    Before the first table and with one: the driver calls it now and then, with
    a clock that stands still, so that each table is filled at once.
    """

    weighted = True

    def makeScheduler(self, random: Random) -> IScheduler:
        return Maglev(random, seconds=lambda: 5.0)

    def test_shares(self) -> None:
        super().test_shares()
        self.makeScheduler = Advanced  # type: ignore[method-assign]  # the same once more
        super().test_shares()


class Advanced(Maglev):
    """
    Has a new table before each pick.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random, seconds=lambda: 5.0)
        self.turns = 0

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        self.turns += 1
        self.advance(5.0 + self.turns)
        return super().nextHost(clientAddr, excluded)


class FirstTests(SchedulerContract, SynchronousTestCase):
    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("first", random=random)


class ResourceTests(SchedulerContract, SynchronousTestCase):
    weighted = True

    def makeScheduler(self, random: Random) -> IScheduler:
        return schedulerFactory("resource", random=random)


class First(Scheduler):
    """
    A policy as a user writes one: the first host that came.
    """

    name = "mine"

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        return hosts[0]


class OwnTests(SchedulerContract, SynchronousTestCase):
    def makeScheduler(self, random: Random) -> IScheduler:
        return First(random)


class AllContractedTests(SynchronousTestCase):
    def test_allWords(self) -> None:
        """
        No policy is left out above.
        """
        tested = {
            case(case.test_interface.__name__).makeScheduler(Random(1)).name
            for case in (
                RandTests,
                RoundrTests,
                LeastcTests,
                WeightrTests,
                WeightlcTests,
                P2cTests,
                EwmaTests,
                StickyTests,
                MaglevTests,
                FirstTests,
                ResourceTests,
            )
        }
        self.assertEqual(tested, set(schedulerWords()))


# Policies that are wrong, each in one way.


class Nameless(First):
    name = ""


class Forgetful(First):
    """
    Goes on choosing a host that was removed.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.last: IHost | None = None

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        if self.last is None or self.last.key in excluded:
            self.last = super().nextHost(clientAddr, excluded)
        return self.last


class Deaf(First):
    """
    Takes no notice of what is excluded.
    """

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        return super().nextHost(clientAddr)


class Lazy(First):
    """
    Never chooses anybody.
    """

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        return None


class Stale(First):
    """
    Keeps the first object that came with a name.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.known: dict[Key, IHost] = {}

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        return self.known.setdefault(hosts[0].key, hosts[0])


class Partial(First):
    """
    Has no score for one of its hosts.
    """

    def explain(self, clientAddr: object) -> dict[Key, float]:
        return dict(list(super().explain(clientAddr).items())[1:])


class Restless(First):
    """
    Moves on when it is asked for scores.
    """

    def explain(self, clientAddr: object) -> dict[Key, float]:
        self.random.random()
        return dict(super().explain(clientAddr))

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        return self.random.choice(hosts)


class Greedy(First):
    """
    Counts by itself.
    """

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        assert isinstance(hosts[0], FakeHost)
        hosts[0].active += 1
        return hosts[0]


class PilingPicks(First):
    """
    Remembers every client.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.pile: list[object] = []

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        self.pile.append(clientAddr)
        return hosts[0]


class PilingChanges(PilingPicks):
    """
    Remembers every change.
    """

    def hostChanged(self, host: IHost) -> None:
        self.pile.append([host.effectiveWeight])

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        return hosts[0]


class PilingMembers(PilingPicks):
    """
    Remembers everybody who was ever there.
    """

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self.pile.append(host.key)

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        return hosts[0]


class WrongPoliciesTests(SynchronousTestCase):
    """
    Each fault is found by the test that is there for it.
    """

    def failing(self, policy: type[Scheduler], *, weighted: bool = False) -> set[str]:
        """
        The tests of the contract that a policy fails.
        """
        flag = weighted

        class Case(SchedulerContract, SynchronousTestCase):
            weighted = flag
            seeds = range(3)

            def makeScheduler(self, random: Random) -> IScheduler:
                return policy(random)

        failed = set()
        for name in dir(Case):
            if name.startswith("test_"):
                result = TestResult()
                Case(name).run(result)
                if not result.wasSuccessful():
                    failed.add(name)
        return failed

    def test_faults(self) -> None:
        for policy, test in (
            (Nameless, "test_interface"),
            (Forgetful, "test_histories"),
            (Deaf, "test_excluded"),
            (Lazy, "test_onlyHost"),
            (Stale, "test_onlyHost"),
            (Partial, "test_histories"),
            (Restless, "test_explainChangesNothing"),
            (Greedy, "test_claimsNothing"),
            (PilingPicks, "test_boundedPicks"),
            (PilingChanges, "test_boundedChanges"),
            (PilingMembers, "test_boundedMembers"),
        ):
            self.assertIn(test, self.failing(policy), policy.__name__)

    def test_shares(self) -> None:
        """
        A policy that pays no regard to weights fails where it says it does.
        """
        self.assertEqual(self.failing(First, weighted=True), {"test_shares"})
        self.assertEqual(self.failing(First), set())

    def test_unbounded(self) -> None:
        """
        A policy that says that it is not bounded is not tested for it.
        """

        class Case(SchedulerContract, SynchronousTestCase):
            bounded = False

            def makeScheduler(self, random: Random) -> IScheduler:
                return PilingPicks(random)

        with self.assertRaises(SkipTest):
            Case("test_boundedPicks").test_boundedPicks()

    def test_incomplete(self) -> None:
        """
        Who forgets to say how the policy is made is told so.
        """

        class Case(SchedulerContract, SynchronousTestCase):
            pass

        error = self.assertRaises(NotImplementedError, Case("test_noHosts").test_noHosts)
        self.assertIn("Case does not implement", str(error))


class MeasureTests(SynchronousTestCase):
    def test_chiSquare(self) -> None:
        self.assertEqual(chiSquare([25, 75], [1, 3]), 0.0)
        self.assertAlmostEqual(chiSquare([30, 70], [1, 3]), 25 / 25 + 25 / 75)

    def test_limit(self) -> None:
        """
        The limits are those of any table of the distribution for 0.001, within 4 %.
        """
        for freedom, limit in ((1, 10.828), (2, 13.816), (5, 20.515), (10, 29.588), (30, 59.703)):
            self.assertLess(abs(chiSquareLimit(freedom) / limit - 1), 0.04)

    def test_countHeld(self) -> None:
        """
        Things are counted once, through containers and attributes, and no more
        of them than asked for.
        """
        one = object()
        self.assertEqual(countHeld([one, one, [one]]), 3)
        host = FakeHost("a")
        before = countHeld(host)
        host.extra = [object() for _ in range(100)]  # type: ignore[attr-defined]  # to be counted
        self.assertGreaterEqual(countHeld(host), before + 100)
        self.assertLessEqual(countHeld([object() for _ in range(100)], 10), 101)
        self.assertEqual(countHeld([int, gcReferent, SynchronousTestCase]), 1)


def gcReferent() -> None:
    """
    A function, which is everybody's.
    """


class FakeHostTests(SynchronousTestCase):
    def test_words(self) -> None:
        host = FakeHost("a", 3, active=2)
        self.assertEqual(repr(host), "<FakeHost service/group/a weight=3 active=2>")
        self.assertEqual(host.name, "a")


class LiveTests(SynchronousTestCase):
    """
    A policy is changed while hosts have connections.
    """

    def test_everyPolicy(self) -> None:
        """
        From every policy to the next: counts and leases stay, weights can
        be changed, and every lease ends.
        """
        hosts = [ProxyHost(name, "10.0.0.1", 80, 1 + place) for place, name in enumerate("abc")]
        group = ProxyGroup("g", "leastc", enabled=True, hosts=hosts)
        manager = proxyManagerFactory([ProxyService("s", [("127.0.0.1", 8080)], [group])])
        pool = manager.getPool("s")
        leases = [pool.acquire(("192.0.2.1", 1)) for _ in range(9)]
        words = schedulerWords()
        for one, other in zip(words, words[1:] + words[:1], strict=True):
            manager.setScheduler("s", "g", one)
            leases.append(pool.acquire(("192.0.2.2", 1)))
            before = [host.active for host in pool.hosts]
            manager.setScheduler("s", "g", other, choices=3, boundedLoad=1.5)
            self.assertEqual(pool.scheduler.name, other)
            self.assertEqual([host.active for host in pool.hosts], before)
            manager.setWeight("s", "g", "a", 1 + len(leases) % 5)
            leases.append(pool.acquire(("192.0.2.3", 1)))
            manager.setWeight("s", "g", "a", 1)
            leases.pop(0).release()
            self.assertEqual(pool.active, len(leases))
        for lease in leases:
            lease.release()
        self.assertEqual([host.active for host in pool.hosts], [0, 0, 0])
        self.assertEqual(manager.getGroup("s", "g").choices, 3)
        self.assertRaises(UnknownName, manager.setScheduler, "s", "g", "p2c", choice=3)
        self.assertRaises(ModelError, manager.setScheduler, "s", "g", "p2c", choices=1)

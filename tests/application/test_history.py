"""
The history of the last hour.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin import READONLY, Caller, Target, findCommand
from txlb.admin._history import History
from txlb.application import LoadBalancedService, _history, _kepthour
from txlb.application._history import HistoryService
from txlb.application._kepthour import KeptHour
from txlb.errors import ModelError, StateError, TxlbError, UnknownName
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import RefusalKind

#: The wall clock when the balancer starts.
BEGAN = 1_800_000_000.0


class HistoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        hosts = [ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 2, weight=3)]
        group = ProxyGroup("prod", "roundr", True, hosts)
        web = ProxyService("web", [("127.0.0.1", 8080)], [group])
        self.manager = proxyManagerFactory([web], seconds=self.reactor.seconds)
        self.lbs = LoadBalancedService(self.manager, reactor=self.reactor)
        self.history: HistoryService = self.lbs.history
        self.history._now = lambda: BEGAN + self.reactor.seconds()
        self.pool = self.manager.getPool("web", "prod")

    def start(self) -> None:
        self.lbs.privilegedStartService()
        self.lbs.startService()
        self.addCleanup(self.lbs.stopService)
        self.turns()

    def turns(self, seconds: float = 0.0) -> None:
        """
        Let time pass, and have the slices done.
        """
        self.reactor.advance(seconds)
        for _ in range(30):
            self.reactor.advance(0)

    def last(self, *names: str) -> dict[str, float | None]:
        service, group, host = (*names, "", "")[:3]
        return list(self.history.points(service, group, host))[-1]


class HistoryTests(HistoryCase):
    def test_host(self) -> None:
        self.start()
        with self.pool.acquire() as lease:
            lease.add(500, 70_000)
            name = lease.host.name
            lease.host.counters.failures += 3
            lease.host.connectTime = 0.25
            self.turns(10)
        point = self.last("web", "prod", name)
        self.assertEqual(point["time"], BEGAN + 10)
        self.assertEqual(point["active"], 1)
        self.assertAlmostEqual(point["rate"] or 0, 0.1, 5)
        self.assertEqual(point["failures"], 3)
        self.assertEqual(point["inRate"], 50)
        self.assertEqual(point["outRate"], 7000)
        self.assertEqual(point["connectTime"], 0.25)
        self.assertEqual(self.last("web", "prod", "b")["weight"], 3)
        self.turns(10)
        self.assertEqual(self.last("web", "prod", name)["rate"], 0)

    def test_group(self) -> None:
        """
        A group has the sums over its hosts, and the mean time to connect. A host that is
        removed makes no dent.
        """
        self.start()
        for seconds in (0.1, 0.3):
            step: Any = self.pool.dial().start()
            self.reactor.advance(seconds)
            lease = step.connected()
            lease.add(10, 20)
            lease.release()
        self.manager.delHost("web", "prod", "a")
        self.turns(9.6)
        point = self.last("web", "prod")
        self.assertAlmostEqual(point["rate"] or 0, 0.2, 5)
        self.assertEqual(point["inRate"], 2)
        self.assertAlmostEqual(point["connectTime"] or 0, 0.2, 5)
        self.assertEqual(point["weight"], 3)
        self.turns(10)
        self.assertIsNone(self.last("web", "prod")["connectTime"])
        with self.assertRaises(UnknownName):
            self.history.points("web", "prod", "a")

    def test_service(self) -> None:
        self.start()
        counters = self.manager.getCounters("web")
        counters.accepted, counters.active = 20, 4
        counters.refused[RefusalKind.DENIED] = 2
        with self.pool.acquire() as lease:
            lease.add(100, 0)
        self.turns(10)
        point = self.last("web")
        self.assertEqual((point["rate"], point["active"], point["failures"]), (2, 4, 2))
        self.assertEqual(point["inRate"], 10)
        self.assertIsNone(point["weight"])

    def test_newHost(self) -> None:
        """
        Another host of the same name begins anew.
        """
        self.start()
        for _ in range(4):
            self.pool.acquire().release()
        self.turns(10)
        self.manager.delHost("web", "prod", "a")
        self.manager.addHost("web", "prod", "a", "127.0.0.1:9")
        self.turns(10)
        self.assertEqual(self.last("web", "prod", "a")["rate"], 0)
        self.manager.delHost("web", "prod", "a")
        self.turns(10)
        self.assertIsNone(self.history.ringOf("web", "prod", "a"))

    def test_hour(self) -> None:
        """
        An hour is kept, and C{since} leaves out what is older.
        """
        self.start()
        for _ in range(400):
            self.turns(10)
        points = list(self.history.points("web"))
        self.assertEqual(len(points), 360)
        times = [point["time"] for point in points]
        self.assertEqual(times, [BEGAN + 10 * number for number in range(41, 401)])
        late = list(self.history.points("web", since=BEGAN + 3990))
        self.assertEqual([point["time"] for point in late], [BEGAN + 4000])

    def test_error(self) -> None:
        """
        An error costs one point. It is logged once.
        """
        self.start()
        self.patch(self.history, "_measureService", lambda *_: 1 / 0)
        self.turns(10)
        self.turns(10)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del self.history._measureService
        self.turns(10)
        points = list(self.history.points("web"))
        # The points that were missed are unknown.
        self.assertEqual([point["active"] for point in points], [0, None, None, 0])

    def test_bounded(self) -> None:
        """
        History is kept for so many things; services and groups come first.
        """
        self.patch(_history, "MOST", 3)
        self.start()
        self.assertEqual(len(self.history), 3)
        self.assertEqual(len(list(self.history.points("web", "prod"))), 1)
        self.assertEqual(len(list(self.history.points("web", "prod", "a"))), 1)
        with self.assertRaises(TxlbError) as caught:
            self.history.points("web", "prod", "b")
        self.assertIn("it is kept for 3", str(caught.exception))

    def test_veryBounded(self) -> None:
        self.patch(_history, "MOST", 1)
        self.start()
        self.assertEqual(len(self.history), 1)
        with self.assertRaises(TxlbError):
            self.history.points("web")

    def test_noRoom(self) -> None:
        self.patch(_history, "MOST", 0)
        self.start()
        self.assertEqual(len(self.history), 0)

    def test_slices(self) -> None:
        """
        Few hosts are measured at a time.
        """
        hosts = [ProxyHost(f"h{n}", "127.0.0.1", n + 1) for n in range(1000)]
        group = ProxyGroup("prod", "roundr", True, hosts)
        self.manager.apply([ProxyService("web", [("127.0.0.1", 8080)], [group])])
        measured: list[int] = []
        measure = self.history._measureHost

        def count(*arguments: Any) -> None:
            measured[-1] += 1
            measure(*arguments)

        self.patch(self.history, "_measureHost", count)
        steps = self.history._measuring()
        while next(steps, self) is not self:
            measured.append(0)
        self.assertEqual(sum(measured), 1000)
        self.assertLessEqual(max(measured), _history.AT_ONCE)

    def test_stopped(self) -> None:
        """
        A balancer that is stopped takes no points, and has those that it had.
        """
        self.start()
        self.lbs.stopService()
        self.turns(100)
        self.assertEqual(len(list(self.history.points("web"))), 1)
        self.start()
        self.assertEqual(len(list(self.history.points("web"))), 2)

    def test_command(self) -> None:
        """
        The command C{history} needs no more than C{readonly}.
        """
        self.start()
        target = Target(self.lbs, None, History())
        command = findCommand("history")
        caller = Caller("web:olga", READONLY)

        def rows(**values: object) -> Any:
            wanted = {"service": "web", "group": "", "host": "", "since": 0.0, **values}
            answer: Any = command(target, caller, wanted)
            return list(answer)

        [row] = rows(group="prod", host="b")
        self.assertEqual((row["row"], row["weight"], row["time"]), ("point", 3, BEGAN))
        self.assertIn("connectTime -", row["text"])
        self.assertEqual(rows(since=BEGAN), [])
        with self.assertRaises(ModelError):
            rows(host="b")
        with self.assertRaises(UnknownName):
            rows(service="nothing")


class KeptHourTests(HistoryCase):
    """
    The history goes on in another process.
    """

    def other(self) -> HistoryService:
        """
        Make the balancer of the process that takes over.
        """
        manager = proxyManagerFactory(
            list(self.manager.services.values()), seconds=self.reactor.seconds
        )
        self.otherBalancer = LoadBalancedService(manager, reactor=self.reactor)
        history = self.otherBalancer.history
        history._now = lambda: BEGAN + self.reactor.seconds()
        return history

    def kept(self, history: HistoryService, *states: object) -> None:
        """
        Take states over, as JSON passes them.
        """
        for state in states:
            KeptHour(history).restore(json.loads(json.dumps(state)))

    def test_whole(self) -> None:
        self.start()
        with self.pool.acquire() as lease:
            lease.add(500, 70_000)
        self.turns(10.0)
        self.turns(10.0)
        other = self.other()
        self.kept(other, KeptHour(self.history).state())
        for key in (("web",), ("web", "prod"), ("web", "prod", "a"), ("web", "prod", "b")):
            self.assertEqual(list(other.points(*key)), list(self.history.points(*key)))
            self.assertEqual(len(list(other.points(*key))), 3)
        self.assertEqual(
            other.rings["web", "prod", "a"].mostRate,
            self.history.rings["web", "prod", "a"].mostRate,
        )

    def test_inParts(self) -> None:
        """
        Points that were taken after the pieces come with the rest.
        """
        self.patch(_kepthour, "AT_ONCE", 1)
        self.start()
        self.turns(10.0)
        keeper = KeptHour(self.history)
        pieces = list(keeper.ahead())
        self.assertEqual(len(pieces), 4)
        self.turns(10.0)
        self.turns(10.0)
        rest = keeper.rest()
        self.assertLess(len(json.dumps(rest)), 8000)
        other = self.other()
        self.kept(other, *pieces, rest)
        self.assertEqual(
            list(other.points("web", "prod", "a")), list(self.history.points("web", "prod", "a"))
        )
        self.assertEqual(len(list(other.points("web"))), 4)

    def test_goesOn(self) -> None:
        """
        The next point is taken ten seconds after the last one of the process before, with what has
        happened since.
        """
        self.start()
        self.turns(10.0)
        self.turns(4.0)
        other = self.other()
        before = len(list(self.history.points("web", "prod", "a")))
        self.kept(other, KeptHour(self.history).state())
        self.otherBalancer.privilegedStartService()
        self.otherBalancer.startService()
        self.addCleanup(self.otherBalancer.stopService)
        self.turns()
        self.assertEqual(len(list(other.points("web", "prod", "a"))), before)
        self.turns(6.0)
        points = list(other.points("web", "prod", "a"))
        self.assertEqual(len(points), before + 1)
        times = [point["time"] for point in points]
        self.assertEqual(times, sorted(times, key=float))

    def test_wrong(self) -> None:
        """
        A state that can't be right is refused, and nothing has changed.
        """
        self.start()
        good: Any = KeptHour(self.history).state()
        other = self.other()
        row = good["rings"][0]
        for wrong in (
            {**good, "times": "AAAA"},
            {**good, "times": "?"},
            {**good, "number": -2},
            {**good, "number": -1},
            {**good, "rings": [{**row, "key": ["web"]}]},
            {**good, "rings": [{**row, "counts": ["x"]}]},
            {**good, "rings": [{**row, "points": "AAAA"}]},
            {**good, "rings": [{**row, "points": good["times"] * 40}]},
        ):
            self.assertRaises(StateError, self.kept, other, wrong)
        self.assertEqual(other.rings, {})

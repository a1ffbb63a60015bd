"""
Tests for taking hosts out and bringing them back, for groups that stand in, and
for the events that are kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError, UnknownName
from txlb.manager import ProxyManager
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import CheckResult, Event, EventKind, Host, Lease, Outcome

PASSED = CheckResult(True, "connected", 0.001)
FAILED = CheckResult(False, "connection refused", 0.001)


class Stage:
    """
    A manager with a clock, a list of its events and of what was to be reset.
    """

    def __init__(self, **settings: Any) -> None:
        self.now = 1000.0
        hosts = [ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 2)]
        spares = [ProxyHost("s", "127.0.0.1", 3)]
        groups = [
            ProxyGroup("main", enabled=True, hosts=hosts, **settings),
            ProxyGroup("spare", hosts=spares, backup=True),
            ProxyGroup("last", hosts=[ProxyHost("l", "127.0.0.1", 4)], backup=True),
            ProxyGroup("other", hosts=[ProxyHost("o", "127.0.0.1", 5)]),
        ]
        service = ProxyService("web", ["*:80"], groups)
        self.manager = ProxyManager([service], seconds=lambda: self.now)
        self.events: list[Event] = []
        self.manager.subscribe(self.events.append)
        self.cuts: list[tuple[str, Outcome]] = []
        self.manager.onCut = self._cut
        self.manager.getCounters("web").accepted = 1
        self._seen = self._answers()

    def _answers(self) -> tuple[int, object, object]:
        manager = self.manager
        return manager.revision, manager.getService("web"), manager.getPool("web")

    def checkRevision(self) -> None:
        """
        Whoever keeps the manager's answers until its revision is another one has
        those that it would get.
        """
        before, self._seen = self._seen, self._answers()
        if before[0] == self._seen[0]:
            assert before == self._seen, "an answer has changed, and not the revision"

    def _cut(self, host: Host, outcome: Outcome) -> None:
        self.cuts.append((host.name, outcome))

    def told(self) -> list[str]:
        self.checkRevision()
        told = [f"{event.kind.value} {event.key[-1]}" for event in self.events]
        self.events.clear()
        return told

    def check(self, name: str, passed: bool, group: str = "main", times: int = 1) -> None:
        for _ in range(times):
            self.manager.getPool("web", group).reportCheck(name, PASSED if passed else FAILED)

    def down(self, name: str, group: str = "main") -> None:
        self.check(name, False, group, 3)

    def up(self, name: str, group: str = "main") -> None:
        self.check(name, True, group, 2)

    @property
    def serving(self) -> str:
        assert self.manager.getPool("web").group == self.manager.servingGroup("web").name
        self.checkRevision()
        return self.manager.servingGroup("web").name

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.manager.advance(self.now)


class LifecycleTests(SynchronousTestCase):
    def lease(self, stage: Stage, name: str) -> Lease:
        pool = stage.manager.getPool("web", "main")
        lease = pool.claim(None, frozenset(h.key for h in pool.hosts if h.name != name))
        assert lease is not None
        return lease

    def test_drain(self) -> None:
        """
        A drained host is configured so, and what is left at the deadline is
        reset.
        """
        stage = Stage()
        lease = self.lease(stage, "a")
        events = stage.manager.drain("web", "main", "a", deadline=5)
        self.assertEqual(list(events), stage.events)
        self.assertEqual(stage.told(), ["host-state a"])
        self.assertEqual(stage.manager.getHost("web", "main", "a").state, "drain")
        self.assertEqual(stage.manager.nextDeadline(), 1005.0)
        stage.advance(5)
        self.assertEqual(stage.cuts, [("a", Outcome.DRAIN_TIMEOUT)])
        lease.release(Outcome.DRAIN_TIMEOUT)
        self.assertEqual(stage.told(), ["host-drained a"])
        stage.manager.ready("web", "main", "a")
        self.assertEqual(stage.manager.getHost("web", "main", "a").state, "ready")
        self.assertEqual(stage.told(), ["host-state a"])

    def test_drainAgain(self) -> None:
        """
        A deadline for a host that drains already is a change. It stands if the
        host's service is replaced by another one.
        """
        stage = Stage()
        lease = self.lease(stage, "a")
        stage.manager.drain("web", "main", "a")
        (event,) = stage.manager.drain("web", "main", "a", deadline=5)
        self.assertEqual(event.message, "drain, 1 connections left, reset in 5 s")
        self.assertEqual(stage.manager.drain("web", "main", "a"), ())
        web = stage.manager.getService("web")
        stage.manager.apply([replace(web, name="other")])
        stage.advance(5)
        self.assertEqual(stage.cuts, [("a", Outcome.DRAIN_TIMEOUT)])
        lease.release(Outcome.DRAIN_TIMEOUT)

    def test_maintenance(self) -> None:
        stage = Stage()
        stage.manager.maintenance("web", "main", "a")
        self.assertFalse(stage.manager.getPool("web", "main").getHost("a").enabled)
        self.assertEqual(stage.told(), ["host-state a", "host-drained a"])
        self.assertEqual(stage.manager.maintenance("web", "main", "a"), ())

    def test_wrong(self) -> None:
        """
        Nothing happens where something is wrong.
        """
        manager = Stage().manager
        for call in (manager.drain, manager.maintenance, manager.ready):
            self.assertRaises(UnknownName, call, "web", "main", "x")
        self.assertRaises(ModelError, manager.drain, "web", "main", "a", -1)
        self.assertRaises(ModelError, manager.delHost, "web", "main", "a", deadline=-1)
        self.assertEqual(manager.getHost("web", "main", "a").state, "ready")

    def test_delHost(self) -> None:
        """
        Removing drains, resets after a time, or at once.
        """
        stage = Stage()
        a, b = self.lease(stage, "a"), self.lease(stage, "b")
        stage.manager.delHost("web", "main", "a", deadline=3.0)
        stage.manager.delHost("web", "main", "b", force=True)
        self.assertEqual(stage.cuts, [("b", Outcome.REMOVED)])
        stage.advance(3)
        self.assertEqual(stage.cuts[1:], [("a", Outcome.DRAIN_TIMEOUT)])
        a.release()
        b.release()

    def test_addHost(self) -> None:
        """
        A host may be added with all its settings.
        """
        stage = Stage()
        stage.manager.addHost("web", "main", "c", "127.0.0.1:9", maxConnections=7, backup=True)
        host = stage.manager.getPool("web", "main").getHost("c")
        self.assertEqual((host.maxConnections, host.stateWord), (7, "standby"))

    def test_setHost(self) -> None:
        """
        Settings change live, with an event that says from what to what.
        """
        stage = Stage()
        stage.manager.setHost("web", "main", "a", maxConnections=1, backup=True)
        host = stage.manager.getPool("web", "main").getHost("a")
        self.assertEqual((host.maxConnections, host.stateWord), (1, "standby"))
        self.assertEqual(stage.told(), ["setting-changed a", "setting-changed a"])
        self.assertRaises(UnknownName, stage.manager.setHost, "web", "main", "a", maxConnection=1)
        self.assertRaises(ModelError, stage.manager.setHost, "web", "main", "a", weight=1)
        self.assertRaises(ModelError, stage.manager.setHost, "web", "main", "a", maxConnections=0)

    def test_setGroup(self) -> None:
        stage = Stage()
        stage.manager.setGroup("web", "main", maxQueue=5, whenAllDown="close")
        pool = stage.manager.getPool("web", "main")
        self.assertEqual((pool.settings.maxQueue, pool.settings.whenAllDown), (5, "close"))
        self.assertEqual(stage.told(), ["setting-changed main"] * 2)
        self.assertRaises(UnknownName, stage.manager.setGroup, "web", "main", maxQueu=1)
        self.assertRaises(ModelError, stage.manager.setGroup, "web", "main", hosts=())
        self.assertRaises(ModelError, stage.manager.setGroup, "web", "main", maxQueue=-1)

    def test_noConnectionsToCut(self) -> None:
        """
        Without a balancer around it nobody resets anything.
        """
        stage = Stage()
        stage.manager.onCut = None
        lease = self.lease(stage, "a")
        stage.manager.delHost("web", "main", "a", force=True)
        lease.release()
        self.assertEqual(stage.manager.getPool("web", "main").leaving, [])


class FailoverTests(SynchronousTestCase):
    def test_standsIn(self) -> None:
        """
        With too few hosts up the first backup group gets the connections, until
        enough have been back for C{holdDown} seconds.
        """
        stage = Stage(holdDown=10.0)
        stage.down("a")
        self.assertEqual(stage.serving, "main")
        stage.down("b")
        self.assertEqual(stage.serving, "spare")
        (event,) = [e for e in stage.events if e.kind is EventKind.GROUP_SWITCHED]
        self.assertEqual(
            (event.key, event.message.partition(": ")[2]),
            (("web", "spare"), "0 hosts of main are up, and 1 are wanted"),
        )
        self.assertEqual(stage.manager.snapshot()[0].serving, "spare")
        stage.told()
        stage.up("a")
        self.assertEqual(stage.serving, "spare")
        self.assertEqual(stage.manager.nextDeadline(), 1010.0)
        stage.advance(10)
        self.assertEqual((stage.serving, stage.told()[-1]), ("main", "group-switched main"))
        self.assertIsNone(stage.manager.nextDeadline())

    def test_nextBackup(self) -> None:
        """
        Where the first backup group goes down too the next one stands in, and
        where all do the enabled one keeps what it can.
        """
        stage = Stage(minimumUp=2)
        stage.down("a")
        self.assertEqual(stage.serving, "spare")
        stage.down("s", "spare")
        self.assertEqual(stage.serving, "last")
        stage.up("s", "spare")
        self.assertEqual(stage.serving, "last")
        stage.down("l", "last")
        self.assertEqual(stage.serving, "spare")
        stage.down("s", "spare")
        self.assertEqual(stage.serving, "main")

    def test_backForAMoment(self) -> None:
        stage = Stage(minimumUp=2, holdDown=10.0, flapHold=0)
        stage.down("a")
        stage.up("a")
        stage.advance(5)
        stage.down("a")
        stage.advance(5)
        self.assertEqual((stage.serving, stage.manager.nextDeadline()), ("spare", None))

    def test_byPeople(self) -> None:
        """
        Who drains a host, changes what is wanted or switches the group brings
        about the same.
        """
        stage = Stage(holdDown=0)
        stage.manager.drain("web", "main", "a")
        stage.manager.drain("web", "main", "b")
        self.assertEqual(stage.serving, "spare")
        stage.manager.ready("web", "main", "b")
        self.assertEqual(stage.serving, "main")
        stage.manager.setGroup("web", "main", minimumUp=2)
        self.assertEqual(stage.serving, "spare")
        stage.manager.switchGroup("web", "main", "other")
        self.assertEqual(stage.serving, "other")
        stage.manager.switchGroup("web", "other", "spare")
        self.assertEqual(stage.serving, "spare")

    def test_beforeAnybodyCame(self) -> None:
        """
        Before the first client nothing is held.
        """
        stage = Stage(holdDown=100.0)
        stage.manager.getCounters("web").accepted = 0
        for name in "ab":
            stage.down(name)
        self.assertEqual(stage.serving, "spare")
        stage.up("a")
        self.assertEqual(stage.serving, "main")

    def test_removedGroup(self) -> None:
        """
        A configuration without the group that stands in does without it.
        """
        stage = Stage()
        for name in "ab":
            stage.down(name)
        service = stage.manager.getService("web")
        stage.manager.apply([ProxyService("web", ["*:80"], [service.enabledGroup])])
        self.assertEqual(stage.serving, "main")
        stage.manager.apply(
            [ProxyService("new", ["*:81"], [ProxyGroup("g", enabled=True, hosts=())])]
        )
        self.assertEqual(stage.manager.servingGroup("new").name, "g")


class HistoryTests(SynchronousTestCase):
    def test_lastHundred(self) -> None:
        """
        The last hundred events are kept, the oldest first.
        """
        stage = Stage()
        self.assertEqual(stage.manager.events, ())
        for number in range(120):
            stage.manager.setWeight("web", "main", "a", number + 2)
        self.assertEqual(stage.manager.events, tuple(stage.events[-100:]))

    def test_deadlineTold(self) -> None:
        """
        Whoever keeps time is told what no event says.
        """
        stage = Stage()
        told: list[float] = []
        stage.manager.onDeadline = told.append
        LifecycleTests().lease(stage, "a")
        stage.manager.drain("web", "main", "a", deadline=7)
        self.assertEqual(told, [1007.0])

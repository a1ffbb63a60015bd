"""
Tests for taking hosts out and bringing them back, for groups that stand in, and
for the events that are kept.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.manager.stage import Stage
from txlb.errors import ModelError, UnknownName
from txlb.pool import Lease, Outcome


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

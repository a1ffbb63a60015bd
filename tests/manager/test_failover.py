"""
Tests for the groups that stand in, L{txlb.manager._failover}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.manager.stage import Stage
from txlb.model import ProxyGroup, ProxyService
from txlb.pool import EventKind


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

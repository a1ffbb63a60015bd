"""
Tests for L{txlb.cloning._stages}: processes go through the stages of the table.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.cloning.inside import InsideTestCase
from txlb.cloning import CloneGroup, Role
from txlb.cloning._stages import ROLES, SERVING, STAGES, Stage, StageEvent


class TableTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """
        Each stage has a role and is reached, each event has its place, and all but the last
        stage are left.
        """
        self.assertEqual(set(ROLES), set(Stage))
        self.assertEqual(set(STAGES.values()) | {Stage.STARTING}, set(Stage))
        self.assertEqual({event for _, event in STAGES}, set(StageEvent))
        self.assertEqual({stage for stage, _ in STAGES}, set(Stage) - {Stage.REPLACED})

    def test_roles(self) -> None:
        """
        A process that manages and one that serves are told apart.
        """
        self.assertEqual({ROLES[stage] for stage in SERVING}, {Role.CLONE, Role.MANAGER})
        self.assertNotIn(Stage.MANAGING, SERVING)
        self.assertNotIn(Stage.STANDBY, SERVING)


class StageTests(InsideTestCase):
    def kill(self, group: CloneGroup) -> None:
        manager = group.manager
        assert manager is not None
        manager.stop()
        for link in tuple(manager.records):
            link.close()
        group.manager = None
        assert group._rendezvous is not None
        group._rendezvous.unlock()

    def stages(self) -> list[Stage]:
        return [group.stage for group in self.groups]

    def test_takeover(self) -> None:
        """
        A manager and its clones; the manager is killed, one clone manages for a while, and
        then an heir does.
        """
        first = self.group()
        self.assertEqual(self.stages(), [Stage.STARTING])
        self.until(lambda: self.joined(first, 2))
        self.until(lambda: self.stages()[:3] == [Stage.MANAGING, Stage.JOINED, Stage.JOINED])
        self.kill(first)
        self.until(lambda: Stage.BOTH in self.stages())
        self.until(lambda: self.stages()[1:].count(Stage.MANAGING) == 1)
        self.until(lambda: self.stages()[1:3] == [Stage.JOINED, Stage.JOINED])
        for group in self.groups[1:]:
            self.assertIs(group.identity.role, ROLES[group.stage])

    def test_replaced(self) -> None:
        """
        A manager that is replaced ends.
        """
        first = self.group()
        self.until(lambda: self.joined(first, 2))
        first.replaceManager()
        self.until(lambda: first.stage is Stage.REPLACED)
        self.assertIs(first.identity.role, Role.ALONE)

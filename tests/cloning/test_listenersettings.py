"""
Tests for L{txlb.cloning._listenersettings}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import CloningError
from txlb.cloning._listenersettings import ListenerSettings, listenerSettings
from txlb.errors import TxlbError
from txlb.schedulers import SCHEDULERS, Scheduler, SchedulerKind, schedulerKinds


class Mine(Scheduler):
    name = "mine"


class ListenerSettingsTests(SynchronousTestCase):
    def test_whyPassed(self) -> None:
        """
        Connections are passed if the choice needs the client, and only then.
        """
        passed = {
            kind.word for kind in schedulerKinds() if ListenerSettings.of(kind.word).whyPassed
        }
        self.assertEqual(passed, {"sticky", "maglev"})
        self.assertIn("admitted", ListenerSettings.of(deny=["192.0.2.0/24"]).whyPassed)
        self.assertIn("admitted", ListenerSettings.of(ratePerClient=5.0).whyPassed)

    def test_plugin(self) -> None:
        """
        The scheduler of a plugin may look at clients, unless it tells that it does not.
        """
        self.assertTrue(SchedulerKind("mine", Mine).needsClient)
        self.assertFalse(SchedulerKind("mine", Mine, looksAtClient=False).needsClient)
        self.assertFalse(SCHEDULERS.get("leastc").needsClient)

    def test_wrong(self) -> None:
        self.assertRaises(TxlbError, listenerSettings, "best")
        self.assertRaises(TxlbError, listenerSettings, "leastc", 0)
        self.assertRaises(TxlbError, listenerSettings, "leastc", None, {"deny": ["nowhere"]})
        error = self.assertRaises(CloningError, listenerSettings, "leastc", None, {"color": 1})
        self.assertIn("'color' is no setting of clones; there are also allow", str(error))

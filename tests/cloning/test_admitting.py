"""
Tests for L{txlb.cloning._admitting}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._admitting import Admitting
from txlb.cloning._listenersettings import ListenerSettings
from txlb.pool import RefusalKind


class AdmittingTests(SynchronousTestCase):
    def test_counted(self) -> None:
        """
        Refused clients are counted, and few lines are logged.
        """
        now = 0.0
        admits = Admitting(ListenerSettings.of(deny=["192.0.2.0/24"]).service, lambda: now)
        self.assertTrue(admits(("198.51.100.1", 5)))
        self.assertTrue(admits(""))
        for number in range(50):
            self.assertFalse(admits(("192.0.2.1", number)))
        self.assertFalse(admits(("::ffff:192.0.2.1", 5, 0, 0)))
        self.assertEqual(admits.refused, {RefusalKind.DENIED: 51})

    def test_rate(self) -> None:
        now = 0.0
        settings = ListenerSettings.of(ratePerClient=1.0, burstPerClient=2)
        admits = Admitting(settings.service, lambda: now)
        self.assertEqual([admits(("192.0.2.1", 1)) for _ in range(3)], [True, True, False])
        self.assertTrue(admits(("192.0.2.2", 1)))

    def test_all(self) -> None:
        admits = Admitting(ListenerSettings.of().service, lambda: 0.0)
        self.assertTrue(admits(("192.0.2.1", 1)))

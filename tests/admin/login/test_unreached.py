"""
Tests for L{txlb.admin.login._unreached}.
"""

from __future__ import annotations

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import clockAndDeadlines
from txlb.admin.login._means import Means
from txlb.admin.login._unreached import HOLD, Unreached


class UnreachedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, deadlines = clockAndDeadlines()
        self.means = Means(maybeDeferred, self.clock, deadlines)
        self.unreached = Unreached(self.means)

    def test_hold(self) -> None:
        """
        For a time a server is not tried again, and others are.
        """
        self.assertIsNone(self.unreached.why("one"))
        self.unreached.add("one", "it is refused")
        self.clock.advance(HOLD - 0.01)
        self.assertEqual(self.unreached.why("one"), "it is refused")
        self.assertIsNone(self.unreached.why("two"))
        self.clock.advance(0.02)
        self.assertIsNone(self.unreached.why("one"))

    def test_again(self) -> None:
        """
        Each failure holds it for as long.
        """
        self.unreached.add("one", "it is refused")
        self.clock.advance(HOLD)
        self.unreached.add("one", "it is silent")
        self.clock.advance(HOLD / 2)
        self.assertEqual(self.unreached.why("one"), "it is silent")

    def test_notRunning(self) -> None:
        """
        Without a clock nothing is noted.
        """
        self.means.deadlines = None
        self.unreached.add("one", "it is refused")
        self.assertIsNone(self.unreached.why("one"))

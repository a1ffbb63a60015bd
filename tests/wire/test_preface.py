"""
Tests for L{txlb.wire._preface}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import Done, NeedMore, Reject


class VerdictTests(SynchronousTestCase):
    def test_values(self) -> None:
        """
        Verdicts are values: equal when they say the same.
        """
        self.assertEqual(NeedMore(), NeedMore())
        self.assertEqual(Done(), Done(None, None, b""))
        self.assertNotEqual(Done(leftover=b"x"), Done())
        self.assertEqual(Done(("192.0.2.1", 1), "example.org", b"x").leftover, b"x")
        self.assertNotEqual(Reject("late"), Reject("long"))

"""
Tests for L{txlb.discovery._returns}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery import _returns as returns
from txlb.discovery._returns import LONGEST, Returns


class ReturnsTests(SynchronousTestCase):
    def test_firstReturnIsFree(self) -> None:
        held = Returns()
        held.went("a", 10.0)
        self.assertIsNone(held.heldUntil("a", 10.0))
        self.assertIsNone(held.heldUntil("b", 10.0))

    def test_longerEachTime(self) -> None:
        held, now, waits = Returns(), 0.0, []
        for _ in range(10):
            held.went("a", now)
            until = held.heldUntil("a", now)
            waits.append(0.0 if until is None else until - now)
            now = now if until is None else until
            held.came("a", now)
        self.assertEqual(waits, [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST, LONGEST, LONGEST])

    def test_forgiven(self) -> None:
        held = Returns()
        for now in (0.0, 1.0):
            held.went("a", now)
        held.came("a", 2.0)
        held.went("a", 1000.0)
        self.assertIsNone(held.heldUntil("a", 1000.0))

    def test_bounded(self) -> None:
        self.patch(returns, "MAX_REMEMBERED", 3)
        held = Returns()
        for number in range(10):
            held.went(str(number), 0.0)
        self.assertEqual(list(held._dampers), ["7", "8", "9"])

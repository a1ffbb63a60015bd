"""
Tests for L{txlb.connecting._pauses}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.connecting import PortPauses
from txlb.connecting._pauses import MOST, PAUSE
from txlb.model import TCPAddress

ONE, OTHER = TCPAddress("192.0.2.1", 80), TCPAddress("192.0.2.1", 81)


class PauseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        self.pauses = PortPauses(lambda: self.now)

    def test_pause(self) -> None:
        """
        An address is not tried for a tenth of a second, and others are.
        """
        self.assertFalse(self.pauses.holds(ONE))
        self.pauses.begin(ONE)
        self.now += PAUSE * 0.9
        self.assertTrue(self.pauses.holds(ONE))
        self.assertFalse(self.pauses.holds(OTHER))
        self.now += PAUSE * 0.2
        self.assertFalse(self.pauses.holds(ONE))
        self.assertEqual(len(self.pauses), 0)

    def test_bound(self) -> None:
        """
        However many addresses there are, only so many are remembered.
        """
        for number in range(2 * MOST + 10):
            self.pauses.begin(TCPAddress("192.0.2.1", number))
        self.assertLessEqual(len(self.pauses), MOST)
        self.assertTrue(self.pauses.holds(TCPAddress("192.0.2.1", 2 * MOST + 9)))

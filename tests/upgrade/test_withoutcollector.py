"""
Tests for L{txlb.upgrade._withoutcollector}.
"""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from txlb.upgrade._withoutcollector import WithoutCollector


class WithoutCollectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(gc.enable)
        gc.enable()

    def test_restsAndGoesOn(self) -> None:
        """
        The collector rests, and then finds that all objects are old.
        """
        without = WithoutCollector()
        without.begin()
        self.assertFalse(gc.isenabled())
        kept = [[number] for number in range(3)]
        without.end()
        self.assertTrue(gc.isenabled())
        old = {id(each) for each in gc.get_objects(generation=2)}
        self.assertLessEqual({id(each) for each in kept}, old)

    def test_restedBefore(self) -> None:
        """
        If it did not run before, it does not run afterwards.
        """
        gc.disable()
        without = WithoutCollector()
        without.begin()
        without.end()
        self.assertFalse(gc.isenabled())

"""
Tests for L{txlb.cloning._rolling}; L{tests.cloning.test_group} has those with clones.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import CloningError
from txlb.cloning._rolling import TRIAL, RollingRestart


def clone(draining: bool = False, isOpen: bool = True) -> Any:
    return SimpleNamespace(draining=draining, link=SimpleNamespace(isOpen=isOpen))


class RollingRestartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.started: list[int] = []
        self.drained: list[Any] = []
        self.over: list[str] = []

    def restart(self, *old: Any) -> RollingRestart:
        restart = RollingRestart(
            5,
            list(old),
            lambda: 10 + len(self.started),
            self.started.append,
            self.drained.append,
            self.clock,
        )
        restart.whenOver = self.over.append
        return restart

    def test_oneByOne(self) -> None:
        """
        The next clone is started when the one before has served for a while.
        """
        old = [clone(), clone()]
        restart = self.restart(*old)
        done = restart.wait()
        restart.begin()
        self.assertEqual(self.started, [10])
        self.assertTrue(restart.isAbout(10))
        restart.joined(3)
        self.clock.advance(50)
        self.assertEqual(self.drained, [])
        restart.joined(10)
        self.clock.advance(TRIAL / 2)
        self.assertEqual(self.drained, [])
        self.clock.advance(TRIAL)
        self.assertEqual((self.drained, self.started), (old[:1], [10, 11]))
        restart.joined(11)
        self.assertNoResult(done)
        self.clock.advance(TRIAL)
        self.assertEqual((self.drained, self.over), (old, [""]))
        self.assertEqual(self.successResultOf(done), 5)
        self.assertEqual(self.successResultOf(restart.wait()), 5)
        self.assertFalse(restart.isAbout(11))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """
        Clones that have gone meanwhile, or end, are not replaced.
        """
        restart = self.restart(clone(draining=True), clone(isOpen=False))
        restart.begin()
        self.assertEqual((self.started, self.over), ([], [""]))
        self.assertFalse(restart.isAbout(-1))

    def test_ended(self) -> None:
        restart = self.restart(clone(), clone())
        restart.begin()
        done = restart.wait()
        restart.joined(10)
        restart.ended("exit status 3")
        self.assertIn("exit status 3", str(self.failureResultOf(done, CloningError).value))
        self.failureResultOf(restart.wait(), CloningError)
        self.assertEqual(self.over, ["exit status 3"])
        self.clock.advance(50)
        self.assertEqual((self.started, self.drained), ([10], []))

    def test_stopped(self) -> None:
        restart = self.restart(clone())
        restart.begin()
        restart.stop("the manager stops")
        restart.stop("again")
        self.assertEqual(self.over, ["the manager stops"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dropped(self) -> None:
        """
        A caller that waits no longer is not told.
        """
        restart = self.restart(clone())
        done = restart.wait()
        restart.begin()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        restart.stop("the manager stops")

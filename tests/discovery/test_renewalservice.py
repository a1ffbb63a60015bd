"""
Tests for L{txlb.discovery._renewalservice}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery._followedfiles import POLL
from txlb.discovery._renewalservice import RenewalService


class Threads(Clock):
    """
    A clock whose threads have done their work when it is given to them.
    """

    def getThreadPool(self) -> Threads:
        return self

    def callInThreadWithCallback(
        self, onResult: Callable[[bool, Any], object], function: Callable[[], Any]
    ) -> None:
        onResult(True, function())

    def callFromThread(self, function: Callable[..., object], *arguments: Any) -> None:
        function(*arguments)


class RenewalServiceTests(SynchronousTestCase):
    def test_follows(self) -> None:
        """
        It follows the files while it runs, and also after it was started again.
        """
        clock = Threads()
        changes: list[Mapping[str, bytes]] = []
        there: list[Mapping[str, bytes]] = [{"ca": b"1"}]
        service = RenewalService(
            "it", {"ca": b"0"}, lambda: there[-1], changes.append, clock, clock.seconds
        )
        service.stopService()
        service.startService()
        clock.advance(POLL)
        self.assertEqual(changes, there)
        service.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])
        there.append({"ca": b"2"})
        service.startService()
        clock.advance(POLL)
        self.assertEqual(changes, there)
        service.stopService()

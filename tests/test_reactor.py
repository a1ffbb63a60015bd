"""
Tests for L{txlb._reactor}.
"""

from __future__ import annotations

import subprocess
import sys

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase

from txlb._reactor import pickedReactor, stopReactor


class PickedTests(SynchronousTestCase):
    def test_picked(self) -> None:
        """
        The one that was asked for, or the global one.
        """
        from twisted.internet import reactor  # noqa: PLC0415 - it is trial's

        self.assertIs(pickedReactor(), reactor)
        asked = object()
        self.assertIs(pickedReactor(asked), asked)

    def test_notAtImport(self) -> None:
        """
        To import what uses it installs no reactor.
        """
        script = (
            "import sys, txlb.application, txlb.admin, txlb.demo; "
            "print('twisted.internet.reactor' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout, "False\n")


class StopTests(SynchronousTestCase):
    def test_stopsOnce(self) -> None:
        """
        A reactor is stopped, and one that stops already is left to it.
        """

        class Stopping:
            stops = 0

            def stop(self) -> None:
                self.stops += 1
                if self.stops > 1:
                    raise ReactorNotRunning

        reactor = Stopping()
        stopReactor(reactor)
        stopReactor(reactor)
        self.assertEqual(reactor.stops, 2)

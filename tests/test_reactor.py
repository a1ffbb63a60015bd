"""
Tests for L{txlb._reactor}.
"""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from txlb._reactor import pickedReactor


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

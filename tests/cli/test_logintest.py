"""
Tests for L{txlb.cli._logintest}.
"""

from __future__ import annotations

import io
import json
import sys

from tests.cli.support import BalancerTests


class LoginTestTests(BalancerTests):
    def give(self, accepts: bool) -> int:
        """
        Ask about anna, and return the exit status.
        """
        rows = json.dumps([{"row": "source", "text": "user: says so", "accepts": accepts}])
        door = self.open(lambda _: {"_answer": "1", "rows": rows, "more": "False"})
        self.patch(sys, "stdin", io.StringIO("s3cret\n"))
        status, out, err = self.run_("login-test", "anna")
        self.assertEqual((out, err), ("user: says so\n", ""))
        sent = door.asked[0]
        self.assertEqual((sent["user"], sent["password"]), ("anna", "s3cret"))
        return status

    def test_accepted(self) -> None:
        """
        The password goes to the balancer, and is not shown.
        """
        self.assertEqual(self.give(True), 0)

    def test_refused(self) -> None:
        self.assertEqual(self.give(False), 1)

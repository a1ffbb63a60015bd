"""
Short runs of the benchmarks of cloned applications, which take minutes or an hour by hand: no
client is refused or reset, and no answer is short.
"""

from __future__ import annotations

import re

from tests.integration.support import IntegrationTestCase
from tests.test_benchmarks import runModule


class ShortRunTests(IntegrationTestCase):
    needed = ("wrk",)

    def run_(self, *options: str) -> str:
        """
        Run it with few processes, to its end.
        """
        small = ("--clones", "2", "--streams", "4", "--size", "4", "--rounds", "0", "--kills", "0")
        done = runModule("benchmarks.clones", *small, *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.show(done.stdout)
        return done.stdout

    def test_rolls(self) -> None:
        """
        Rolling restarts, upgrades of the manager and broken releases, under wrk and long
        downloads.
        """
        text = self.run_("--rolls", "2")
        self.assertIn("2 rolling restarts", text)
        self.assertRegex(text, r"requests of wrk, and failed ones +[\d,]+, 0\n")
        self.assertRegex(text, r"long answers, and failed ones +[1-9][\d,]*, 0\n")

    def test_kills(self) -> None:
        """
        Kills of the manager.
        """
        text = self.run_("--kills", "2", "--rate", "300")
        self.assertIn("2 kills of the manager", text)
        self.assertRegex(text, r"refused, reset or short +0\n")
        self.assertRegex(text, r"long answers that came whole +[1-9]")

    def test_hangs(self) -> None:
        """
        Processes that hang.
        """
        text = self.run_("--hangs", "2", "--rate", "300")
        for what in ("nothing", "the manager", "a clone"):
            self.assertIn(f"2 hangs of {what}, 0.5 s each", text)
        self.assertEqual(len(re.findall(r"longest wait of a client +[\d.]+ ms", text)), 3)

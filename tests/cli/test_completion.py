"""
Tests for L{txlb.cli._completion}.
"""

from __future__ import annotations

import os

from tests.cli.support import BalancerTests
from txlb.cli import COMMANDS
from txlb.cli._completion import SCRIPTS


class CompleteTests(BalancerTests):
    def words(self, *typed: str) -> list[str]:
        self.out.truncate(0)
        self.out.seek(0)
        status, out, err = self.run_("__complete", *typed)
        self.assertEqual((status, err), (0, ""))
        return [line.split("\t")[0] for line in out.splitlines()]

    def test_commands(self) -> None:
        self.assertEqual(self.words(""), [*(each.name for each in COMMANDS), "--help", "--version"])
        self.assertEqual(self.words(), self.words(""))
        self.assertEqual(self.words("st"), ["status"])
        self.assertEqual(self.words("--v"), ["--version"])
        self.assertEqual(self.words("frob", ""), [])

    def test_options(self) -> None:
        self.assertEqual(self.words("status", "--j"), ["--json"])
        self.assertEqual(self.words("status", "-"), ["--help", "--json", "--socket", "--config"])

    def test_names(self) -> None:
        """
        Names are those of the balancer that runs.
        """
        self.open()
        self.assertEqual(self.words("weight", "web"), ["web/prod/h0", "web/prod/h1"])
        self.assertEqual(self.words("weight", "web/prod/h1"), ["web/prod/h1"])
        self.assertEqual(self.words("switch-group", ""), ["web/prod", "web/test"])
        self.assertEqual(self.words("switch-port", ""), ["web"])
        self.assertEqual(self.words("weight", "web/prod/h0", ""), [])
        self.assertEqual(self.words("weight", "web/prod/h0", "1", ""), [])
        self.assertIn("roundr", self.words("scheduler", "web/prod", "r"))

    def test_socket(self) -> None:
        """
        The balancer may be named before.
        """
        self.open()
        os.environ["TXLB_SOCKET"] = "/nowhere"
        self.assertEqual(self.words("weight", "w"), [])
        self.assertEqual(len(self.words("weight", "--socket", self.path, "w")), 2)
        self.assertEqual(len(self.words("weight", "-s", self.path, "--json", "w")), 2)
        self.assertEqual(self.words("weight", "-c", "/nowhere", "w"), [])

    def test_files(self) -> None:
        self.assertEqual(self.words("check", ""), [":files"])
        self.assertEqual(self.words("check", "a", ""), [":files"])
        self.assertEqual(self.words("status", "--socket", ""), [":files"])

    def test_times(self) -> None:
        """
        A number gets the units that it may have. Without one some times are offered.
        """
        for words in (("drain", "web/prod/h0", "--deadline"), ("top", "-i")):
            self.assertEqual(self.words(*words, "30"), ["30ms", "30s", "30m", "30h", "30d"])
            self.assertEqual(self.words(*words, "0.5"), ["0.5ms", "0.5s", "0.5m", "0.5h", "0.5d"])
            self.assertEqual(self.words(*words, ""), ["10s", "1m", "5m", "1h"])
            self.assertEqual(self.words(*words, "x"), [])

    def test_choices(self) -> None:
        self.assertEqual(self.words("completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.words("passwd", ""), [])
        self.assertEqual(self.words("events", "-n", ""), [])

    def test_scripts(self) -> None:
        for shell, script in SCRIPTS.items():
            self.out.truncate(0)
            self.out.seek(0)
            self.assertEqual(self.run_("completion", shell), (0, script, ""))
        self.assertEqual(self.exits("completion", "csh"), 2)

"""
Tests for L{txlb.cli._completion} and L{txlb.cli._completers}.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import argcomplete.io
from argcomplete.finders import CompletionFinder

from tests.cli.support import BalancerTests
from txlb.cli import COMMANDS, _main
from txlb.cli._completion import complete


class CompleteTests(BalancerTests):
    def setUp(self) -> None:
        super().setUp()
        # It would take over descriptor 9, which is another one's in the process of the tests.
        self.patch(CompletionFinder, "_init_debug_stream", lambda _finder: None)
        self.patch(argcomplete.io, "debug_stream", io.StringIO())

    def described(self, *typed: str) -> dict[str, str]:
        """
        Complete a command line whose last word is being typed.

        @return: the words that are offered, each with its description.
        """
        line = " ".join(("txlb", *typed))
        self.patch(
            os,
            "environ",
            {
                **os.environ,
                "_ARGCOMPLETE": "1",
                "_ARGCOMPLETE_IFS": "\n",
                "_ARGCOMPLETE_DFS": "\t",
                "_ARGCOMPLETE_SHELL": "fish",
                "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
                "COMP_LINE": line,
                "COMP_POINT": str(len(line.encode())),
            },
        )
        output = io.StringIO()
        self.assertEqual(complete(_main._parser(whole=True), output), 0)
        lines = [each.partition("\t") for each in output.getvalue().split("\n") if each]
        return {word: what for word, _, what in lines}

    def words(self, *typed: str) -> list[str]:
        return list(self.described(*typed))

    def test_commands(self) -> None:
        found = self.described("")
        self.assertEqual(set(found), {each.name.split()[0] for each in COMMANDS})
        self.assertEqual(found["weight"], "give a host another weight")
        self.assertEqual(self.words("st"), ["status"])
        self.assertEqual(self.words("--v"), ["--version"])

    def test_options(self) -> None:
        self.assertEqual(self.words("status", "--j"), ["--json"])
        self.assertLessEqual({"--help", "--json", "--socket"}, set(self.words("status", "-")))

    def test_names(self) -> None:
        """
        Names are those of the balancer that runs.
        """
        self.open()
        self.assertEqual(
            self.described("weight", "web"),
            {
                "web/prod/h0": "127.0.0.1:7001 unchecked",
                "web/prod/h1": "127.0.0.1:7002 unchecked",
            },
        )
        self.assertEqual(self.words("weight", "web/prod/h1"), ["web/prod/h1"])
        self.assertEqual(self.words("switch-group", ""), ["web/prod", "web/test"])
        self.assertEqual(self.words("switch-port", ""), ["web"])
        self.assertEqual(self.words("status", ""), ["web"])
        self.assertEqual(set(self.words("explain", "")), {"web", "web/prod", "web/test"})
        self.assertEqual(self.words("weight", "web/prod/h0", ""), [])
        self.assertEqual(self.words("weight", "web/prod/h0", "1", ""), [])
        self.assertIn("roundr", self.words("scheduler", "web/prod", "r"))

    def test_socket(self) -> None:
        """
        The balancer may be named before.
        """
        self.open()
        self.patch(os, "environ", {**os.environ, "TXLB_SOCKET": "/nowhere"})
        self.assertEqual(self.words("weight", "w"), [])
        self.assertEqual(len(self.words("weight", "--socket", self.path, "w")), 2)
        self.assertEqual(len(self.words("weight", "-s", self.path, "--json", "w")), 2)
        self.assertEqual(self.words("weight", "-c", "/nowhere", "w"), [])

    def test_files(self) -> None:
        """
        Files are offered for files, and for nothing else.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "some.xml").touch()
        found = [f"{folder}/some.xml"]
        for words in (("check",), ("check", "a"), ("status", "--socket"), ("diff",)):
            self.assertEqual(self.words(*words, f"{folder}/so"), found, words)
        self.assertEqual(self.words("switch-port", "web", f"{folder}/so"), [])

    def test_times(self) -> None:
        """
        A number gets the units that it may have. Without one some times are offered.
        """
        for words in (("drain", "web/prod/h0", "--deadline"), ("top", "-i")):
            self.assertEqual(
                self.described(*words, "30"),
                {
                    "30ms": "milliseconds",
                    "30s": "seconds",
                    "30m": "minutes",
                    "30h": "hours",
                    "30d": "days",
                },
            )
            self.assertIn("0.5ms", self.words(*words, "0.5"))
            self.assertEqual(self.words(*words, ""), ["10s", "1m", "5m", "1h"])
            self.assertEqual(self.words(*words, "x"), [])

    def test_settings(self) -> None:
        """
        Settings are offered by their names, with the values that they have; those of a check
        are those of its kind too.
        """
        found = self.described("set", "group", "web/prod", "max")
        self.assertEqual(set(found), {"maxQueue=", "maxPending="})
        self.assertIn("a whole number", found["maxQueue="])
        self.assertIn("http", self.words("set", "check", "web/prod", ""))
        self.assertEqual(self.words("set", "check", "web/prod", "http", "pa"), ["path="])
        self.assertEqual(self.words("set", "check", "web/prod", "tcp", "pa"), [])

    def test_choices(self) -> None:
        self.assertEqual(self.words("completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.words("passwd", ""), [])
        self.assertEqual(self.words("events", "-n", ""), [])

    def test_scripts(self) -> None:
        """
        Each script asks C{txlb} itself.
        """
        for shell, line in (
            ("bash", "complete -o nospace -o bashdefault -F _python_argcomplete txlb"),
            ("zsh", "compdef _python_argcomplete txlb"),
            ("fish", "complete --command txlb -f -a '(__fish_txlb_complete)'"),
        ):
            self.out.truncate(0)
            self.out.seek(0)
            status, out, err = self.run_("completion", shell)
            self.assertEqual((status, err), (0, ""))
            self.assertIn(line, out)
        self.assertEqual(self.exits("completion", "csh"), 2)

    def test_asked(self) -> None:
        """
        C{txlb} answers a shell if its environment says that one asks.
        """
        asked: list[object] = []

        def answer(parser: object) -> int:
            asked.append(parser)
            return 7

        self.patch(_main, "complete", answer)
        self.patch(os, "environ", {**os.environ, "_ARGCOMPLETE": "1"})
        self.assertEqual(self.run_("status"), (7, "", ""))
        self.assertEqual(len(asked), 1)

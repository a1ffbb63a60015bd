"""
Tests for L{txlb.cli._main}.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys

from tests.cli.support import CommandTests
from tests.config.documents import SMALL
from txlb import __version__
from txlb.cli import COMMANDS, Command, _main, main


class MainTests(CommandTests):
    def test_version(self) -> None:
        self.assertEqual(self.exits("--version"), 0)
        self.assertEqual(self.out.getvalue(), f"txlb {__version__}\n")

    def test_closed(self) -> None:
        """
        Closed outputs change no status.
        """
        wrong = self.file(b"<config/>")
        for name in ("stdout", "stderr"):
            self.patch(sys, name, None)
        status = main(("check", wrong))
        sys.stdout.close()
        sys.stderr.close()
        self.assertEqual(status, 1)

    def test_light(self) -> None:
        """
        To read a command line takes the list of commands, and neither Twisted nor the balancer:
        a shell's script may call C{txlb} many times.
        """
        code = (
            "import sys\n"
            "from txlb.cli import _main\n"
            "_main._parser().parse_args(['weight', 'web/prod/h1', '5'])\n"
            "print([name for name in sys.modules if name.startswith(\n"
            "    ('twisted', 'zope', 'lxml', 'argcomplete', 'txlb.pool', 'txlb.model')\n"
            ")])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        self.assertEqual(done.stdout, "[]\n")

    def test_help(self) -> None:
        """
        It names every command of one word, and the first word of those of two; the help of
        that word names the rest.
        """
        self.assertEqual(self.exits("--help"), 0)
        top = self.out.getvalue()
        self.assertIn("twistd -n txlb", top)
        for command in COMMANDS:
            first, _, second = command.name.partition(" ")
            self.assertRegex(top, rf"\n    {first}\s")
            self.out.truncate(0)
            self.out.seek(0)
            if second:
                self.assertEqual(self.exits(first, "--help"), 0)
                self.assertRegex(self.out.getvalue(), rf"\n    {second}\s")
            found = " ".join((self.out.getvalue() if second else top).split())
            self.assertIn(command.summary, found)

    def test_helpOfCommand(self) -> None:
        self.assertEqual(self.exits("check", "--help"), 0)
        self.assertIn("--explain", self.out.getvalue())

    def test_optionFirst(self) -> None:
        """
        Options that tell where the balancer is may stand before the command.
        """
        path = "/nonexistent/control"
        for words in (
            ("-s", path, "status"),
            (f"-s{path}", "status"),
            ("--socket", path, "set", "host", "web/prod/h0", "maxConnections=5"),
            (f"--socket={path}", "weight", "web/prod/h0", "5"),
            ("-s", path, "weight", "--", "web/prod/h0", "5"),
        ):
            self.assertEqual(self.run_(*words)[0], 3)
            self.assertIn(f"{path}: there is no such socket", self.err.getvalue())
            self.err.truncate(0)
        self.assertEqual(self.run_("-c", "/nonexistent.xml", "status")[0], 1)
        self.assertIn("/nonexistent.xml", self.err.getvalue())
        for wrong in (["-s"], ["-s", path], ["-s", path, "schedulers"]):
            self.assertEqual(self.exits(*wrong), 2)

    def test_usage(self) -> None:
        for arguments in (
            (),
            ("frob",),
            ("check",),
            ("check", "--frob", "x"),
            ("passwd", "secret"),
        ):
            self.assertEqual(self.exits(*arguments), 2)
        self.assertEqual(self.out.getvalue(), "")
        self.assertIn("usage: txlb", self.err.getvalue())

    def test_argumentsOfProcess(self) -> None:
        self.patch(sys, "argv", ["txlb", "--version"])
        self.assertEqual(self.assertRaises(SystemExit, main).code, 0)

    def test_interrupted(self) -> None:
        """
        Ctrl-C ends it without a word.
        """

        def run(_arguments: object) -> int:
            raise KeyboardInterrupt

        command = Command("wait", "wait", "Waits.", lambda _parser: None, run)
        self.patch(_main, "COMMANDS", (command,))
        self.assertEqual(self.run_("wait"), (130, "", ""))

    def test_nobodyReads(self) -> None:
        """
        A reader that has gone, such as C{head}, ends it without a word, also
        when Python flushes at the end.
        """
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as out:
            self.patch(sys, "stdout", out)
            status = main(["check", "--explain", self.file(SMALL)])
            out.write("and this goes nowhere")
        self.assertEqual((status, self.err.getvalue()), (141, ""))

    def test_nameThatIsNoText(self) -> None:
        """
        A file's name need not be text.
        """
        path = os.fsdecode(os.fsencode(self.mktemp()) + b"\xff.xml")
        with open(path, "wb") as file:
            file.write(SMALL)
        raw = io.BytesIO()
        self.patch(sys, "stdout", io.TextIOWrapper(raw, "utf-8", write_through=True))
        self.assertEqual(main(["check", path]), 0)
        self.assertIn(b"\\udcff.xml: OK", raw.getvalue())

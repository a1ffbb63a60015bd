"""
Tests for L{txlb.cli}.
"""

from __future__ import annotations

import getpass
import io
import os
import sys

import argon2
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import SAMPLE_1_1_0, SMALL
from txlb import __version__, cli
from txlb.cli import COMMANDS, Command, main


class Terminal(io.StringIO):
    """
    An input that is a terminal.
    """

    def isatty(self) -> bool:
        return True


class CommandTests(SynchronousTestCase):
    """
    What is said where, and the exit status.
    """

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        return status, self.out.getvalue(), self.err.getvalue()

    def exits(self, *arguments: str) -> object:
        return self.assertRaises(SystemExit, main, arguments).code

    def file(self, data: bytes) -> str:
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(data)
        return path


class MainTests(CommandTests):
    def test_version(self) -> None:
        self.assertEqual(self.exits("--version"), 0)
        self.assertEqual(self.out.getvalue(), f"txlb {__version__}\n")

    def test_help(self) -> None:
        """
        It names every command.
        """
        self.assertEqual(self.exits("--help"), 0)
        for command in COMMANDS:
            self.assertIn(f"    {command.name} ", self.out.getvalue())
            self.assertIn(command.summary, self.out.getvalue())
        self.assertIn("twistd -n txlb", self.out.getvalue())

    def test_helpOfCommand(self) -> None:
        self.assertEqual(self.exits("check", "--help"), 0)
        self.assertIn("--explain", self.out.getvalue())

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
        self.patch(cli, "COMMANDS", (command,))
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


class CheckTests(CommandTests):
    def test_ok(self) -> None:
        path = self.file(SMALL)
        self.assertEqual(
            self.run_("check", path), (0, f"{path}: OK: 1 service, 1 group, 2 hosts\n", "")
        )

    def test_notes(self) -> None:
        path = self.file(SAMPLE_1_1_0)
        status, out, err = self.run_("check", path)
        lines = out.splitlines()
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(lines[0], f"{path}: OK: 2 services, 3 groups, 4 hosts")
        self.assertIn(f"{path}:22: note: <web> is read and has no effect", lines[1])
        self.assertEqual(len(lines), 7)

    def test_explain(self) -> None:
        path = self.file(SMALL)
        status, out, err = self.run_("check", "--explain", path)
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(out.startswith(f"{path}: OK: "))
        self.assertIn("    idleTimeout      3600 s  default\n", out)

    def test_everyError(self) -> None:
        path = self.file(SMALL.replace(b"7001", b"0").replace(b"8080", b"70000"))
        status, out, err = self.run_("check", path)
        lines = err.splitlines()
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith(f"{path}:3: ip of <listen>: port 70000"), err)
        self.assertTrue(lines[1].startswith(f"{path}:5: ip of host 'h1': port 0"), err)

    def test_severalFiles(self) -> None:
        """
        Each is looked at, wherever the wrong one stands.
        """
        first, second = self.file(SMALL), self.file(SMALL)
        status, out, err = self.run_("check", first, "missing", second)
        self.assertEqual(status, 1)
        self.assertEqual([line.split(":")[0] for line in out.splitlines()], [first, second])
        self.assertEqual(err, "missing: it can't be read: No such file or directory\n")


class PasswdTests(CommandTests):
    def piped(self, text: str) -> tuple[int, str, str]:
        self.patch(sys, "stdin", io.StringIO(text))
        return self.run_("passwd")

    def typed(self, *answers: str | type[BaseException]) -> tuple[int, str, str]:
        """
        Answer what is asked at a terminal.
        """
        left = list(answers)
        self.prompts: list[str] = []

        def answerNext(prompt: str) -> str:
            self.prompts.append(prompt)
            answer = left.pop(0)
            if isinstance(answer, str):
                return answer
            raise answer

        self.patch(sys, "stdin", Terminal())
        self.patch(getpass, "getpass", answerNext)
        result = self.run_("passwd")
        self.assertEqual(left, [])
        return result

    def isHashOf(self, password: str, out: str) -> None:
        self.assertTrue(out.startswith("$argon2id$") and out.endswith("\n"))
        self.assertTrue(argon2.PasswordHasher().verify(out.rstrip("\n"), password))

    def test_typed(self) -> None:
        """
        It is asked twice, by what doesn't echo.
        """
        status, out, err = self.typed(" hunter2 ", " hunter2 ")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(self.prompts, ["Password: ", "The same again: "])
        self.isHashOf(" hunter2 ", out)

    def test_different(self) -> None:
        self.assertEqual(
            self.typed("hunter2", "hunter3"),
            (1, "", "txlb passwd: the two are not the same; try again\n"),
        )

    def test_empty(self) -> None:
        message = "txlb passwd: the password is empty; choose a longer one\n"
        self.assertEqual(self.typed(""), (1, "", message))

    def test_endOfInput(self) -> None:
        message = "txlb passwd: no password was given; nothing was made\n"
        self.assertEqual(self.typed(EOFError), (1, "", message))

    def test_interrupted(self) -> None:
        self.assertEqual(self.typed("hunter2", KeyboardInterrupt), (130, "", ""))

    def test_piped(self) -> None:
        """
        Only the first line counts, without its end.
        """
        for text in ("hunter2", "hunter2\n", "hunter2\r\n", "hunter2\nhunter3\n"):
            self.out.truncate(0)
            self.out.seek(0)
            status, out, err = self.piped(text)
            self.assertEqual((status, err), (0, ""))
            self.isHashOf("hunter2", out)

    def test_pipedNothing(self) -> None:
        for text in ("", "\n"):
            status, out, err = self.piped(text)
            self.assertEqual((status, out), (1, ""))
            self.assertIn("the password is empty", err)

    def test_tooLong(self) -> None:
        status, out, err = self.piped("x" * 20_000)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("1 to 1024 bytes", err)

    def test_noText(self) -> None:
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), "utf-8"))
        status, out, err = self.run_("passwd")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("no text in this terminal's encoding", err)

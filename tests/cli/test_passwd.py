"""
Tests for L{txlb.cli._passwd}.
"""

from __future__ import annotations

import getpass
import io
import sys

import argon2

from tests.cli.support import CommandTests


class Terminal(io.StringIO):
    """
    An input that is a terminal.
    """

    def isatty(self) -> bool:
        return True


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

"""
Tests for L{txlb.admin._console}.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import FakeConsole
from txlb.admin._console import MAX_BLOCK, MAX_LINE, Interpreter
from txlb.pool import Event, EventKind


class BrokenRepr:
    def __repr__(self) -> str:
        raise ValueError("no")


class InterpreterTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.console = FakeConsole()
        self.deferred: Deferred[object] = Deferred()
        self.names = {
            "deferred": self.deferred,
            "succeed": succeed,
            "fail": fail,
            "broken": BrokenRepr(),
        }
        self.interpreter = Interpreter(self.console, self.names)

    def push(self, *lines: str) -> str:
        self.console.shown = ""
        for line in lines:
            self.interpreter.push(line.encode())
        return self.console.shown


class InterpreterTests(InterpreterTestCase):
    def test_values(self) -> None:
        self.assertEqual(self.push("1 + 1"), "2\n")
        self.assertEqual(self.push("_ * 2"), "4\n")
        self.assertEqual(self.push("None", "x = 5", ""), "")
        self.assertEqual(self.push("x"), "5\n")
        self.assertFalse(self.interpreter.failed)

    def test_namespaceIsACopy(self) -> None:
        self.push("fail = None")
        self.assertIs(self.names["fail"], fail)

    def test_acting(self) -> None:
        """
        Each line is run within what says who acts, whatever comes of it.
        """
        seen: list[str] = []

        @contextlib.contextmanager
        def acting() -> Iterator[None]:
            seen.append("in")
            try:
                yield
            finally:
                seen.append("out")

        names = {"note": seen.append}
        interpreter = Interpreter(self.console, names, acting)
        for line in (b"note('1')", b"1 / 0", b"exit()", b"if True:", b"    note('2')", b""):
            interpreter.push(line)
        self.assertEqual(" ".join(seen), "in 1 out in out in out in out in out in 2 out")

    def test_blocks(self) -> None:
        self.assertTrue(self.interpreter.push(b"for i in range(3):"))
        self.assertTrue(self.interpreter.push(b"    i"))
        self.assertFalse(self.interpreter.push(b""))
        self.assertEqual(self.console.shown, "0\n1\n2\n")
        self.assertEqual(self.interpreter.buffer, [])

    def test_resetBuffer(self) -> None:
        self.interpreter.push(b"for i in range(3):")
        self.interpreter.resetBuffer()
        self.assertEqual(self.push("7"), "7\n")

    def test_utf8(self) -> None:
        self.assertEqual(self.push("'é' + '中'"), "'é中'\n")
        self.interpreter.push(b"'\xff'")
        self.assertIn("\ufffd", self.console.shown)

    def test_print(self) -> None:
        before = sys.stdout
        self.assertEqual(self.push("print('a', 'b', end='')"), "a b")
        self.assertEqual(self.push("import sys; print('c', file=sys.stderr)"), "c\n")
        self.assertIs(sys.stdout, before)
        self.assertEqual(self.push("sys.stdout.writable(), sys.stdout.isatty()"), "(True, False)\n")

    def test_nothingToRead(self) -> None:
        """
        Neither C{input} nor the debugger waits for the process's own input.
        """
        self.push("input('? ')")
        self.assertIn("EOFError", self.console.errors)

    def test_errors(self) -> None:
        """
        Of one line that was typed one line tells what is wrong.
        """
        self.push("1/0")
        self.assertEqual(self.console.errors, "ZeroDivisionError: division by zero\n")
        self.assertTrue(self.interpreter.failed)

    def test_errorsInBlocks(self) -> None:
        """
        Of several the number of the line is told.
        """
        self.push("if True:", "    1/0", "")
        self.assertEqual(
            self.console.errors,
            "Traceback (most recent call last):\n"
            '  File "<console>", line 2, in <module>\n'
            "ZeroDivisionError: division by zero\n",
        )

    def test_events(self) -> None:
        """
        What the manager gives back is shown as a log shows it.
        """
        event = Event(EventKind.HOST_WEIGHT, ("web", "prod", "h"), "weight 1 -> 2", 0.0, by="x")
        self.interpreter.locals.update(one=event, two=(event, event), none=())
        text = "host-weight web/prod/h: weight 1 -> 2, by x\n"
        self.assertEqual(self.push("one"), text)
        self.assertEqual(self.push("two"), text * 2)
        self.assertEqual(self.push("none"), "()\n")
        self.assertEqual(self.push("_ == none, [one, 1][1:]"), "(True, [1])\n")
        self.assertIn(text, self.push("succeed(two)"))

    def test_syntaxErrors(self) -> None:
        self.push("if")
        self.assertIn("SyntaxError", self.console.errors)
        self.assertNotIn("Traceback", self.console.errors)
        self.assertTrue(self.interpreter.failed)

    def test_brokenValues(self) -> None:
        self.push("broken")
        self.assertIn("ValueError: no", self.console.errors)

    def test_aForeignHookIsNotAsked(self) -> None:
        """
        Somebody's C{sys.excepthook} doesn't hear of it.
        """
        heard: list[object] = []
        self.patch(sys, "excepthook", lambda *args: heard.append(args))
        self.push("1/0", "if")
        self.assertIn("ZeroDivisionError", self.console.errors)
        self.assertIn("SyntaxError", self.console.errors)
        self.assertEqual(heard, [])

    def test_keyboardInterruptIsAnErrorToo(self) -> None:
        self.push("raise KeyboardInterrupt")
        self.assertIn("KeyboardInterrupt", self.console.errors)

    def test_exit(self) -> None:
        """
        It ends the session, and nothing of the process.
        """
        stdin = sys.stdin
        for line, status in (
            ("exit()", 0),
            ("quit()", 0),
            ("raise SystemExit(3)", 3),
            ("raise SystemExit(True)", 1),
            ("raise SystemExit(-1)", 255),
        ):
            self.push(line)
            self.assertEqual(self.console.statuses.pop(), status, line)
        self.assertIs(sys.stdin, stdin)
        self.assertFalse(self.interpreter.failed)

    def test_exitWithAMessage(self) -> None:
        self.push("import sys; sys.exit('enough')")
        self.assertEqual(self.console.errors, "enough\n")
        self.assertEqual(self.console.statuses, [1])
        self.assertTrue(self.interpreter.failed)

    def test_longLine(self) -> None:
        self.assertEqual(self.push("x = 1".ljust(MAX_LINE)), "")
        self.assertFalse(self.interpreter.failed)
        self.push("x = 2".ljust(MAX_LINE + 1))
        self.assertIn("at most 4096 bytes", self.console.errors)
        self.assertTrue(self.interpreter.failed)
        self.assertEqual(self.push("x"), "1\n")

    def test_longBlock(self) -> None:
        line = "    x = 2".ljust(MAX_LINE)
        self.push("x = 1", "if True:", *([line] * (MAX_BLOCK // MAX_LINE)))
        self.assertIn("a statement 16384", self.console.errors)
        self.assertEqual(self.interpreter.buffer, [])
        self.assertEqual(self.push("x"), "1\n")


class DeferredTests(InterpreterTestCase):
    def test_calledBack(self) -> None:
        self.assertEqual(self.push("deferred"), "<Deferred #0>\n")
        self.assertEqual(self.push("deferred"), "<Deferred #0>\n")
        self.assertEqual(self.interpreter.pending, 1)
        self.deferred.callback("done")
        self.assertEqual(self.console.asynchronous, ["Deferred #0 called back: 'done'\n"])
        self.assertEqual(self.successResultOf(self.deferred), "done")
        self.assertEqual(self.interpreter.pending, 0)
        self.assertFalse(self.interpreter.failed)

    def test_failed(self) -> None:
        """
        It is shown, and with that handled.
        """
        self.push("deferred")
        self.deferred.errback(ValueError("bad"))
        self.assertEqual(self.console.asynchronous, ["Deferred #0 failed: ValueError: bad\n"])
        self.assertTrue(self.interpreter.failed)
        self.assertIsNone(self.successResultOf(self.deferred))

    def test_firedAlready(self) -> None:
        """
        What has come already is shown as what a function returns or raises, whether it took a
        while or not.
        """
        self.assertEqual(self.push("succeed(5)"), "5\n")
        self.assertEqual(self.push("_ + 1"), "6\n")
        self.assertEqual(self.push("succeed(None)"), "")
        self.push("fail(ValueError('bad'))")
        self.assertEqual(self.console.errors, "ValueError: bad\n")
        self.assertTrue(self.interpreter.failed)
        self.assertEqual((self.console.asynchronous, self.interpreter.pending), ([], 0))

    def test_brokenResult(self) -> None:
        self.push("deferred")
        self.deferred.callback(BrokenRepr())
        self.assertEqual(
            self.console.asynchronous,
            ["Deferred #0 called back: <a BrokenRepr that can't be shown: ValueError>\n"],
        )

    def test_whenIdle(self) -> None:
        self.successResultOf(self.interpreter.whenIdle())
        self.push("deferred", "from twisted.internet.defer import Deferred", "d = Deferred()", "d")
        idle = self.interpreter.whenIdle()
        self.deferred.callback(1)
        self.assertNoResult(idle)
        self.push("d.callback(2)")
        self.assertIsNone(self.successResultOf(idle))

"""
Tests for L{txlb.admin._terminal}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import FakeOutput
from txlb.admin import _terminal
from txlb.admin._console import MAX_LINE
from txlb.admin._terminal import MAX_ESCAPE, MAX_HISTORY, Prompt, TerminalSession

UP, DOWN, RIGHT, LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D"


class TerminalTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.output = FakeOutput()
        self.logged: list[str] = []
        self.deferred: Deferred[object] = Deferred()
        self.session = TerminalSession(self.output, self.names, self.logged.append, (80, 24))
        self.greeting = self.output.take()

    def names(self, show: Callable[[str], None]) -> Mapping[str, object]:
        self.show = show
        return {"answer": 42, "deferred": self.deferred}

    @property
    def prompt(self) -> Prompt:
        prompt = self.session._terminal.terminalProtocol
        assert isinstance(prompt, Prompt)
        return prompt

    def keys(self, data: bytes) -> bytes:
        """
        What is shown when somebody types.
        """
        for number in range(len(data)):
            self.session.dataReceived(data[number : number + 1])
        return self.output.take()

    def paste(self, data: bytes) -> bytes:
        """
        What is shown when it comes at once.
        """
        self.session.dataReceived(data)
        return self.output.take()

    def line(self) -> bytes:
        return b"".join(self.prompt.lineBuffer)


class PromptTests(TerminalTestCase):
    def test_greeting(self) -> None:
        self.assertIn(b"answer, deferred", self.greeting)
        self.assertTrue(self.greeting.endswith(b"\r\n>>> \x1b[4h"))
        self.assertNotIn(b"\x1bc", self.greeting)

    def test_values(self) -> None:
        self.assertTrue(self.keys(b"answer\r").endswith(b"\r\n42\r\n>>> "))
        self.assertTrue(self.paste(b"x = 1\rx + 1\r").endswith(b"x + 1\r\n2\r\n>>> "))
        self.assertEqual(self.logged, ["answer", "x = 1", "x + 1"])

    def test_emptyLinesAreNotLogged(self) -> None:
        self.assertEqual(self.paste(b"\r  \r"), b"\r\n>>>   \r\n>>> ")
        self.assertEqual(self.logged, [])

    def test_blocks(self) -> None:
        shown = self.paste(b"for i in 1, 2:\r  i\r\r")
        self.assertTrue(shown.endswith(b"... \r\n1\r\n2\r\n>>> "), shown)

    def test_errors(self) -> None:
        self.assertIn(b"ZeroDivisionError: division by zero\r\n>>> ", self.keys(b"1/0\r"))

    def test_outputWithoutItsEnd(self) -> None:
        self.assertTrue(self.keys(b"print(1, end='')\r").endswith(b"\r\n1\r\n>>> "))

    def test_ctrlC(self) -> None:
        shown = self.keys(b"for i in 1, 2:\r xyz\x03")
        self.assertTrue(shown.endswith(b"\r\nKeyboardInterrupt\r\n>>> "))
        self.assertTrue(self.keys(b"answer\r").endswith(b"\r\n42\r\n>>> "))

    def test_ctrlD(self) -> None:
        self.keys(b"x")
        self.assertEqual(self.keys(b"\x04"), b"\a")
        self.keys(b"\x7f")
        self.assertEqual(self.keys(b"\x04"), b"\x1b[4l\r\n")
        self.assertEqual(self.output.statuses, [0])
        self.assertEqual(self.keys(b"answer\r"), b"")
        self.assertEqual(self.logged, [])

    def test_exit(self) -> None:
        """
        What was pasted behind it is not run.
        """
        self.paste(b"raise SystemExit(3)\ranswer\r")
        self.assertEqual(self.output.statuses, [3])
        self.assertEqual(self.logged, ["raise SystemExit(3)"])

    def test_show(self) -> None:
        self.show("a\nb\n")
        self.assertEqual(self.output.take(), b"a\r\nb\r\n")


class EditingTests(TerminalTestCase):
    def test_backspace(self) -> None:
        for key in (b"\x7f", b"\x08"):
            self.keys(b"abc" + key)
            self.assertEqual(self.line(), b"ab")
            self.keys(b"\x03")

    def test_beyondASCII(self) -> None:
        self.keys("'é中'".encode())
        self.assertEqual(self.line(), "'é中'".encode())
        self.keys(LEFT + b"\x7f" + "ü".encode())
        self.assertEqual(self.line(), "'éü'".encode())
        self.assertTrue(self.keys(b"\r").endswith("\r\n'éü'\r\n>>> ".encode()))

    def test_notUTF8(self) -> None:
        """
        What is half a character when another key comes is forgotten.
        """
        self.keys(b"'\xc3\x7f'\x80")
        self.assertEqual(self.line(), "'\ufffd".encode())

    def test_controlCharactersAreIgnored(self) -> None:
        self.keys("a\x02\x00\x1b[15~\u202eb".encode())
        self.assertEqual(self.line(), b"ab")

    def test_tab(self) -> None:
        """
        At the begin of a line it indents.
        """
        self.keys(b"\tx")
        self.assertEqual(self.line(), b"    x")
        self.keys(b"\x01 \t")
        self.assertEqual(self.line(), b"        x")

    def test_tabInAPaste(self) -> None:
        self.paste(b"a\tb\tc")
        self.assertEqual(self.line(), b"a   b   c")

    def test_complete(self) -> None:
        """
        What is typed goes on as far as there is one way.
        """
        self.keys(b"ans\t")
        self.assertEqual(self.line(), b"answer")
        self.keys(b".bit_l\t")
        self.assertEqual(self.line(), b"answer.bit_length(")
        self.keys(b")\r")
        self.keys(b"defe\t.unp\t")
        self.assertEqual(self.line(), b"deferred.unpause(")

    def test_completeBeforeTheCursor(self) -> None:
        self.keys(b"ans + 1\x01" + RIGHT * 3 + b"\t")
        self.assertEqual(self.line(), b"answer + 1")

    def test_choices(self) -> None:
        """
        With several the names are shown above the line, which stays as it is.
        """
        shown = self.keys(b"answer.bit_\t")
        self.assertIn(b"bit_count(  bit_length(\r\n", shown)
        self.assertTrue(shown.endswith(b">>> answer.bit_"), shown)
        self.assertEqual(self.line(), b"answer.bit_")

    def test_manyChoices(self) -> None:
        self.patch(_terminal, "MAX_CHOICES", 3)
        shown = self.keys(b"answer.\t")
        self.assertIn(b" more\r\n", shown)
        self.assertIn(b"as_integer_ratio(  bit_count(", shown)

    def test_nothingToComplete(self) -> None:
        self.assertEqual(self.keys(b"nosuch\t")[-1:], b"\a")
        self.assertEqual(self.keys(b"(1 + \t")[-1:], b"\a")
        self.assertEqual(self.keys(b"\x03answer\t")[-1:], b"\a")

    def test_colours(self) -> None:
        self.assertTrue(self.keys(b"x1 + 23").endswith(b"\x1b[36m23\x1b[0m"))
        self.assertEqual(self.keys(b" "), b" ")

    def test_whatCannotBeColoured(self) -> None:
        self.keys(b"if 1:\r   if 2:\r        x\r  ")
        self.assertTrue(self.keys(b"y").endswith(b"y"))
        self.assertEqual(self.line(), b"  y")

    def test_aPasteIsColouredOnce(self) -> None:
        shown = self.paste(b"answer")
        self.assertTrue(shown.startswith(b"answe\x1b[2K"))
        self.assertEqual(shown.count(b"\x1b[2K"), 1)

    def test_noColoursBeyondTheEdge(self) -> None:
        """
        A line that is longer than a row can't be drawn anew.
        """
        self.session.resized(10, 24)
        self.keys(b"abcdef")
        self.assertEqual(self.keys(b"ghi"), b"ghi")

    def test_longLine(self) -> None:
        self.paste(b"x" * MAX_LINE)
        self.assertEqual(self.paste(b"yy"), b"\a\a")
        self.assertEqual(len(self.line()), MAX_LINE)

    def test_endlessEscape(self) -> None:
        self.paste(b"\x1b[" + b"1" * (MAX_ESCAPE + 1))
        self.keys(b"answer")
        self.assertEqual(self.line(), b"answer")

    def test_ctrlL(self) -> None:
        self.keys(b"abc")
        self.assertEqual(self.keys(b"\x0c"), b"\x1b[2J\x1b[H>>> abc")


class HistoryTests(TerminalTestCase):
    def test_upAndDown(self) -> None:
        self.paste("x = 'é'\ry = 2\r".encode())
        self.keys(UP + UP)
        self.assertEqual(self.line(), "x = 'é'".encode())
        self.assertEqual(len(self.prompt.lineBuffer), 7)
        self.keys(DOWN)
        self.assertEqual(self.line(), b"y = 2")
        self.keys(DOWN)
        self.assertEqual(self.line(), b"")

    def test_bound(self) -> None:
        self.paste(b"".join(b"%d\r" % n for n in range(MAX_HISTORY + 50)))
        self.assertEqual(len(self.prompt.historyLines), MAX_HISTORY)
        self.keys(UP)
        self.assertEqual(self.line(), b"%d" % (MAX_HISTORY + 49))

    def test_boundOfWhatWasNotEntered(self) -> None:
        """
        The line that is being typed goes to the history too.
        """
        self.paste(b"1\r" * MAX_HISTORY)
        for _ in range(3):
            self.keys(b"2" + UP + DOWN + DOWN)
        self.assertEqual(len(self.prompt.historyLines), MAX_HISTORY)
        self.assertEqual(self.prompt.historyPosition, MAX_HISTORY)


class AsynchronousTests(TerminalTestCase):
    def test_aLineBeingTyped(self) -> None:
        """
        It stays as it is, below what has come.
        """
        self.keys(b"deferred\r")
        self.keys(b"answer" + LEFT + LEFT)
        self.deferred.callback(1)
        self.assertEqual(
            self.output.take(), b"\r\x1b[2KDeferred #0 called back: 1\r\n>>> answer\x1b[2D"
        )
        self.assertTrue(self.keys(b"\r").endswith(b"\r\n42\r\n>>> "))

    def test_noEnd(self) -> None:
        self.prompt.addOutput("news", isAsync=True)
        self.assertEqual(self.output.take(), b"\r\x1b[2Knews\r\n>>> ")

    def test_afterTheSession(self) -> None:
        self.keys(b"deferred\r")
        self.session.closed()
        self.deferred.callback(1)
        self.show("nobody sees this")
        self.assertEqual(self.output.take(), b"")


class SessionTests(TerminalTestCase):
    def test_eof(self) -> None:
        self.session.eofReceived()
        self.session.eofReceived()
        self.assertEqual(self.output.statuses, [0])

    def test_stopping(self) -> None:
        self.session.stopping()
        self.session.stopping()
        self.assertEqual(self.output.take(), b"\r\nThe balancer ends this session.\x1b[4l\r\n")
        self.assertEqual(self.output.statuses, [1])

    def test_closed(self) -> None:
        self.session.closed()
        self.session.closed()
        self.session.resized(10, 10)
        self.session.write(b"x")
        self.session.loseConnection()
        self.assertEqual(self.keys(b"answer\r"), b"")
        self.assertEqual((self.output.written, self.output.statuses), (b"", []))

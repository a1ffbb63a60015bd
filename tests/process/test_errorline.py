"""
Tests for L{txlb.process._errorline}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

import twisted
from txlb.cloning import CloningError
from txlb.process import errorLine, lastWords
from txlb.process._errorline import MOST_SAID

#: A place in Twisted.
TWISTED = f'  File "{twisted.__path__[0]}/persisted/sob.py", line 175, in load\n    eval()\n'

TWISTDS = "Unhandled Error\nTraceback (most recent call last):\n"


class ErrorLineTests(SynchronousTestCase):
    def lineOf(self, text: str, name: str = "app.tac") -> str:
        """
        Tell an error whose traceback begins in the C{.tac}.
        """
        try:
            exec(compile(text, name, "exec"), {"CloningError": CloningError})
        except Exception as problem:  # noqa: BLE001 - any
            assert problem.__traceback__ is not None
            return errorLine(problem.with_traceback(problem.__traceback__.tb_next))
        raise AssertionError("it has no error")

    def test_lines(self) -> None:
        for text, expected in (
            ("\n1 / 0", "app.tac, line 2: ZeroDivisionError: division by zero"),
            ("raise CloningError('no.')", "app.tac, line 1: no"),
            ("raise KeyError", "app.tac, line 1: KeyError"),
            ("\nimport json\njson.loads('{')", "app.tac, line 3: JSONDecodeError: Expecting "),
            ("raise ValueError('a\\n  b')", "app.tac, line 1: ValueError: a b"),
            ("compile('(', 'shop.py', 'exec')", "app.tac, line 1: SyntaxError: "),
        ):
            self.assertIn(expected, self.lineOf(text))
        self.assertRegex(self.lineOf("import json; json.loads('{')"), r"decoder\.py, line \d+\)$")

    def test_noPlace(self) -> None:
        """
        An error that comes from no file of the application's.
        """
        self.assertEqual(errorLine(ValueError("no")), "ValueError: no")
        wrong = errorLine(SyntaxError("no", ("shop.py", 3, 1, "")))
        self.assertEqual(wrong, "SyntaxError: no (shop.py, line 3)")
        self.assertEqual(errorLine(None), "NoneType: None")
        problem = KeyError("application")
        self.assertEqual(errorLine(problem), "the file makes no 'application', which twistd needs")


class LastWordsTests(SynchronousTestCase):
    def test_plain(self) -> None:
        self.assertEqual(lastWords("\n  \n"), "")
        self.assertEqual(lastWords("a\n b   c "), "b c")
        self.assertEqual(lastWords("txlb: app.tac, line 3: no"), "app.tac, line 3: no")
        self.assertEqual(len(lastWords("x" * 9999)), MOST_SAID)

    def test_twistds(self) -> None:
        """
        Of the traceback that C{twistd} prints come the first line of the application's, the
        error, and the line where it was raised.
        """
        own = '  File "app.tac", line 7, in <module>\n    raise\n'
        inside = '  File "/lib/json/decoder.py", line 355, in decode\n    raise\n'
        end = "\n\n\nFailed to load application: boom\n"
        error = "builtins.ValueError: boom"
        self.assertEqual(
            lastWords(f"{TWISTDS}{TWISTED}{own}{error}{end}"), "app.tac, line 7: ValueError: boom"
        )
        self.assertEqual(
            lastWords(f"{TWISTDS}{TWISTED}{own}{inside}json.decoder.JSONDecodeError: boom{end}"),
            "app.tac, line 7: JSONDecodeError: boom (/lib/json/decoder.py, line 355)",
        )

    def test_syntax(self) -> None:
        """
        A file that does not compile.
        """
        said = "builtins.SyntaxError: invalid syntax (app.tac, line 2)"
        end = "\n\n\nFailed to load application: invalid syntax (app.tac, line 2)\n"
        self.assertEqual(
            lastWords(f"{TWISTDS}{TWISTED}{said}{end}"),
            "SyntaxError: invalid syntax (app.tac, line 2)",
        )
        place = '  File "/srv/shop.py", line 3\n    def (:\n        ^\n'
        self.assertEqual(
            lastWords(f"{TWISTDS}{TWISTED}{place}SyntaxError: invalid syntax\n"),
            "/srv/shop.py, line 3: SyntaxError: invalid syntax",
        )

    def test_program(self) -> None:
        """
        The program that calls Twisted is not the application.
        """
        program = '  File "/bin/twistd", line 8, in <module>\n    run()\n'
        own = '  File "/srv/shop.py", line 3, in <module>\n    raise ValueError\n'
        self.assertEqual(
            lastWords(f"{TWISTDS}{program}{TWISTED}{own}ValueError\n"),
            "/srv/shop.py, line 3: ValueError",
        )

    def test_noApplication(self) -> None:
        said = (
            "Failed to load application: 'application'\nCould not find 'application' in the file."
        )
        self.assertEqual(
            lastWords(f"{said} To use\n\nPlease read the HOWTO."),
            "the file makes no 'application', which twistd needs",
        )

    def test_later(self) -> None:
        """
        What a process says after a traceback counts.
        """
        self.assertEqual(lastWords(f"{TWISTDS}{TWISTED}ValueError: no\n\nit ends\n"), "it ends")
        self.assertEqual(lastWords(f"{TWISTDS}{TWISTED}  | what\n"), "| what")

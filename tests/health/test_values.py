"""
Tests for L{txlb.health._values}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.health._call import Function
from txlb.health._values import Bytes, Statuses, ranges, shown, unescaped
from txlb.model.options import Text


class ValueTests(SynchronousTestCase):
    """
    Texts and what they stand for.
    """

    def test_text(self) -> None:
        kind = Text("[a-z]+", "a word")
        self.assertEqual(kind.parse("word", "it"), "word")
        for wrong in ("", "Word", "word\n", "w" * 5000):
            error = self.assertRaises(ModelError, kind.parse, wrong, "it")
            self.assertIn("it is a word", str(error))

    def test_statuses(self) -> None:
        kind = Statuses()
        self.assertEqual(kind.parse("200, 204,301 - 302", "it"), "200,204,301-302")
        self.assertEqual(ranges("200,301-302"), [(200, 200), (301, 302)])
        for wrong in ("", "99", "600", "300-200", "200,", "2xx", "200-", "1" * 5000):
            self.assertRaises(ModelError, kind.parse, wrong, "it")

    def test_escapes(self) -> None:
        self.assertEqual(unescaped(r"a\r\n\t\0\\\x7fb", "it"), b"a\r\n\t\0\\\x7fb")
        self.assertEqual(unescaped("é", "it"), "é".encode())
        for wrong in ("\\", r"\q", r"\x1", r"\xgg", r"ends with \\" + "\\"):
            error = self.assertRaises(ModelError, unescaped, wrong, "it")
            self.assertIn("a backslash begins one of", str(error))

    @given(st.binary(max_size=50))
    def test_anyBytes(self, data: bytes) -> None:
        """
        There is a text for all bytes.
        """
        text = "".join(f"\\x{byte:02x}" for byte in data)
        self.assertEqual(unescaped(text, "it"), data)

    def test_bytes(self) -> None:
        self.assertEqual(Bytes().parse(r"PING\r\n", "it"), r"PING\r\n")
        self.assertRaises(ModelError, Bytes().parse, "", "it")
        self.assertRaises(ModelError, Bytes().parse, "x" * 5000, "it")
        self.assertIn("escapes", Bytes().brief())

    @given(st.binary(max_size=200))
    def test_shown(self, data: bytes) -> None:
        """
        Whatever a host sends, a log shows it in one line that no terminal obeys.
        """
        text = shown(data)
        self.assertTrue(text.isprintable())
        self.assertLess(len(text), 600)
        self.assertEqual(text.endswith("…"), len(data) > 60)

    def test_function(self) -> None:
        """
        No text is a function.
        """
        self.assertRaises(ModelError, Function().parse, "print", "it")

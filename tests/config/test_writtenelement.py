"""
Tests for L{txlb.config._writtenelement} and its parts.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from txlb.config._writtenattribute import WrittenAttribute, escaped
from txlb.config._writtenelement import WrittenElement
from txlb.config._writtennode import WrittenNode


class EscapedTests(SynchronousTestCase):
    @given(st.text(), st.sampled_from("\"'"))
    def test_any(self, value: str, quote: str) -> None:
        """
        A parser reads what was written, or it is not written.
        """
        try:
            text = escaped(value, quote)
        except ValueError as error:
            self.assertIn("which XML does not allow", str(error))
            return
        element: etree._Element = etree.fromstring(f"<a b={quote}{text}{quote}/>")
        self.assertEqual(element.get("b"), value)

    def test_otherQuotes(self) -> None:
        """
        They need not be escaped.
        """
        self.assertEqual(escaped("\"'", '"'), "&quot;'")
        self.assertEqual(escaped("\"'", "'"), '"&apos;')

    def test_notAllowed(self) -> None:
        for letter in ("\0", "\x1f", "\ud800", "\udfff", "\ufffe"):
            self.assertRaises(ValueError, escaped, f"a{letter}b", '"')


class ElementTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.element = WrittenElement("a")
        self.element.attributes = [
            WrittenAttribute(" ", "b", " = ", "'", "1"),
            WrittenAttribute("\t", "c", "=", '"', "2"),
        ]

    def text(self) -> str:
        parts: list[str] = []
        self.element.write(parts)
        return "".join(parts)

    def test_set(self) -> None:
        """
        A value changes between its quotes, and nothing else does.
        """
        self.element.set("b", "'\"&")
        self.assertEqual(self.text(), '<a b = \'&apos;"&amp;\'\tc="2"/>')

    def test_more(self) -> None:
        """
        One more comes last, with the quotes of the last one.
        """
        self.element.set("d", "3")
        self.assertEqual(self.text(), '<a b = \'1\'\tc="2" d="3"/>')
        self.element.attributes[-1].before = "\r\n   "
        self.element.attributes[-1].quote = "'"
        self.element.set("e", "4")
        self.assertEqual(self.text(), "<a b = '1'\tc=\"2\"\r\n   d='3'\r\n   e='4'/>")

    def test_unset(self) -> None:
        self.element.unset("b")
        self.element.unset("nothing")
        self.assertEqual(self.text(), '<a\tc="2"/>')

    def test_node(self) -> None:
        """
        What stands in an element says itself how it is written.
        """
        self.assertRaises(NotImplementedError, WrittenNode().write, [])

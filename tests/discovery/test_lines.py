"""
Tests for L{txlb.discovery._lines}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery import DocumentError, FoundHost
from txlb.discovery import _lines as lines
from txlb.discovery._lines import parseLines

PLACE = ("web", "production")


class LinesTests(SynchronousTestCase):
    def test_lines(self) -> None:
        found = parseLines(
            b"# a remark\n\n127.0.0.1:80\n"
            b"127.0.0.1:81 name=b weight=2 priority=1 state=drain # more\n"
            b"127.0.0.1:82 service=mail\n"
            b"unix:/run/c name=c service=web group=production\n"
        ).of(PLACE)
        self.assertEqual(
            sorted(found.hosts, key=lambda each: each.name),
            [
                FoundHost("127.0.0.1:80", "127.0.0.1:80"),
                FoundHost("b", "127.0.0.1:81", 2, 1, "drain"),
                FoundHost("c", "unix:/run/c"),
            ],
        )
        self.assertEqual(found.wrong, ())

    def test_wrongLines(self) -> None:
        found = parseLines(
            b"127.0.0.1:80 x\n127.0.0.1:81 weight=a\n127.0.0.1:82 size=1\n"
            b"127.0.0.1:83 weight=1 weight=2\n127.0.0.1:84 weight=99999999999\nhost\n127.0.0.1:85\n"
        ).of(PLACE)
        self.assertEqual([each.name for each in found.hosts], ["127.0.0.1:85"])
        for number, sentence in enumerate(found.wrong, 1):
            self.assertIn(f"line {number}", sentence)
        self.assertEqual(len(found.wrong), 6)

    def test_noList(self) -> None:
        self.assertRaises(DocumentError, parseLines, b"127.0.0.1:80\n127.0.0.1:8")
        self.assertRaises(DocumentError, parseLines, b"\xff\n")
        self.patch(lines, "MAX_DOCUMENT", 10)
        self.assertRaises(DocumentError, parseLines, b"127.0.0.1:80\n")
        self.patch(lines, "MAX_DOCUMENT", 100)
        self.patch(lines, "MAX_ENTRIES", 1)
        self.assertRaises(DocumentError, parseLines, b"a:1\nb:1\n")

    def test_empty(self) -> None:
        self.assertEqual(parseLines(b"").of(PLACE).hosts, ())

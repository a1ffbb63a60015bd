"""
Tests for L{txlb.discovery._record}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery import FoundHost
from txlb.discovery._record import Record
from txlb.model import ProxyHost


def said(weight: int = 1, state: str = "ready", address: str = "127.0.0.1:80") -> ProxyHost:
    return FoundHost("a", address, weight, state=state).asHost("file:x")


class RecordTests(SynchronousTestCase):
    def test_followsTheSource(self) -> None:
        record = Record.new(said())
        self.assertEqual(record.left, said())
        record = record.next(record.left, said(5, "drain", "127.0.0.1:81"))
        self.assertEqual(record.left, said(5, "drain", "127.0.0.1:81"))
        self.assertEqual(record.wished, frozenset())

    def test_sameIsSame(self) -> None:
        record = Record.new(said())
        self.assertIs(record.next(record.left, record.said), record)

    def test_wishWins(self) -> None:
        record = Record.new(said())
        record = record.next(replace(said(), weight=7), said(2, "drain"))
        self.assertEqual(record.left, said(7, "drain"))
        # The source says the same for a while, which takes nothing back.
        record = record.next(record.left, said(7))
        record = record.next(record.left, said(3))
        self.assertEqual(record.left, said(7))

    def test_wishTakenBack(self) -> None:
        record = Record.new(said())
        record = record.next(said(1, "drain"), said())
        self.assertEqual(record.left, said(1, "drain"))
        record = record.next(said(), said())
        self.assertEqual(record.wished, frozenset())
        record = record.next(record.left, said(1, "drain"))
        self.assertEqual(record.left, said(1, "drain"))

    def test_address(self) -> None:
        record = Record.new(said())
        record = record.next(said(address="127.0.0.1:99"), said(address="127.0.0.1:81"))
        self.assertEqual(record.left, said(address="127.0.0.1:99"))

    def test_removed(self) -> None:
        record = Record.new(said()).next(None, said(2))
        self.assertIsNone(record.left)
        # A person has added a host of the name since, which the source follows.
        self.assertEqual(record.next(said(), said(2)).left, said(2))

    def test_wishOverRestart(self) -> None:
        record = Record.new(said())
        self.assertIsNone(record.wish(record.left))
        self.assertEqual(record.wish(None), {"removed": True})
        wish = record.wish(said(4, "drain", "127.0.0.1:99"))
        self.assertEqual(wish, {"weight": 4, "state": "drain", "address": "127.0.0.1:99"})
        again = Record.new(said(2), wish)
        self.assertEqual(again.left, said(4, "drain", "127.0.0.1:99"))
        self.assertEqual(again.wished, {"weight", "state", "address"})
        self.assertIsNone(Record.new(said(), {"removed": True}).left)

    def test_wrongWish(self) -> None:
        wishes: tuple[dict[str, Any], ...]
        wishes = {"weight": "x"}, {"address": "nowhere"}, {"state": []}
        for wish in wishes:
            with self.subTest(wish):
                self.assertEqual(Record.new(said(), wish).left, said())

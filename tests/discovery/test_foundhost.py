"""
Tests for L{txlb.discovery._foundhost}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery import FoundHost
from txlb.errors import TxlbError
from txlb.model import TCPAddress


class FoundHostTests(SynchronousTestCase):
    def test_host(self) -> None:
        found = FoundHost("a", "[::1]:80", 3, 2, "drain", {"zone": "b"})
        host = found.asHost("file:x", True)
        self.assertEqual(
            (host.name, host.address, host.weight, host.state, host.backup, host.origin),
            ("a", TCPAddress("::1", 80), 3, "drain", True, "file:x"),
        )
        self.assertEqual(found.asHost("file:y").origin, "file:y")
        self.assertEqual(host.origin, "file:x")

    def test_addressIsCanonical(self) -> None:
        self.assertEqual(FoundHost("a", "[0:0::1]:80"), FoundHost("a", "[::1]:80"))

    def test_asDict(self) -> None:
        found = FoundHost("a", "127.0.0.1:80", metadata={"zone": "b"})
        plain: dict[str, Any] = found.asDict()
        self.assertEqual(FoundHost(**plain), found)

    def test_wrong(self) -> None:
        right: dict[str, Any] = {"name": "a", "address": "127.0.0.1:80"}
        everything: tuple[dict[str, Any], ...] = (
            {"name": ""},
            {"name": "a/b"},
            {"name": None},
            {"address": "nowhere"},
            {"address": "127.0.0.1:0"},
            {"weight": -1},
            {"weight": "1"},
            {"weight": True},
            {"priority": 65536},
            {"state": "maintenance"},
            {"metadata": []},
            {"metadata": {"a": 1}},
            {"metadata": {"a": "b" * 256}},
            {"metadata": {str(number): "" for number in range(33)}},
        )
        for wrong in everything:
            with self.subTest(wrong):
                self.assertRaises(TxlbError, lambda: FoundHost(**(right | wrong)))  # noqa: B023

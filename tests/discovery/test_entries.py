"""
Tests for L{txlb.discovery._entries}.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery import DocumentError, GroupedEntries, foundHost, parseDocument
from txlb.discovery import _entries as entries

PLACE = ("web", "production")


def names(document: object, place: tuple[str, str] = PLACE) -> list[str]:
    grouped = GroupedEntries(parseDocument(json.dumps(document).encode()))
    return [each.name for each in grouped.of(place).hosts]


class DocumentTests(SynchronousTestCase):
    def test_forms(self) -> None:
        host = {"name": "a", "address": "127.0.0.1:80"}
        self.assertEqual(names([host]), ["a"])
        self.assertEqual(names({"hosts": [host], "version": 7}), ["a"])

    def test_nameByAddress(self) -> None:
        self.assertEqual(
            names([{"address": "127.0.0.1:80"}, {"address": "unix:/run/a"}]),
            ["127.0.0.1:80", "unix:-run-a"],
        )

    def test_groups(self) -> None:
        document = [
            {"name": "all", "address": "a:1"},
            {"name": "service", "service": "web", "address": "a:1"},
            {"name": "group", "group": "production", "address": "a:1"},
            {"name": "both", "service": "web", "group": "production", "address": "a:1"},
            {"name": "other", "service": "web", "group": "test", "address": "a:1"},
        ]
        self.assertEqual(sorted(names(document)), ["all", "both", "group", "service"])
        self.assertEqual(sorted(names(document, ("mail", "x"))), ["all"])
        self.assertEqual(names([document[3]]), ["both"])
        self.assertEqual(names([document[3]], ("web", "test")), [])

    def test_sameAsBefore(self) -> None:
        """
        The host of an entry that is the same as before is the same object, unless it has a load.
        """
        a = {"name": "a", "address": "127.0.0.1:80"}
        b = {"address": "127.0.0.1:81", "group": "production"}
        c = {"name": "c", "address": "127.0.0.1:82", "load": 0.5}
        before = GroupedEntries([a, b, c])
        changed = [dict(a, weight=2), dict(b), dict(c), {"name": "d", "address": "127.0.0.1:83"}, 7]
        found = {each.name: each for each in GroupedEntries(changed, None, before).of(PLACE).hosts}
        former = {each.name: each for each in before.of(PLACE).hosts}
        same = [name for name in found if found[name] is former.get(name)]
        self.assertEqual((list(found), same), (["a", "c", "d", "127.0.0.1:81"], ["127.0.0.1:81"]))
        self.assertEqual(found["a"].weight, 2)

    def test_wrongEntries(self) -> None:
        grouped = GroupedEntries(
            [
                {"name": "a", "address": "127.0.0.1:80"},
                {"name": "a", "address": "127.0.0.1:81"},
                {"name": "b", "address": "127.0.0.1"},
                {"name": "c", "address": "127.0.0.1:80", "weight": 70000},
                {"name": "d"},
                7,
                {"name": "e", "address": "127.0.0.1:80", "group": 1},
                {"name": "f", "address": "127.0.0.1:82", "later": "unknown"},
            ]
        )
        found = grouped.of(PLACE)
        self.assertEqual([each.name for each in found.hosts], ["a", "f"])
        self.assertEqual(len(found.wrong), 6)
        for sentence, word in zip(
            found.wrong,
            ("entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7"),
            strict=True,
        ):
            self.assertIn(word, sentence)

    def test_sameNameFromTwoScopes(self) -> None:
        grouped = GroupedEntries(
            [
                {"name": "a", "address": "127.0.0.1:80"},
                {"name": "a", "address": "127.0.0.1:81", "service": "web"},
            ]
        )
        found = grouped.of(PLACE)
        self.assertEqual(len(found.hosts), 1)
        self.assertIn("'a'", found.wrong[0])

    def test_noDocument(self) -> None:
        for data in (b"", b"{", b"7", b'{"host": []}', b"[" * 100_000, b"\xff[]", b'{"hosts": {}}'):
            with self.subTest(data[:10]):
                self.assertRaises(DocumentError, parseDocument, data)

    def test_bounds(self) -> None:
        self.patch(entries, "MAX_DOCUMENT", 10)
        self.patch(entries, "MAX_ENTRIES", 3)
        self.patch(entries, "MAX_HOSTS", 1)
        self.patch(entries, "MAX_WRONG", 2)
        self.assertRaises(DocumentError, parseDocument, b"[" + b" " * 10 + b"]")
        self.assertRaises(DocumentError, parseDocument, b"[1,2,3,4]")
        found = GroupedEntries({"address": f"127.0.0.1:{port}"} for port in range(1, 9)).of(PLACE)
        self.assertEqual((len(found.hosts), len(found.wrong)), (1, 2))

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        try:
            document = parseDocument(data)
        except DocumentError:
            return
        found = GroupedEntries(document).of(PLACE)
        self.assertLessEqual(len(found.hosts), len(document))

    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(
                    [
                        "name",
                        "address",
                        "weight",
                        "priority",
                        "state",
                        "metadata",
                        "service",
                        "group",
                    ]
                ),
                st.recursive(
                    st.none()
                    | st.booleans()
                    | st.integers()
                    | st.text(max_size=5)
                    | st.just("a:1"),
                    lambda inner: (
                        st.lists(inner, max_size=2)
                        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
                    ),
                    max_leaves=4,
                ),
            ),
            max_size=6,
        )
    )
    def test_anyEntries(self, document: list[object]) -> None:
        # What is wrong is told, and raises nothing.
        found = GroupedEntries(document).of(PLACE)
        self.assertLessEqual(len(found.hosts) + len(found.wrong), len(document))

    def test_nameOfKey(self) -> None:
        self.assertEqual(foundHost({"address": "a:1"}, "key").name, "key")
        self.assertEqual(foundHost({"address": "a:1", "name": "own"}, "key").name, "own")

"""
Tests for L{txlb.discovery._store}.
"""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery import FoundHost, Store

PLACE = ("web", "production")
HOST = FoundHost("a", "127.0.0.1:80", 2)


class StoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.join(self.mktemp(), "discovery")
        self.store = Store(self.folder)
        self.kept = {"origin": "file:x", "hosts": [HOST.asDict()], "wishes": {"a": {"weight": 3}}}

    def test_roundTrip(self) -> None:
        self.store.write(PLACE, self.kept)
        found = self.store.read(PLACE)
        assert found is not None
        self.assertEqual(found[1], (HOST,))
        self.assertEqual(found[0]["wishes"], {"a": {"weight": 3}})
        self.assertIsNone(self.store.read(("web", "test")))

    def test_modes(self) -> None:
        self.store.write(PLACE, self.kept)
        (name,) = os.listdir(self.folder)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode), 0o600)

    def test_anyNames(self) -> None:
        for place in (("a" * 255, "b" * 255), ("../x", "ü"), ("a", "b+c"), ("a+b", "c")):
            self.store.write(place, {**self.kept, "origin": str(place)})
        for place in (("a", "b+c"), ("a+b", "c")):
            found = self.store.read(place)
            assert found is not None
            self.assertEqual(found[0]["origin"], str(place))
        self.assertEqual(len(os.listdir(self.folder)), 4)

    def test_whole(self) -> None:
        self.store.write(PLACE, self.kept)
        self.assertRaises(TypeError, self.store.write, PLACE, {"hosts": object()})
        self.assertIsNotNone(self.store.read(PLACE))
        self.assertEqual(len(os.listdir(self.folder)), 1)

    def test_unusable(self) -> None:
        self.store.write(PLACE, self.kept)
        (name,) = os.listdir(self.folder)
        for data in (
            b"",
            b"{",
            b"7",
            b'{"version": 2, "hosts": []}',
            b'{"version": 1, "hosts": 1}',
        ):
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(data)
            self.assertIsNone(self.store.read(PLACE))

    def test_forget(self) -> None:
        self.store.write(PLACE, self.kept)
        self.store.forget(PLACE)
        self.store.forget(PLACE)
        self.assertIsNone(self.store.read(PLACE))

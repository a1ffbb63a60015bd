"""
Tests for L{txlb.discovery._sourcekind}.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.discovery.sources import FAKE
from tests.registries import keepRegistries
from txlb.discovery import makeSource, registerSource, sourceKinds
from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.interfaces import IHostSourceKind
from txlb.model import Discovery
from txlb.model.registries import SOURCES


class SourceKindTests(SynchronousTestCase):
    def test_register(self) -> None:
        keepRegistries(self, SOURCES)
        registerSource(FAKE)
        self.assertTrue(verifyObject(IHostSourceKind, FAKE))
        self.assertIn(FAKE, sourceKinds())
        self.assertRaises(DuplicateName, registerSource, FAKE)

    def test_make(self) -> None:
        keepRegistries(self, SOURCES)
        registerSource(FAKE)
        tools: Any = cast(Any, None)
        self.assertEqual(makeSource(Discovery("fake"), tools).origin, "fake:x")
        self.assertRaises(UnknownName, makeSource, Discovery("none"), tools)
        self.assertRaises(UnknownName, makeSource, Discovery("fake", options={"a": 1}), tools)
        self.assertRaises(ModelError, makeSource, Discovery("fake", options={"label": 1}), tools)

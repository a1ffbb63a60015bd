"""
Tests for L{txlb.model.registries}; L{tests.application.test_plugins} has the rest of the rules.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.registries import keepRegistries
from txlb.errors import ModelError
from txlb.model.registries import CHECKS, PROBES


class RegistriesTests(SynchronousTestCase):
    def test_missing(self) -> None:
        """
        A kind without one of the attributes that files need is refused, and the error names
        the attribute.
        """
        keepRegistries(self, CHECKS, PROBES)
        whole: dict[str, Any] = {
            "word": "whole",
            "doc": "Does nothing.",
            "options": (),
            "make": print,
            "inFiles": True,
        }
        for registry, names in (
            (CHECKS, ("doc", "options", "make", "inFiles")),
            (PROBES, ("doc", "options", "make")),
        ):
            for name in names:
                part = {key: value for key, value in whole.items() if key != name}
                kind = SimpleNamespace(**part)
                error = self.assertRaises(ModelError, registry.register, kind)
                self.assertIn(name, str(error))
                self.assertNotIn("whole", registry.words())
            registry.register(SimpleNamespace(**whole))
            self.assertEqual(registry.words()[-1], "whole")

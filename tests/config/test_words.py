"""
Tests for L{txlb.config._words}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.registries import keepRegistries
from txlb.config import _words as words
from txlb.config._attribute import REQUIRED
from txlb.config._word import Word
from txlb.errors import ModelError
from txlb.health import CheckKind
from txlb.model.kinds import Whole
from txlb.model.options import Option
from txlb.model.registries import CHECKS


def kind(word: str, *options: Option, inFiles: bool = True) -> CheckKind:
    return CheckKind(word, f"About {word}.", print, options, inFiles=inFiles)  # type: ignore[arg-type]  # is not called


class WordsTests(SynchronousTestCase):
    def setUp(self) -> None:
        keepRegistries(self, CHECKS)
        self.looked = 0
        CHECKS.findBy(self.find)

    def find(self) -> list[str]:
        self.looked += 1
        return ["plugin a.py: no"]

    def test_variants(self) -> None:
        """
        A kind that is registered has a variant at once, made once of its options.
        """
        size = Option("size", Whole(1, 9), "A size.", required=True)
        CHECKS.register(kind("new", size, Option("rest", Whole(0, 9), "The rest.", 3, "a third")))
        variant = words.CHECKS["new"]
        self.assertEqual(variant.doc, "About new.")
        self.assertEqual(
            [(each.name, each.default, each.defaultDoc) for each in variant.attributes],
            [("size", REQUIRED, ""), ("rest", 3, "a third")],
        )
        self.assertIs(words.CHECKS.variants()["new"], variant)
        self.assertEqual(words.CHECKS.known()[-1], "new")
        self.assertEqual(len(words.CHECKS), len(words.CHECKS.known()))
        self.assertEqual(self.looked, 0)

    def test_another(self) -> None:
        """
        A variant is not that of another kind that had the word before.
        """
        for size in (3, 5):
            keepRegistries(self, CHECKS)
            CHECKS.register(kind("size", Option("size", Whole(0, 9), "A size.", size)))
            self.assertEqual(words.CHECKS["size"].attributes[0].default, size)
            del CHECKS._entries["size"]

    def test_onlyInPrograms(self) -> None:
        """
        A kind that files can't ask for is none of the words, and no plugin is looked for.
        """
        CHECKS.register(kind("program", inFiles=False))
        self.assertNotIn("program", words.CHECKS)
        self.assertIsNone(words.CHECKS.get("program"))
        self.assertNotIn("program", list(words.CHECKS))
        error = self.assertRaises(ModelError, Word(words.CHECKS).parse, "program", "type")
        self.assertIn("type is 'program'; it is one of tcp, ", str(error))
        self.assertEqual(self.looked, 0)

    def test_unknown(self) -> None:
        """
        The error names the nearest word and the plugins that are wrong.
        """
        word = Word(words.CHECKS)
        self.assertEqual(word.parse("http", "type"), "http")
        error = self.assertRaises(ModelError, word.parse, "htpp", "type")
        self.assertTrue(str(error).endswith("; did you mean 'http'? (plugin a.py: no)"), str(error))
        self.assertEqual(self.looked, 1)

"""
Tests for L{txlb.model._checks}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import checkName


class NameTests(SynchronousTestCase):
    def test_good(self) -> None:
        for name in ("a", "web-1", "Größe", "two words", "x" * 255, "a.b:c"):
            self.assertEqual(checkName("host", name), name)

    def test_missing(self) -> None:
        error = self.assertRaises(ModelError, checkName, "host", "")
        self.assertEqual(str(error), "a host needs a name, of 1 to 255 characters")
        for name in (None, 5, b"web"):
            error = self.assertRaises(ModelError, checkName, "host", name)
            self.assertEqual(
                str(error), f"the name of a host is {name!r}; it is a text of 1 to 255 characters"
            )

    def test_long(self) -> None:
        error = self.assertRaises(ModelError, checkName, "group", "x" * 256)
        self.assertEqual(
            str(error),
            f"the name of the group {'x' * 20!r}… is 256 characters long; at most 255 are allowed",
        )

    def test_characters(self) -> None:
        for name in ("a/b", " a", "a ", "a\nb", "a\0", "\u200b", "\ud800"):
            error = self.assertRaises(ModelError, checkName, "service", name)
            self.assertEqual(
                str(error),
                f"{name!r} is no name for a service: printable characters without a slash, "
                "and no space at either end",
            )

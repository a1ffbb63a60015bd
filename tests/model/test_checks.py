"""
Tests for L{txlb.model._checks}.
"""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import MAX_WEIGHT, checkName, checkWeight
from txlb.model._checks import checkSeconds, checkWhole, checkWord


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


class NumberTests(SynchronousTestCase):
    def test_weight(self) -> None:
        self.assertEqual(MAX_WEIGHT, 65535)
        for weight in (0, 1, 65535):
            self.assertEqual(checkWeight(weight, "host 'a'"), weight)
        for wrong in (-1, 65536, 1.0, "1", None, True):
            error = self.assertRaises(ModelError, checkWeight, wrong, "host 'a'")
            self.assertEqual(
                str(error),
                f"the weight of host 'a' is {wrong!r}; it is a whole number from 0 to 65535",
            )

    @given(st.integers(), st.integers(), st.integers())
    def test_whole(self, value: int, one: int, other: int) -> None:
        least, most = sorted((one, other))
        if least <= value <= most:
            self.assertEqual(checkWhole(value, "it", least, most), value)
        else:
            self.assertRaises(ModelError, checkWhole, value, "it", least, most)

    def test_seconds(self) -> None:
        for value in (1, 2.5, 0):
            found = checkSeconds(value, "the time", 0, 10)
            self.assertEqual(found, value)
            self.assertIs(type(found), float)
        for wrong in (-0.1, 10.1, math.nan, math.inf, "1", None, True):
            error = self.assertRaises(ModelError, checkSeconds, wrong, "the time", 0, 10)
            self.assertEqual(
                str(error), f"the time is {wrong!r}; it is a number of seconds from 0 to 10"
            )

    def test_word(self) -> None:
        self.assertEqual(checkWord("try", "it", ("try", "close")), "try")
        for wrong in ("Try", "", None, ["try"]):
            error = self.assertRaises(ModelError, checkWord, wrong, "it", ("try", "close"))
            self.assertEqual(str(error), f"it is {wrong!r}; it is one of: try, close")

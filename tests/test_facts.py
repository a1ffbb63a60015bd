"""
Tests for L{txlb._facts}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txlb._facts import MOST_TEXT, MOST_WHOLE, Facts
from txlb.errors import StateError
from txlb.pool import HealthState


class FactsTests(SynchronousTestCase):
    """
    Tests for L{Facts}.
    """

    def refused(self, value: object, read: Callable[[Facts], object], said: str) -> None:
        """
        Assert that a value is refused, with an error that names it, its place and the rule.
        """
        error = self.assertRaises(StateError, read, Facts({"key": value}, "host a"))
        self.assertIn("key of host a", str(error))
        self.assertIn(said, str(error))

    def test_missing(self) -> None:
        """
        What is missing is the usual value.
        """
        facts = Facts({}, "host a")
        self.assertEqual(facts.number("key", 1.5), 1.5)
        self.assertEqual(facts.whole("key", 3), 3)
        self.assertEqual(facts.text("key", "a"), "a")
        self.assertIs(facts.flag("key", True), True)
        self.assertIs(facts.word("key", HealthState, HealthState.UP), HealthState.UP)
        self.assertIsNone(facts.time("key"))
        self.assertEqual(list(facts.items("key")), [])
        self.assertEqual(facts.texts("key"), [])
        self.assertEqual(list(facts.each("key")), [])
        self.assertNotIn("key", facts)

    def test_present(self) -> None:
        """
        What is there is read as it is.
        """
        facts = Facts({"key": 2, "word": "down", "inside": {"a": {"b": "c"}}}, "host a")
        self.assertEqual(facts.number("key"), 2.0)
        self.assertEqual(facts.time("key"), 2.0)
        self.assertEqual(facts.whole("key"), 2)
        self.assertIs(facts.word("word", HealthState, HealthState.UP), HealthState.DOWN)
        ((name, inner),) = facts.each("inside")
        self.assertEqual((name, inner.text("b")), ("a", "c"))

    def test_refused(self) -> None:
        """
        A value of another kind, or out of its range, is refused.
        """
        value: object
        for value in (None, "1", True, float("nan"), float("inf"), -float("inf"), [], 10**400):
            self.refused(value, lambda facts: facts.number("key"), "a number")
        self.refused(-1, lambda facts: facts.number("key", least=0), "a number from 0")
        self.refused("x", lambda facts: facts.time("key"), "a number")
        for value in (None, 1.0, True, -1, MOST_WHOLE):
            self.refused(value, lambda facts: facts.whole("key"), "a whole number from 0")
        for value in (None, 1, "x" * (MOST_TEXT + 1)):
            self.refused(value, lambda facts: facts.text("key"), "a text")
        for value in (None, 1, "yes"):
            self.refused(value, lambda facts: facts.flag("key"), "true or false")
        for value in (None, 1, "sideways", ["up"]):
            read = lambda facts: facts.word("key", HealthState, HealthState.UP)  # noqa: E731
            self.refused(value, read, "one of starting, up")
        for value in (None, 1, "x", {}, [1] * 11):
            self.refused(value, lambda facts: facts.items("key", 10), "a list of at most 10")
        self.refused(["a", 1], lambda facts: facts.texts("key"), "a list of texts")
        self.refused({1: {}}, lambda facts: list(facts.each("key")), "keys are texts")
        for value in (None, 1, []):
            self.refused(value, lambda facts: facts.inside("key"), "a dictionary")
        self.assertRaises(StateError, Facts, ["a"], "host a")

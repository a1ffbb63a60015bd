"""
Tests for L{txlb.application._keepers}.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txlb._facts import Facts
from txlb.application._keepers import Keepers
from txlb.errors import DuplicateName, StateError
from txlb.interfaces import IKeptInParts, IKeptState


@implementer(IKeptState)
class Keeper:
    """
    Keeps a number.
    """

    def __init__(self, name: str, number: int = 0) -> None:
        self.name = name
        self.number = number

    def state(self) -> object:
        return {"number": self.number}

    def restore(self, state: object) -> None:
        self.number = Facts(state, self.name).whole("number")


@implementer(IKeptInParts)
class InParts(Keeper):
    """
    Keeps a number in two parts.
    """

    def ahead(self) -> Iterator[object]:
        yield {"number": 1}
        yield {"number": 2}

    def rest(self) -> object:
        return {"number": self.number}


class KeepersTests(SynchronousTestCase):
    """
    Tests for L{Keepers}.
    """

    def setUp(self) -> None:
        self.keepers = Keepers()
        self.small, self.large = Keeper("small", 5), InParts("large", 7)
        self.dropSmall = self.keepers.keep(self.small)
        self.keepers.keep(self.large)

    def test_whole(self) -> None:
        """
        All parts are in the state, and each is taken over by its own keeper.
        """
        states = self.keepers.state()
        self.assertEqual(states, {"small": {"number": 5}, "large": {"number": 7}})
        self.small.number = self.large.number = 0
        self.keepers.restore(states)
        self.assertEqual((self.small.number, self.large.number), (5, 7))

    def test_inParts(self) -> None:
        """
        A large part comes in pieces ahead; the rest has it and the small ones.
        """
        pieces = list(self.keepers.ahead())
        self.assertEqual(pieces, [{"large": {"number": 1}}, {"large": {"number": 2}}])
        rest = self.keepers.rest()
        self.assertEqual(rest, {"small": {"number": 5}, "large": {"number": 7}})

    def test_unknown(self) -> None:
        """
        A part that is unknown or missing changes nothing.
        """
        self.keepers.restore({"weather": {"sun": 1}, "large": {"number": 9}})
        self.assertEqual((self.small.number, self.large.number), (5, 9))

    def test_refused(self) -> None:
        """
        The error of a part that is refused names it. Those after it are not taken over.
        """
        states = {"small": {"number": "x"}, "large": {"number": 9}}
        error = self.assertRaises(StateError, self.keepers.restore, states)
        self.assertIn("small: number of small is", str(error))
        self.assertEqual((self.small.number, self.large.number), (5, 7))
        self.assertRaises(StateError, self.keepers.restore, ["small"])

    def test_names(self) -> None:
        """
        Names are unique, and a part can be dropped once.
        """
        self.assertEqual(self.keepers.names, ["small", "large"])
        self.assertRaises(DuplicateName, self.keepers.keep, Keeper("small"))
        self.dropSmall()
        self.assertEqual(self.keepers.names, ["large"])
        self.keepers.keep(Keeper("small"))
        self.dropSmall()
        self.assertEqual(self.keepers.names, ["large", "small"])

"""
Tests for L{txlb.proxy.fast._handler}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.proxy.fast._end import End
from txlb.proxy.fast._handler import Calls


class Owner:
    """
    Has a function that gets events.
    """

    def __init__(self) -> None:
        self.happened: list[object] = []

    def more(self, event: int) -> None:
        self.happened.append(event)

    def breakDown(self) -> None:
        """
        Take note of it.
        """
        self.happened.append("broke")


class CallsTests(SynchronousTestCase):
    def test_calls(self) -> None:
        """
        The owner of the function is told if it raised. A function without an owner has none.
        """
        owner = Owner()
        calls = Calls(owner.more)
        calls.event(1)
        calls.breakDown()
        self.assertEqual(owner.happened, [1, "broke"])
        Calls(lambda _: None).breakDown()
        events: list[int] = []
        Calls(events.append).breakDown()


class EndTests(SynchronousTestCase):
    def test_event(self) -> None:
        """
        The loop calls the pump of each kind of end.
        """
        kinds, found = [End], []
        while kinds:
            kind = kinds.pop()
            found.append(kind)
            kinds += kind.__subclasses__()
            self.assertIs(vars(kind)["event"], kind.pump)
        self.assertGreaterEqual({each.__name__ for each in found}, {"End", "UNIXEnd", "TLSEnd"})

"""
Tests for L{txlb.discovery._etcdlooks}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txlb.clients import EtcdDenied, EtcdUnreachable
from txlb.deadlines import Deadlines
from txlb.discovery._etcdlooks import EtcdLooks


class Source:
    """
    A source that watches a member.
    """

    def __init__(self, member: str) -> None:
        self.member = member
        self.looks: list[Deferred[None]] = []
        self.told: list[type[BaseException] | None] = []

    async def look(self) -> None:
        self.looks.append(Deferred())
        await self.looks[-1]

    def looked(self, trouble: Failure | None) -> None:
        self.told.append(None if trouble is None else trouble.type)


class EtcdLooksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.looks = EtcdLooks(Deadlines(self.clock, self.clock.seconds))

    def watching(self, *members: str) -> list[Source]:
        sources = [Source(each) for each in members]
        for each in sources:
            self.looks.add(each)
        return sources

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def test_each(self) -> None:
        """
        One source asks for all that watch its member, and a member that has not answered is not
        asked again.
        """
        a, b, other, none = self.watching("m1", "m1", "m2", "")
        self.advance(3.2)
        self.assertEqual([len(each.looks) for each in (a, b, other, none)], [1, 0, 1, 0])
        a.looks[0].errback(EtcdUnreachable("it is silent"))
        other.looks[0].callback(None)
        self.assertEqual(
            [each.told for each in (a, b, other, none)],
            [[EtcdUnreachable], [EtcdUnreachable], [None], []],
        )
        self.advance(1.2)
        self.assertEqual([len(each.looks) for each in (a, b, other, none)], [2, 0, 2, 0])

    def test_denied(self) -> None:
        """
        That a user has no right concerns the source alone that has asked.
        """
        a, b = self.watching("m1", "m1")
        self.advance(1.2)
        a.looks[0].errback(EtcdDenied("no"))
        self.assertEqual((a.told, b.told), ([EtcdDenied], []))

    def test_elsewhere(self) -> None:
        """
        A source that watches another member by now is not told.
        """
        (a,) = self.watching("m1")
        self.advance(1.2)
        a.member = "m2"
        a.looks[0].errback(EtcdUnreachable("it is silent"))
        self.assertEqual(a.told, [])

    def test_removed(self) -> None:
        """
        With the last source the looks end.
        """
        a, b = self.watching("m1", "m1")
        self.advance(1.2)
        self.looks.remove(b)
        self.assertTrue(self.looks)
        self.looks.remove(a)
        self.assertFalse(self.looks)
        self.assertEqual((a.told, b.told), ([], []))
        self.advance(5)
        self.assertEqual(len(a.looks), 1)

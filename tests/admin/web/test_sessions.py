"""
Tests for L{txlb.admin.web._sessions}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin import FULL, Caller
from txlb.admin.web._session import Session
from txlb.admin.web._sessions import IDLE, LONGEST, MOST, MOST_OF_USER, Sessions


class FakeStream:
    ended = 0

    def end(self) -> None:
        self.ended += 1


class SessionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions = Sessions(self.clock.seconds)

    def begin(self, user: str = "ann") -> Session:
        return self.sessions.begin(Caller(f"web:{user}", FULL), user, "127.0.0.1", user)

    def test_idle(self) -> None:
        made = self.begin()
        self.clock.advance(IDLE - 1)
        self.assertIs(self.sessions.find(made.identifier), made)
        self.clock.advance(IDLE)
        self.assertIsNone(self.sessions.find(made.identifier))
        self.assertEqual(len(self.sessions), 0)

    def test_openPage(self) -> None:
        """
        A session is in use while a page of it follows the events, but for a day at most.
        """
        made = self.begin()
        stream = FakeStream()
        made.streams.add(stream)
        self.clock.advance(2 * IDLE)
        self.assertIs(self.sessions.find(made.identifier), made)
        self.sessions.leave(made, stream)
        self.sessions.leave(made, stream)
        made.streams.add(stream)
        self.clock.advance(LONGEST)
        self.sessions.expire()
        self.assertEqual((len(self.sessions), stream.ended), (0, 1))

    def test_bounds(self) -> None:
        first = self.begin()
        for _ in range(MOST_OF_USER):
            self.begin()
        self.assertIsNone(self.sessions.find(first.identifier))
        for number in range(MOST):
            self.begin(f"user{number}")
        self.assertEqual(len(self.sessions), MOST)

    def test_chance(self) -> None:
        self.assertEqual(len({self.begin().identifier for _ in range(100)}), 100)
        self.assertEqual(len(self.begin().identifier), 22)

    def test_keep(self) -> None:
        kept, ended = self.begin("ann"), self.begin("bob")
        self.sessions.keep(["ann"])
        self.assertIsNone(self.sessions.find(ended.identifier))
        self.assertIs(self.sessions.find(kept.identifier), kept)
        self.assertNotIn(kept.identifier, repr(kept))

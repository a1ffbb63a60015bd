"""
Tests for L{txlb.admin.login._sessions}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login import Login, LoginRefused, Sessions, _sessions
from txlb.errors import UnknownName

ANNA = Login("anna", "user", ("ops",), "operator")


class SessionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions = Sessions(self.clock.seconds)
        self.ended: list[str] = []

    def test_open(self) -> None:
        session = self.sessions.open(ANNA, "ssh", "192.0.2.1:77", self.ended.append)
        self.assertEqual(
            (session.door, session.address, session.login), ("ssh", "192.0.2.1:77", ANNA)
        )
        self.assertEqual(list(self.sessions), [session])
        self.clock.advance(5)
        session.active()
        self.clock.advance(2)
        self.assertEqual((session.age, session.idle), (7, 2))
        session.close()
        session.close()
        session.end("too late")
        self.assertEqual((len(self.sessions), self.ended), (0, []))

    def test_end(self) -> None:
        first = self.sessions.open(ANNA, "ssh", "x", self.ended.append)
        second = self.sessions.open(ANNA, "web", "x", self.ended.append)
        self.assertIs(self.sessions.end(second.id, "go"), second)
        self.assertEqual((self.ended, list(self.sessions)), (["go"], [first]))
        second.end("again")
        self.assertEqual(self.ended, ["go"])
        error = self.assertRaises(UnknownName, self.sessions.end, second.id)
        self.assertIn(f"'{second.id}'", str(error))

    def test_numbersAreNotUsedAgain(self) -> None:
        first = self.sessions.open(ANNA, "ssh", "x", self.ended.append)
        first.close()
        self.assertNotEqual(self.sessions.open(ANNA, "ssh", "x", self.ended.append).id, first.id)

    def test_bounded(self) -> None:
        self.patch(_sessions, "MAX_SESSIONS", 2)
        for _ in range(2):
            self.sessions.open(ANNA, "ssh", "x", self.ended.append)
        self.assertRaises(LoginRefused, self.sessions.open, ANNA, "ssh", "x", self.ended.append)

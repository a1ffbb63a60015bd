"""
Tests for L{txlb.admin.login._tries} and L{txlb.admin.login._allowance}.
"""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login._allowance import MAX_KNOWN, Allowance
from txlb.admin.login._tries import (
    MAX_NAME,
    PAIR_SECONDS,
    PAIR_TRIES,
    SOURCE_SECONDS,
    SOURCE_TRIES,
    PasswordTries,
    TooManyTries,
)
from txlb.errors import StateError


class AllowanceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.allowance = Allowance(self.clock.seconds, 3, 10.0)

    def use(self, key: str = "x") -> bool:
        if self.allowance.wait(key) > 0:
            return False
        self.allowance.take(key)
        return True

    def test_most(self) -> None:
        self.assertEqual([self.use() for _ in range(4)], [True] * 3 + [False])
        self.assertApproximates(self.allowance.wait("x"), 10.0, 1e-4)
        self.assertTrue(self.use("y"))

    def test_theyComeBack(self) -> None:
        for _ in range(3):
            self.use()
        self.clock.advance(10)
        self.assertEqual([self.use() for _ in range(2)], [True, False])
        self.clock.advance(1000)
        self.assertEqual([self.use() for _ in range(4)], [True] * 3 + [False])

    def test_inAdvance(self) -> None:
        """
        What is used though there is none makes the next one wait longer.
        """
        for _ in range(5):
            self.allowance.take("x")
        self.assertApproximates(self.allowance.wait("x"), 30.0, 1e-4)

    def test_giveBack(self) -> None:
        for _ in range(3):
            self.use()
        self.allowance.giveBack("x")
        self.allowance.giveBack("y")
        self.assertEqual([self.use() for _ in range(2)], [True, False])
        self.allowance.reset("x")
        self.allowance.reset("x")
        self.assertEqual([self.use() for _ in range(4)], [True] * 3 + [False])

    def test_bound(self) -> None:
        """
        Those that have all are forgotten first, else the one that was used least lately.
        """
        for number in range(MAX_KNOWN):
            self.use(f"{number}")
        self.use("0")
        self.use("new")
        self.assertEqual(len(self.allowance), MAX_KNOWN)
        self.assertEqual(self.use("0"), True)
        self.assertEqual(self.use("0"), False)
        self.clock.advance(11)
        self.use("newer")
        self.assertLess(len(self.allowance), 10)


class TriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tries = PasswordTries(self.clock.seconds)

    def may(self, source: str = "192.0.2.1", user: bytes = b"anna") -> bool:
        try:
            self.tries.begin(source, user)
        except TooManyTries:
            return False
        return True

    def test_pair(self) -> None:
        """
        Who guesses an account's password has to wait, and neither its owner elsewhere nor
        others at the same address.
        """
        self.assertEqual(
            [self.may() for _ in range(PAIR_TRIES + 2)], [True] * PAIR_TRIES + [False] * 2
        )
        self.assertTrue(self.may("192.0.2.2"))
        self.assertTrue(self.may(user=b"rita"))
        self.clock.advance(PAIR_SECONDS)
        self.assertEqual([self.may(), self.may()], [True, False])

    def test_address(self) -> None:
        """
        Nor can one address guess the passwords of all accounts.
        """
        may = [self.may(user=b"%d" % number) for number in range(SOURCE_TRIES + 1)]
        self.assertEqual(may, [True] * SOURCE_TRIES + [False])
        self.assertTrue(self.may("192.0.2.2"))
        self.clock.advance(SOURCE_SECONDS)
        self.assertTrue(self.may(user=b"new"))

    def test_right(self) -> None:
        """
        Right passwords don't count.
        """
        for _ in range(3 * SOURCE_TRIES):
            self.assertTrue(self.may())
            self.tries.wasRight("192.0.2.1", b"anna")

    def test_says(self) -> None:
        for _ in range(PAIR_TRIES):
            self.may()
        error = self.assertRaises(TooManyTries, self.tries.begin, "192.0.2.1", b"anna")
        self.assertIn("came from 192.0.2.1; the next one is looked at in 12 s", str(error))

    def test_longNames(self) -> None:
        """
        What is kept of a name has a bound.
        """
        for number in range(PAIR_TRIES):
            self.assertTrue(self.may(user=b"x" * MAX_NAME + b"%d" % number))
        self.assertFalse(self.may(user=b"x" * MAX_NAME))

    def test_kept(self) -> None:
        """
        A client that has to wait has to wait as long in another process, and no other one. The
        wait has a bound.
        """
        for _ in range(PAIR_TRIES):
            self.may()
        heir = PasswordTries(self.clock.seconds)
        state = json.loads(json.dumps(self.tries.state()))
        heir.restore({**state, "unknown": 1})
        self.assertEqual(heir.state(), self.tries.state())
        self.assertRaises(TooManyTries, heir.begin, "192.0.2.1", b"anna")
        heir.begin("192.0.2.2", b"anna")
        self.clock.advance(PAIR_SECONDS)
        heir.begin("192.0.2.1", b"anna")
        heir.restore({"pairs": [["192.0.2.1", b"anna".hex(), 1e9]]})
        self.clock.advance(200 * PAIR_SECONDS)
        heir.begin("192.0.2.1", b"anna")

    def test_keptWrong(self) -> None:
        """
        What can't be right is refused, and changes nothing.
        """
        self.may()
        before = self.tries.state()
        for broken in (
            1,
            {"pairs": [1]},
            {"pairs": [["192.0.2.1", "anna", 1.0]]},
            {"pairs": [["192.0.2.1", "00", "soon"]]},
            {"sources": [["192.0.2.1"]]},
            {"sources": [[1, 1.0]]},
            {"sources": 1},
        ):
            self.assertRaises(StateError, self.tries.restore, broken)
        self.assertEqual(self.tries.state(), before)

    def test_oneAccount(self) -> None:
        """
        Other capital letters, or spaces around it, make no other account of a name.
        """
        for number in range(PAIR_TRIES):
            self.assertTrue(self.may(user=(b"anna", b"ANNA", b" Anna ")[number % 3]))
        self.assertFalse(self.may(user=b"aNNa"))

"""
Tests for L{txlb.pool._rates}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.pool._rates import CANDIDATES, ClientRates


def client(number: int) -> bytes:
    return number.to_bytes(4)


A, B = client(1), client(2)


class BucketTests(SynchronousTestCase):
    def test_burst(self) -> None:
        """
        So many at once, then one for each part of a second, and never more than
        the burst however long nobody came.
        """
        rates = ClientRates(2.0, 3)
        for now, wanted in (
            (0.0, "yes yes yes no no"),
            (0.4, "no"),
            (0.5, "yes no"),
            (1.4, "yes no"),
            (1.5, "yes no"),
            (100.0, "yes yes yes no"),
        ):
            found = ["yes" if rates.take(A, now) else "no" for _ in wanted.split()]
            self.assertEqual(" ".join(found), wanted, now)

    def test_refusedCostsNothing(self) -> None:
        """
        Who is refused does not wait the longer for it.
        """
        rates = ClientRates(1.0, 1)
        self.assertTrue(rates.take(A, 0.0))
        for _ in range(1000):
            self.assertFalse(rates.take(A, 0.5))
        self.assertTrue(rates.take(A, 1.0))

    def test_eachHasItsOwn(self) -> None:
        rates = ClientRates(1.0, 1)
        self.assertTrue(rates.take(A, 0.0))
        self.assertTrue(rates.take(B, 0.0))
        self.assertFalse(rates.take(A, 0.0))

    def test_defaultBurst(self) -> None:
        """
        As many as come in a second, but one at least.
        """
        for rate, wanted in ((0.1, 1), (1.0, 1), (2.5, 3), (10.0, 10)):
            rates = ClientRates(rate)
            self.assertEqual(sum(rates.take(A, 0.0) for _ in range(20)), wanted)

    @given(
        st.floats(0.1, 100.0),
        st.integers(1, 20),
        st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 2.0)), max_size=60),
    )
    def test_asTokensAre(self, rate: float, burst: int, steps: list[tuple[int, float]]) -> None:
        """
        It gives what counted tokens would give, except where these are within a
        hair of a whole one.
        """
        rates = ClientRates(rate, burst)
        now = 1000.0
        tokens = dict.fromkeys(range(4), float(burst))
        asked = dict.fromkeys(range(4), now)
        for who, pause in steps:
            now += pause
            tokens[who] = min(float(burst), tokens[who] + (now - asked[who]) * rate)
            asked[who] = now
            given = rates.take(client(who), now)
            if abs(tokens[who] - 1.0) > 1e-6:
                self.assertEqual(given, tokens[who] > 1.0)
            if given:
                tokens[who] -= 1.0


class MemoryTests(SynchronousTestCase):
    """
    There is an end to how much is remembered.
    """

    def test_whoIsFullIsForgotten(self) -> None:
        rates = ClientRates(1.0, 5)
        for number in range(1000):
            rates.take(client(number), 0.0)
        for number in range(1000, 1600):
            rates.take(client(number), 10.0)
        self.assertGreaterEqual(len(rates), 600)
        self.assertLess(len(rates), 700)

    def test_most(self) -> None:
        """
        Where there is no room one is forgotten for each that comes.
        """
        rates = ClientRates(1.0, 5, most=64)
        for number in range(1000):
            self.assertTrue(rates.take(client(number), 0.0))
            self.assertEqual(len(rates), min(number + 1, 64))
        self.assertEqual(len(rates._places), 64)
        self.assertEqual([rates._clients[p] for p in rates._places.values()], list(rates._places))

    def test_whoIsLimitedIsRemembered(self) -> None:
        """
        A flood of others does not help who has used up their tokens.
        """
        rates = ClientRates(1.0, 5, most=64)
        while rates.take(A, 0.0):
            pass
        for number in range(100_000):
            rates.take(client(10 + number), 0.001)
            if number % 1000 == 0:
                self.assertFalse(rates.take(A, 0.001))

    def test_whatItTakesToBeForgotten(self) -> None:
        """
        Only where all others of a window have used up their tokens as well does
        one of them go.
        """
        burst = 5
        rates = ClientRates(1.0, burst, most=CANDIDATES)
        while rates.take(A, 0.0):
            pass
        spent = 0
        number = 10
        while A in rates._places and spent < 10_000:
            # Each newcomer spends all it has, or it would be the next to go.
            for _ in range(burst):
                spent += rates.take(client(number), 0.001)
            number += 1
        self.assertGreaterEqual(spent, burst * (CANDIDATES - 1))

    @given(st.lists(st.tuples(st.integers(0, 200), st.floats(0.0, 0.5)), max_size=300))
    def test_alwaysInOrder(self, steps: list[tuple[int, float]]) -> None:
        rates = ClientRates(2.0, 2, most=CANDIDATES)
        now = 0.0
        for who, pause in steps:
            now += pause
            rates.take(client(who), now)
            self.assertLessEqual(len(rates), CANDIDATES)
            self.assertEqual(len(rates._places), len(rates._clients))
            for place, each in enumerate(rates._clients):
                self.assertEqual(rates._places[each], place)
            self.assertEqual(len(rates._fullAt), len(rates._clients))

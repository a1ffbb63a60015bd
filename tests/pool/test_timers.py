"""
Tests for L{txlb.pool._timers}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.pool._timers import CROWD, Timer, Timers


class TimersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.timers = Timers()
        self.called: list[tuple[str, float]] = []

    def timer(self, name: str) -> Timer:
        return Timer(lambda now: self.called.append((name, now)))

    def test_order(self) -> None:
        """
        Timers are due in the order of their times; those at the same time in the
        order in which they were set.
        """
        a, b, c = self.timer("a"), self.timer("b"), self.timer("c")
        self.timers.set(a, 3.0)
        self.timers.set(b, 1.0)
        self.timers.set(c, 3.0)
        self.assertEqual(self.timers.nextDeadline(), 1.0)
        self.timers.advance(0.5)
        self.assertEqual(self.called, [])
        self.timers.advance(3.0)
        self.assertEqual(self.called, [("b", 3.0), ("a", 3.0), ("c", 3.0)])
        self.assertIsNone(self.timers.nextDeadline())

    def test_again(self) -> None:
        """
        A timer that is set again is due at its new time alone, earlier or later.
        """
        a = self.timer("a")
        self.timers.set(a, 3.0)
        self.timers.set(a, 5.0)
        self.timers.set(a, 3.0)
        self.timers.set(a, 4.0)
        self.assertEqual(self.timers.nextDeadline(), 4.0)
        self.timers.advance(9.0)
        self.assertEqual(self.called, [("a", 9.0)])

    def test_cleared(self) -> None:
        a = self.timer("a")
        self.timers.clear(a)
        self.timers.set(a, 3.0)
        self.timers.clear(a)
        self.assertIsNone(self.timers.nextDeadline())
        self.timers.advance(9.0)
        self.assertEqual(self.called, [])

    def test_setByAction(self) -> None:
        """
        An action may set timers; those that are due by then are called too.
        """
        b = self.timer("b")
        a = Timer(lambda _now: self.timers.set(b, 2.0))
        self.timers.set(a, 1.0)
        self.timers.advance(2.0)
        self.assertEqual(self.called, [("b", 2.0)])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["set", "clear", "advance"]),
                st.integers(0, 9),
                st.integers(0, 20),
            ),
            max_size=300,
        )
    )
    def test_anyOrder(self, steps: list[tuple[str, int, int]]) -> None:
        """
        The heap does what a table of times would, and stays small.
        """
        timers = Timers()
        called: list[int] = []

        def made(number: int) -> Timer:
            return Timer(lambda _now: called.append(number))

        each = [made(number) for number in range(10)]
        table: dict[int, float] = {}
        now = 0.0
        for step, number, when in steps:
            if step == "set":
                timers.set(each[number], now + when)
                table[number] = now + when
            elif step == "clear":
                timers.clear(each[number])
                table.pop(number, None)
            else:
                now += when / 4
                timers.advance(now)
                due = {one for one, at in table.items() if at <= now}
                self.assertEqual((sorted(called), len(called)), (sorted(due), len(due)))
                for one in due:
                    del table[one]
                called.clear()
            self.assertEqual(timers.nextDeadline(), min(table.values(), default=None))
            self.assertLessEqual(len(timers.entries), CROWD + 1)

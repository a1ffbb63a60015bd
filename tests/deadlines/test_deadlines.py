"""
Tests for L{txlb.deadlines}.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import TICK, Deadline, Deadlines


class TwoClocks:
    """
    A queue between the clock that wakes it and the one that it goes by.
    """

    def __init__(self) -> None:
        self.wall = Clock()
        self.monotonic = Clock()
        self.queue = Deadlines(self.wall, self.monotonic.seconds)
        self.done: list[str] = []

    def note(self, word: str) -> Callable[[], None]:
        return lambda: self.done.append(word)

    def advance(self, seconds: float) -> None:
        """
        Let time pass on both, with a look of the reactor in each half second.
        """
        while seconds > 0:
            step = min(seconds, TICK / 2)
            self.monotonic.advance(step)
            self.wall.advance(step)
            seconds -= step


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clocks = TwoClocks()
        self.queue = self.clocks.queue
        self.done = self.clocks.done

    def test_order(self) -> None:
        """
        What is due is done in the order of time, and in the order in which it
        was asked for where the time is the same.
        """
        for word, when in (("c", 3.0), ("a", 1.0), ("d", 3.0), ("b", 2.0)):
            self.queue.at(when, self.clocks.note(word))
        self.clocks.monotonic.advance(5)
        self.clocks.wall.advance(5)
        self.assertEqual(self.done, ["a", "b", "c", "d"])
        self.assertEqual(len(self.queue), 0)

    def test_neverEarly(self) -> None:
        """
        Nothing is done before its time, and all of it at its time.
        """
        self.queue.after(10, self.clocks.note("late"))
        self.clocks.advance(9.75)
        self.assertEqual(self.done, [])
        self.clocks.advance(0.25)
        self.assertEqual(self.done, ["late"])

    def test_past(self) -> None:
        """
        A time that is over means as soon as possible, but not at once.
        """
        self.clocks.advance(5)
        self.queue.at(1, self.clocks.note("now"))
        self.assertEqual(self.done, [])
        self.clocks.wall.advance(0)
        self.assertEqual(self.done, ["now"])

    def test_earlierThanTheFirst(self) -> None:
        """
        One that is asked for later and due earlier moves the wake-up forward.
        """
        self.queue.after(0.9, self.clocks.note("second"))
        self.queue.after(0.1, self.clocks.note("first"))
        self.clocks.advance(0.1)
        self.assertEqual(self.done, ["first"])

    def test_oneWakeUp(self) -> None:
        """
        However many wait, the reactor has one call to make, within a second.
        """
        for n in range(50):
            self.queue.after(100 + n, self.clocks.note("x"))
        [call] = self.clocks.wall.getDelayedCalls()
        self.assertLessEqual(call.getTime(), TICK)
        self.clocks.advance(99)
        self.assertEqual(len(self.clocks.wall.getDelayedCalls()), 1)

    def test_nothingWaits(self) -> None:
        """
        A queue that is empty wakes nobody up.
        """
        self.queue.after(0.5, self.clocks.note("x"))
        self.clocks.advance(1)
        self.assertEqual(self.clocks.wall.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """
        What was cancelled is not done and not counted, and can be cancelled again.
        """
        deadline = self.queue.after(1, self.clocks.note("cancelled"))
        self.queue.after(1, self.clocks.note("kept"))
        self.assertTrue(deadline.pending)
        deadline.cancel()
        deadline.cancel()
        self.assertFalse(deadline.pending)
        self.assertEqual(len(self.queue), 1)
        self.clocks.advance(2)
        self.assertEqual(self.done, ["kept"])
        self.assertEqual(len(self.queue), 0)

    def test_cancelTooLate(self) -> None:
        """
        To cancel what has been done changes nothing.
        """
        deadline = self.queue.after(1, self.clocks.note("done"))
        self.clocks.advance(1)
        self.assertFalse(deadline.pending)
        deadline.cancel()
        self.assertEqual(self.done, ["done"])
        self.assertEqual(len(self.queue), 0)

    def test_raises(self) -> None:
        """
        An action that raises is logged, and the others are done all the same.
        """
        self.queue.after(1, lambda: 1 / 0)
        self.queue.after(1, self.clocks.note("next"))
        self.queue.after(2, self.clocks.note("later"))
        self.clocks.advance(2)
        self.assertEqual(self.done, ["next", "later"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_again(self) -> None:
        """
        An action that asks for another one that is due at once gets it, but the
        reactor has its turn before.
        """

        def again() -> None:
            self.done.append("again")
            self.queue.after(0, again)

        self.queue.after(0, again)
        for turn in (1, 2):
            # The clock's own advance would go on for ever.
            call = self.clocks.wall.calls.pop()
            call.func()
            self.assertEqual(len(self.done), turn)

    def test_cancelsItsNeighbour(self) -> None:
        """
        One that is due cancels others that are due with it: they are not done,
        and the count stays right.
        """
        others: list[Deadline] = []

        def cancelOthers() -> None:
            for other in others:
                other.cancel()

        self.queue.at(1, cancelOthers)
        others += [self.queue.at(1, self.clocks.note("no")) for _ in range(150)]
        self.clocks.advance(1)
        self.assertEqual(self.done, [])
        self.assertEqual(len(self.queue), 0)
        self.queue.after(1, self.clocks.note("yes"))
        self.assertEqual(len(self.queue), 1)

    def test_compacted(self) -> None:
        """
        Many that are cancelled long before their time do not pile up.
        """
        kept = self.queue.after(1000, self.clocks.note("kept"))
        for _ in range(10_000):
            self.queue.after(3600, self.clocks.note("no")).cancel()
        self.assertEqual(len(self.queue), 1)
        self.assertLess(len(self.queue._heap), 200)
        self.assertTrue(kept.pending)
        self.assertEqual(kept.when, 1000)
        self.clocks.monotonic.advance(1000)
        self.clocks.wall.advance(1000)
        self.assertEqual(self.done, ["kept"])

    def test_compactedInOrder(self) -> None:
        """
        Those that are left after many were cancelled are done in order.
        """
        source = Random(1)
        times = [source.randrange(1, 4000) / 4 for _ in range(400)]
        done: list[float] = []
        asked = [self.queue.at(when, partial(done.append, when)) for when in times]
        kept = source.sample(range(400), 60)
        for index, deadline in enumerate(asked):
            if index not in kept:
                deadline.cancel()
        self.clocks.monotonic.advance(1000)
        self.clocks.wall.advance(TICK)
        self.assertEqual(done, sorted(times[index] for index in kept))

    def test_stop(self) -> None:
        """
        After a stop nothing is done, nothing waits, and what is cancelled
        afterwards is not counted.
        """
        deadlines = [self.queue.after(n / 10, self.clocks.note("no")) for n in range(5)]
        deadlines.pop().cancel()
        self.queue.stop()
        self.assertEqual(self.clocks.wall.getDelayedCalls(), [])
        for deadline in deadlines:
            deadline.cancel()
        self.clocks.advance(5)
        self.assertEqual(self.done, [])
        self.assertEqual(len(self.queue), 0)

    def test_stopTwice(self) -> None:
        """
        A queue can be stopped when it is empty or was stopped, and used again.
        """
        self.queue.stop()
        self.queue.after(0.5, self.clocks.note("no"))
        self.queue.stop()
        self.queue.stop()
        self.queue.after(1, self.clocks.note("again"))
        self.clocks.advance(1)
        self.assertEqual(self.done, ["again"])

    def test_stopFromAnAction(self) -> None:
        """
        What was due with the action that stops the queue is forgotten too.
        """
        self.queue.at(1, self.queue.stop)
        self.queue.at(1, self.clocks.note("no"))
        self.clocks.advance(2)
        self.assertEqual(self.done, [])
        self.assertEqual(self.clocks.wall.getDelayedCalls(), [])

    def test_wallClockSetForward(self) -> None:
        """
        A wall clock that jumps an hour ahead makes nothing due.
        """
        self.queue.after(30, self.clocks.note("x"))
        self.clocks.wall.advance(3600)
        self.assertEqual(self.done, [])
        self.clocks.advance(30)
        self.assertEqual(self.done, ["x"])

    def test_wallClockSetBack(self) -> None:
        """
        A wall clock that was set back an hour holds nothing up once the next
        deadline has been asked for.
        """
        self.queue.after(5, self.clocks.note("first"))
        self.clocks.wall.rightNow -= 3600
        self.clocks.advance(6)
        self.queue.after(60, self.clocks.note("second"))
        self.clocks.advance(TICK)
        self.assertEqual(self.done, ["first"])
        self.clocks.advance(60)
        self.assertEqual(self.done, ["first", "second"])


#: What somebody does with a queue: ask for a deadline so many tenths of a second
#: from now, cancel one of those asked for, let tenths of a second pass.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("after"), st.integers(0, 30)),
        st.tuples(st.just("cancel"), st.integers(0, 50)),
        st.tuples(st.just("pass"), st.integers(1, 20)),
    ),
    max_size=60,
)


class HistoryTests(SynchronousTestCase):
    @given(steps)
    def test_anyHistory(self, history: list[tuple[str, int]]) -> None:
        """
        In any history exactly those are done whose time has come and that were
        not cancelled, in order, and the count is that of the others.
        """
        # Eighths add up exactly.
        clock = Clock()
        queue = Deadlines(clock, clock.seconds)
        done: list[int] = []
        asked: list[tuple[float, Deadline]] = []
        waiting: dict[int, float] = {}
        wanted: list[int] = []
        for what, number in history:
            if what == "after":
                index = len(asked)
                when = clock.seconds() + number / 8
                asked.append((when, queue.at(when, partial(done.append, index))))
                waiting[index] = when
            elif what == "cancel" and asked:
                index = number % len(asked)
                asked[index][1].cancel()
                waiting.pop(index, None)
            elif what == "pass":
                clock.pump([1 / 8] * number)
                due = [index for index, when in waiting.items() if when <= clock.seconds()]
                wanted += due
                for index in due:
                    del waiting[index]
            self.assertEqual(len(queue), len(waiting))
        self.assertEqual(sorted(done), sorted(wanted))
        times = [asked[index][0] for index in done]
        self.assertEqual(times, sorted(times))

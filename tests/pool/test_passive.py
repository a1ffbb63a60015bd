"""
Tests for L{txlb.pool._passive}.
"""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from txlb.pool._passive import SCHEDULED, TRANSITIONS, PassiveEvent, PassiveHealth, PassiveState

UP, DOWN, DUE, TRIAL = PassiveState.UP, PassiveState.DOWN, PassiveState.DUE, PassiveState.TRIAL

#: The table, written down once more: where both say the same, it is meant.
TABLE = {
    (UP, PassiveEvent.FELL): DOWN,
    (DOWN, PassiveEvent.TIME): DUE,
    (DUE, PassiveEvent.PICKED): TRIAL,
    (TRIAL, PassiveEvent.FAILED): DOWN,
    (TRIAL, PassiveEvent.ABANDONED): DUE,
    (DOWN, PassiveEvent.SUCCEEDED): UP,
    (DUE, PassiveEvent.SUCCEEDED): UP,
    (TRIAL, PassiveEvent.SUCCEEDED): UP,
}

#: How a new mark gets into each state.
WAYS = {
    UP: (),
    DOWN: (PassiveEvent.FELL,),
    DUE: (PassiveEvent.FELL, PassiveEvent.TIME),
    TRIAL: (PassiveEvent.FELL, PassiveEvent.TIME, PassiveEvent.PICKED),
}


def mark(state: PassiveState) -> PassiveHealth:
    """
    A mark that got into a state the usual way, at time 100.
    """
    made = PassiveHealth(100.0)
    for event in WAYS[state]:
        made.happened(event, 100.0)
    assert made.state is state
    return made


class TableTests(SynchronousTestCase):
    def test_everyPair(self) -> None:
        """
        Each line of the table does what it says, each pair without a line
        changes nothing.
        """
        self.assertEqual(TRANSITIONS, TABLE)
        for state, event in product(PassiveState, PassiveEvent):
            made = mark(state)
            before = (made.failures, made.since, made.retryAt, made.reason, made._wait)
            changed = made.happened(event, 200.0)
            wanted = TABLE.get((state, event))
            self.assertEqual(changed, wanted is not None, (state, event))
            self.assertIs(made.state, wanted or state)
            if wanted is None:
                after = (made.failures, made.since, made.retryAt, made.reason, made._wait)
                self.assertEqual(after, before, (state, event))
            else:
                self.assertEqual(made.since, 200.0)

    def test_scheduled(self) -> None:
        """
        A host that is up or due may be chosen.
        """
        self.assertEqual(SCHEDULED, {UP, DUE})

    def test_words(self) -> None:
        self.assertEqual([state.value for state in PassiveState], ["up", "down", "due", "trial"])


class MarkTests(SynchronousTestCase):
    def test_doubling(self) -> None:
        """
        Between two trials it is 1 s, then twice as long each time, at most 60 s.
        """
        made = PassiveHealth(0.0)
        waits = []
        now = 0.0
        made.failed("refused", 1, False, now)
        for _ in range(9):
            waits.append(made.retryAt - now)
            now = made.retryAt
            made.happened(PassiveEvent.TIME, now)
            made.happened(PassiveEvent.PICKED, now)
            self.assertTrue(made.failed("refused", 1, True, now))
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_forgiven(self) -> None:
        """
        After a success all begins anew.
        """
        made = PassiveHealth(0.0)
        for trial in (False, True, True):
            made.failed("refused", 1, trial, 0.0)
            made.happened(PassiveEvent.TIME, 0.0)
            made.happened(PassiveEvent.PICKED, 0.0)
        self.assertEqual((made.failures, made.reason), (3, "refused"))
        self.assertTrue(made.succeeded(5.0))
        self.assertEqual((made.state, made.failures, made.reason), (UP, 0, ""))
        self.assertTrue(made.failed("timeout", 1, False, 10.0))
        self.assertEqual((made.retryAt, made.reason), (11.0, "timeout"))

    def test_abandoned(self) -> None:
        """
        A trial without a verdict costs nothing: the next client is the trial,
        and the time has not doubled.
        """
        made = mark(TRIAL)
        made.happened(PassiveEvent.ABANDONED, 100.0)
        made.happened(PassiveEvent.PICKED, 100.0)
        made.failed("refused", 1, True, 100.0)
        self.assertEqual(made.retryAt, 102.0)

    def test_fall(self) -> None:
        """
        It takes as many failures in a row as are configured.
        """
        made = PassiveHealth(0.0)
        self.assertFalse(made.failed("a", 3, False, 1.0))
        self.assertFalse(made.failed("b", 3, False, 2.0))
        self.assertFalse(made.succeeded(3.0))
        self.assertFalse(made.failed("c", 3, False, 4.0))
        self.assertFalse(made.failed("d", 3, False, 5.0))
        self.assertEqual((made.state, made.reason), (UP, ""))
        self.assertTrue(made.failed("e", 3, False, 6.0))
        self.assertEqual((made.state, made.reason, made.failures), (DOWN, "e", 3))

    def test_lateFailure(self) -> None:
        """
        What began before the host was put out tells nothing new.
        """
        for state in (DOWN, DUE, TRIAL):
            made = mark(state)
            self.assertFalse(made.failed("late", 1, False, 200.0))
            self.assertIs(made.state, state)
            self.assertEqual((made.retryAt, made.reason), (101.0, ""))

"""
Passive health: the results of connections to a host.

A host that can't be reached is marked down. After a time it is due: the next client
tries it, and no other client is sent there meanwhile. If
the trial fails the time doubles. If it succeeds the host is up and the time
starts anew::

    state    event       next     what happens
    ------   ---------   ------   ---------------------------------------
    up       fell        down     out of the scheduler for RETRY_FIRST
    down     time        due      back in the scheduler, for one client
    due      picked      trial    out of the scheduler again
    trial    failed      down     the time doubles, to at most RETRY_LAST
    trial    abandoned   due      the client went away: no verdict
    any      succeeded   up       back in the scheduler

If a state has no line for an event, the event changes nothing: a connection that began
before the host was marked down, and fails after that, adds no information.
"""

from __future__ import annotations

from enum import Enum
from typing import Self

from txlb._facts import Facts
from txlb._tablestate import TableState

#: Seconds until the first trial, and the longest time between two.
RETRY_FIRST = 1.0
RETRY_LAST = 60.0


class PassiveState(Enum):
    """
    A state of passive health.
    """

    UP = "up"
    DOWN = "down"
    DUE = "due"
    TRIAL = "trial"


class PassiveEvent(Enum):
    """
    An event of passive health.
    """

    FELL = "fell"
    TIME = "time"
    PICKED = "picked"
    FAILED = "failed"
    ABANDONED = "abandoned"
    SUCCEEDED = "succeeded"


TRANSITIONS = {
    (PassiveState.UP, PassiveEvent.FELL): PassiveState.DOWN,
    (PassiveState.DOWN, PassiveEvent.TIME): PassiveState.DUE,
    (PassiveState.DUE, PassiveEvent.PICKED): PassiveState.TRIAL,
    (PassiveState.TRIAL, PassiveEvent.FAILED): PassiveState.DOWN,
    (PassiveState.TRIAL, PassiveEvent.ABANDONED): PassiveState.DUE,
    (PassiveState.DOWN, PassiveEvent.SUCCEEDED): PassiveState.UP,
    (PassiveState.DUE, PassiveEvent.SUCCEEDED): PassiveState.UP,
    (PassiveState.TRIAL, PassiveEvent.SUCCEEDED): PassiveState.UP,
}

#: The states in which the scheduler holds the host.
SCHEDULED = frozenset({PassiveState.UP, PassiveState.DUE})


class PassiveHealth(TableState[PassiveState, PassiveEvent]):
    """
    The passive health of one host. Owned by the host's pool.

    @ivar state: see the table above.
    @ivar isUp: whether the state is C{UP}; read for each connection.
    @ivar failures: failures to connect in a row.
    @ivar retryAt: the time at which a host that is down is due.
    @ivar reason: the last failure; empty when up.
    """

    __slots__ = ("_wait", "failures", "isUp", "reason", "retryAt")
    transitions = TRANSITIONS

    def __init__(self, now: float) -> None:
        super().__init__(PassiveState.UP, now)
        self.isUp = True
        self.failures = 0
        self.retryAt = 0.0
        self.reason = ""
        self._wait = RETRY_FIRST

    def kept(self) -> dict[str, object]:
        """
        Return the same as plain values. A trial is not over, and another client makes it.
        """
        row: dict[str, object] = {"since": self.since}
        if not self.isUp:
            trial = self.state is PassiveState.TRIAL
            row["state"] = (PassiveState.DUE if trial else self.state).value
            row.update(retryAt=self.retryAt, wait=self._wait, reason=self.reason)
        if self.failures:
            row["failures"] = self.failures
        return row

    @classmethod
    def of(cls, facts: Facts, now: float) -> Self:
        """
        Make it of what L{kept} has returned.

        @raise StateError: a value can't be right.
        """
        made = cls(facts.past("since", now, now))
        state = facts.word("state", PassiveState, PassiveState.UP)
        made.state = PassiveState.DUE if state is PassiveState.TRIAL else state
        made.isUp = made.state is PassiveState.UP
        made.failures = facts.whole("failures")
        made.retryAt = facts.coming("retryAt", 0.0, now)
        made._wait = facts.number("wait", RETRY_FIRST, RETRY_FIRST, RETRY_LAST)
        made.reason = facts.text("reason")
        return made

    def entered(self, event: PassiveEvent, now: float) -> None:
        self.isUp = self.state is PassiveState.UP
        if event is PassiveEvent.FAILED:
            self._wait = min(self._wait * 2, RETRY_LAST)
        if self.state is PassiveState.DOWN:
            self.retryAt = now + self._wait
        elif self.isUp:
            self._wait = RETRY_FIRST
            self.reason = ""

    def failed(self, reason: str, fall: int, trial: bool, now: float) -> bool:
        """
        Record a failed connection to the host.

        @param fall: the number of failures in a row that mark it down.
        @param trial: whether that connection was the host's trial.
        @return: whether the host was up or on trial, and is down now.
        """
        self.failures += 1
        if trial:
            event = PassiveEvent.FAILED
        elif self.failures >= fall:
            event = PassiveEvent.FELL
        else:
            return False
        changed = self.happened(event, now)
        if changed:
            self.reason = reason
        return changed

    def hold(self, until: float) -> None:
        """
        Let the host be due no earlier than a time.

        @param until: in seconds of the pool's clock.
        """
        self.retryAt = max(self.retryAt, until)

    def missed(self) -> int:
        """
        Record a failed connection to an actively checked host.

        @return: the number of failures in a row.
        """
        self.failures += 1
        return self.failures

    def succeeded(self, now: float) -> bool:
        """
        Record a successful connection to the host.

        @return: whether the host was not up before.
        """
        self.failures = 0
        # Most hosts are up, and this costs less than the table.
        return self.state is not PassiveState.UP and self.happened(PassiveEvent.SUCCEEDED, now)

"""
What traffic has told of a host: its mark.

A host that can't be reached is put out. After a time it is due: the next client
is its trial, and while that one is under way nobody else is sent there. Where a
trial fails the time doubles, where it succeeds all is forgiven::

    state    event       next     what happens
    ------   ---------   ------   ---------------------------------------
    up       fell        down     out of the scheduler for RETRY_FIRST
    down     time        due      back in the scheduler, for one client
    due      picked      trial    out of the scheduler again
    trial    failed      down     the time doubles, to at most RETRY_LAST
    trial    abandoned   due      the client went away: no verdict
    any      succeeded   up       back in the scheduler

An event that has no line for a state changes nothing: a failure of a connection
that began before the host was put out says nothing new.
"""

from __future__ import annotations

from enum import Enum

#: Seconds until the first trial, and the longest time between two.
RETRY_FIRST = 1.0
RETRY_LAST = 60.0


class MarkState(Enum):
    """
    The states of a mark.
    """

    UP = "up"
    DOWN = "down"
    DUE = "due"
    TRIAL = "trial"


class MarkEvent(Enum):
    """
    What can happen to a mark.
    """

    FELL = "fell"
    TIME = "time"
    PICKED = "picked"
    FAILED = "failed"
    ABANDONED = "abandoned"
    SUCCEEDED = "succeeded"


TRANSITIONS = {
    (MarkState.UP, MarkEvent.FELL): MarkState.DOWN,
    (MarkState.DOWN, MarkEvent.TIME): MarkState.DUE,
    (MarkState.DUE, MarkEvent.PICKED): MarkState.TRIAL,
    (MarkState.TRIAL, MarkEvent.FAILED): MarkState.DOWN,
    (MarkState.TRIAL, MarkEvent.ABANDONED): MarkState.DUE,
    (MarkState.DOWN, MarkEvent.SUCCEEDED): MarkState.UP,
    (MarkState.DUE, MarkEvent.SUCCEEDED): MarkState.UP,
    (MarkState.TRIAL, MarkEvent.SUCCEEDED): MarkState.UP,
}

#: In these states the scheduler holds the host.
SCHEDULED = frozenset({MarkState.UP, MarkState.DUE})


class Mark:
    """
    The mark of one host. Owned by the host's pool.

    @ivar state: see the table above.
    @ivar isUp: whether traffic has told nothing bad of it; every connection looks.
    @ivar failures: failures to connect in a row.
    @ivar since: when the state was last entered, in seconds of the pool's clock.
    @ivar retryAt: when a host that is down is due.
    @ivar reason: what the last failure was; empty when up.
    """

    __slots__ = ("_wait", "failures", "isUp", "reason", "retryAt", "since", "state")

    def __init__(self, now: float) -> None:
        self.state = MarkState.UP
        self.isUp = True
        self.failures = 0
        self.since = now
        self.retryAt = 0.0
        self.reason = ""
        self._wait = RETRY_FIRST

    def happened(self, event: MarkEvent, now: float) -> bool:
        """
        Follow the table.

        @return: whether the state is another one now.
        """
        to = TRANSITIONS.get((self.state, event))
        if to is None:
            return False
        self.state = to
        self.isUp = to is MarkState.UP
        self.since = now
        if event is MarkEvent.FAILED:
            self._wait = min(self._wait * 2, RETRY_LAST)
        if to is MarkState.DOWN:
            self.retryAt = now + self._wait
        elif to is MarkState.UP:
            self._wait = RETRY_FIRST
            self.reason = ""
        return True

    def failed(self, reason: str, fall: int, trial: bool, now: float) -> bool:
        """
        A connection to the host failed.

        @param fall: how many failures in a row put it out.
        @param trial: whether that connection was the host's trial.
        @return: whether the host was up or on trial, and is down now.
        """
        self.failures += 1
        if trial:
            event = MarkEvent.FAILED
        elif self.failures >= fall:
            event = MarkEvent.FELL
        else:
            return False
        changed = self.happened(event, now)
        if changed:
            self.reason = reason
        return changed

    def hold(self, until: float) -> None:
        """
        Be due no earlier than that.

        @param until: in seconds of the pool's clock.
        """
        self.retryAt = max(self.retryAt, until)

    def missed(self) -> int:
        """
        A connection to a host failed whose checks have the word.

        @return: how many have failed in a row.
        """
        self.failures += 1
        return self.failures

    def succeeded(self, now: float) -> bool:
        """
        A connection to the host succeeded.

        @return: whether the host was not up before.
        """
        self.failures = 0
        # Nearly always it was up, and looking into the table costs more than this.
        return self.state is not MarkState.UP and self.happened(MarkEvent.SUCCEEDED, now)

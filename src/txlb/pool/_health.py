"""
Active health: the results of checks of a host.

A host that is not checked is always up here, and its passive health
(L{txlb.pool._passive}) decides. If a host is checked, active checks override passive
health: failures in a row of checks or of connections mark it down, successes in a
row of checks mark it up, and no client tries it. The first result of all
decides at once::

    state        event       next         what happens
    ----------   ---------   ----------   -------------------------------------
    up           awaited     starting     it gets no client before a check
    starting     rose        up           the first check passed: it is in
    starting     fell        down         the first check failed
    up           failed      going down   it stays in; it is checked faster
    up           fell        down         it is out
    going down   passed      up           the failures in a row are over
    going down   fell        down         it is out
    down         passed      coming up    it stays out; it is checked faster
    down         rose        up           it is in
    coming up    failed      down         the successes in a row are over
    coming up    fell        down         connections to it failed
    coming up    rose        up           it is in
    any          unwatched   up           it is checked no more

If a state has no line for an event, the event changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Self

from txlb._facts import Facts
from txlb._tablestate import TableState

#: Results in a row that mark a host down or up by default; HAProxy's defaults too.
RISE = 2
FALL = 3


@dataclass(frozen=True, slots=True)
class CheckResult:
    """
    The result of one check of a host.

    @ivar passed: whether the host passed.
    @ivar detail: its answer, or the reason of the failure.
    @ivar duration: seconds that the check took, 0 or more.
    """

    passed: bool
    detail: str
    duration: float

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        return f"check {verdict} in {self.duration:.3g} s: {self.detail}"


class HealthState(Enum):
    """
    A state of a host's health. Its value is its word in logs and data.
    """

    STARTING = "starting"
    UP = "up"
    GOING_DOWN = "going-down"
    DOWN = "down"
    COMING_UP = "coming-up"


class HealthEvent(Enum):
    """
    An event of a host's health. C{PASSED} and C{FAILED} are results that don't decide
    yet; C{ROSE} and C{FELL} are the last of enough results in a row.
    """

    PASSED = "passed"
    FAILED = "failed"
    ROSE = "rose"
    FELL = "fell"
    AWAITED = "awaited"
    UNWATCHED = "unwatched"


TRANSITIONS = {
    (HealthState.UP, HealthEvent.AWAITED): HealthState.STARTING,
    (HealthState.STARTING, HealthEvent.ROSE): HealthState.UP,
    (HealthState.STARTING, HealthEvent.FELL): HealthState.DOWN,
    (HealthState.UP, HealthEvent.FAILED): HealthState.GOING_DOWN,
    (HealthState.UP, HealthEvent.FELL): HealthState.DOWN,
    (HealthState.GOING_DOWN, HealthEvent.PASSED): HealthState.UP,
    (HealthState.GOING_DOWN, HealthEvent.FELL): HealthState.DOWN,
    (HealthState.DOWN, HealthEvent.PASSED): HealthState.COMING_UP,
    (HealthState.DOWN, HealthEvent.ROSE): HealthState.UP,
    (HealthState.COMING_UP, HealthEvent.FAILED): HealthState.DOWN,
    (HealthState.COMING_UP, HealthEvent.FELL): HealthState.DOWN,
    (HealthState.COMING_UP, HealthEvent.ROSE): HealthState.UP,
    (HealthState.STARTING, HealthEvent.UNWATCHED): HealthState.UP,
    (HealthState.GOING_DOWN, HealthEvent.UNWATCHED): HealthState.UP,
    (HealthState.DOWN, HealthEvent.UNWATCHED): HealthState.UP,
    (HealthState.COMING_UP, HealthEvent.UNWATCHED): HealthState.UP,
}

#: The states in which a host gets clients.
HEALTHY = frozenset({HealthState.UP, HealthState.GOING_DOWN})


class Health(TableState[HealthState, HealthEvent]):
    """
    The active health of one host. Owned by the host's pool. The heartbeat takes its
    interval from C{state}: it is short in the states that are neither up nor down.

    @ivar state: see the table above.
    @ivar isHealthy: whether checks allow the host clients; read for each connection.
    @ivar damped: whether the host is held down if it goes up and down.
    @ivar watched: whether the host is checked at all.
    @ivar rise: successes in a row that mark it up.
    @ivar fall: failures in a row that mark it down.
    @ivar passes: successes in a row so far.
    @ivar failures: failures in a row so far.
    @ivar last: the last result; L{None} before the first.
    @ivar lastAt: the time of the last result.
    @ivar reason: the reason why it is down; empty while it is up.
    """

    __slots__ = (
        "damped",
        "failures",
        "fall",
        "isHealthy",
        "last",
        "lastAt",
        "passes",
        "reason",
        "rise",
        "watched",
    )
    transitions = TRANSITIONS

    def __init__(self, now: float) -> None:
        super().__init__(HealthState.UP, now)
        self.isHealthy = True
        self.damped = True
        self.watched = False
        self.rise = RISE
        self.fall = FALL
        self.passes = 0
        self.failures = 0
        self.last: CheckResult | None = None
        self.lastAt = now
        self.reason = ""

    def kept(self) -> dict[str, object]:
        """
        Return the same as plain values. Whether it is C{damped}, C{rise} and C{fall} are settings.
        """
        row: dict[str, object] = {"since": self.since}
        if self.watched:
            row["watched"] = True
        if self.state is not HealthState.UP:
            row.update(state=self.state.value, reason=self.reason)
        if self.passes:
            row["passes"] = self.passes
        if self.failures:
            row["failures"] = self.failures
        last = self.last
        if last is not None:
            row.update(
                lastAt=self.lastAt, passed=last.passed, detail=last.detail, duration=last.duration
            )
        return row

    @classmethod
    def of(cls, facts: Facts, now: float) -> Self:
        """
        Make it of what L{kept} has returned.

        @raise StateError: a value can't be right.
        """
        made = cls(facts.past("since", now, now))
        made.watched = facts.flag("watched")
        state = facts.word("state", HealthState, HealthState.UP)
        # What is not checked is up.
        made.state = state if made.watched else HealthState.UP
        made.isHealthy = made.state in HEALTHY
        made.reason = "" if made.isHealthy else facts.text("reason")
        made.passes, made.failures = facts.whole("passes"), facts.whole("failures")
        if "passed" in facts:
            duration = facts.number("duration", least=0.0)
            made.last = CheckResult(facts.flag("passed"), facts.text("detail"), duration)
            made.lastAt = facts.past("lastAt", now, now)
        return made

    def entered(self, event: HealthEvent, now: float) -> None:
        self.isHealthy = self.state in HEALTHY
        if self.isHealthy:
            self.reason = ""

    def checked(self, result: CheckResult, heldUntil: float, now: float) -> bool:
        """
        Count the result of a check.

        @param heldUntil: the time before which no success marks the host up.
        @return: whether the state changed.
        """
        self.last, self.lastAt = result, now
        first = self.state is HealthState.STARTING
        if result.passed:
            self.passes, self.failures = self.passes + 1, 0
            enough = first or (self.passes >= self.rise and now >= heldUntil)
            return self.happened(HealthEvent.ROSE if enough else HealthEvent.PASSED, now)
        self.passes, self.failures = 0, self.failures + 1
        enough = first or self.failures >= self.fall
        return self.happened(HealthEvent.FELL if enough else HealthEvent.FAILED, now)

    def fell(self, now: float) -> bool:
        """
        Mark the host down, because connections to it failed. From now on C{rise} checks
        have to pass.

        @return: whether the state changed.
        """
        self.passes = 0
        return self.happened(HealthEvent.FELL, now)

    def __repr__(self) -> str:
        return f"<Health {self.state.value} passes={self.passes} failures={self.failures}>"

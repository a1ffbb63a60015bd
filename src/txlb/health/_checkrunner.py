"""
Running the checks of hosts at their times.
"""

from __future__ import annotations

import functools
import heapq
from collections import deque
from collections.abc import Iterator
from random import Random as RandomSource

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline
from txlb.health._checkedhost import CheckedHost
from txlb.health._timing import BEAT, LATE, CheckTiming, intervalOf, shortest
from txlb.health._tools import Tools
from txlb.health._verdict import Verdict
from txlb.manager import ProxyManager
from txlb.pool import CheckResult
from txlb.schedulers import Key

#: Seconds that a check which is due may wait for others, so that they are begun together.
#: 500 hosts with 250 checks a second need 50 turns of the reactor a second for that, and
#: not 250.
GRAIN = 0.02

#: Seconds between two warnings that checks are late, or of the same kind.
COMPLAIN = 60.0

#: How many different warnings are remembered.
MANY_SAID = 100

NO_ANSWER = Verdict(False, "no answer")

_log = Logger()


class CheckRunner:
    """
    Begins checks at their times, at most so many at once, and reports their results to the
    pools. Owned by the L{txlb.health.Heartbeat}, which adds and removes the hosts.

    All checks share one place in the queue of deadlines, and the runner begins those that are
    due together. Only a check that does not end at once has a deadline of its own.

    @param manager: has the hosts.
    @param tools: run the checks.
    @param maxChecks: checks under way at once, at least 1; more wait their turn.
    @param source: the source of chance.

    @ivar active: how many checks are under way.
    @ivar maxChecks: how many there are at most.
    """

    def __init__(
        self, manager: ProxyManager, tools: Tools, maxChecks: int, source: RandomSource
    ) -> None:
        self.active = 0
        self._manager = manager
        self._tools = tools
        self._deadlines = tools.deadlines
        self.maxChecks = maxChecks
        self._random = source
        self._checked: dict[Key, CheckedHost] = {}
        # Each entry has the time of a check, a number that only grows, and the host. An
        # entry is valid while its number is the ticket of the host.
        self._queue: list[tuple[float, int, CheckedHost]] = []
        self._number = 0
        self._waiting: deque[CheckedHost] = deque()
        self._beginning = False
        self._lettingIn = False
        self._next: Deadline | None = None
        self._grain = GRAIN
        self._complained: float | None = None
        self._said: dict[str, float] = {}

    def add(self, checked: CheckedHost) -> None:
        """
        Take over a host. It is checked from when L{place} is called.
        """
        self._checked[checked.host.key] = checked
        # No check may be later than the interval of its host allows.
        self._grain = min(self._grain, LATE * shortest(checked.check))

    def get(self, key: Key) -> CheckedHost | None:
        """
        Return the host of a key; L{None} if it is not checked.
        """
        return self._checked.get(key)

    def unplaced(self) -> list[CheckedHost]:
        """
        Return the hosts that were not placed yet.
        """
        return [each for each in self._checked.values() if each.timing is None]

    def remove(self, checked: CheckedHost) -> None:
        """
        Check a host no more. A check that is under way is cancelled.
        """
        del self._checked[checked.host.key]
        self._cancel(checked)

    def _cancel(self, checked: CheckedHost) -> None:
        checked.ticket = 0
        checked.waiting = False
        if checked.running is not None:
            self._over(checked).cancel()
            self._letOneIn(self._deadlines.seconds())

    def removeAll(self) -> None:
        """
        Check no host any more. Checks that are under way are cancelled.
        """
        self._waiting.clear()
        for checked in tuple(self._checked.values()):
            self._cancel(checked)
        self._checked.clear()
        self._queue.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    # Times

    def place(self, checked: CheckedHost, share: float) -> None:
        """
        Plan the first check of a host, or the first one after it was not checked for a while.

        @param share: how much of its interval to wait, 0 to 1.
        """
        interval = intervalOf(checked.check, checked.host.health.state)
        if interval is None:
            return
        now = self._deadlines.seconds()
        checked.timing = CheckTiming(self._random, interval, now + share * interval * (1 - LATE))
        self._enqueue(checked, checked.timing.first())

    def beats(self) -> Iterator[tuple[Key, float]]:
        """
        Yield the hosts that are to be checked, each with the beat of its next check, or of the one
        that is under way.
        """
        for key, checked in self._checked.items():
            if checked.timing is not None and not checked.isIdle:
                yield key, checked.timing.beat

    def resume(self, checked: CheckedHost, beat: float) -> None:
        """
        Go on with the checks of a host as another process had planned them.

        @param beat: what L{beats} says of it there. It counts as far as it is not later than the
            interval allows.
        """
        interval = intervalOf(checked.check, checked.host.health.state)
        if interval is None:
            return
        now = self._deadlines.seconds()
        checked.timing = CheckTiming(self._random, interval, min(beat, now + interval * BEAT))
        self._enqueue(checked, max(checked.timing.first(), now))

    def _enqueue(self, checked: CheckedHost, when: float) -> None:
        self._number += 1
        checked.ticket = self._number
        heapq.heappush(self._queue, (when, self._number, checked))
        if len(self._queue) > 64 + 2 * len(self._checked):
            self._queue = [entry for entry in self._queue if entry[2].ticket == entry[1]]
            heapq.heapify(self._queue)
        if not self._beginning:
            self._wakeAt(when)

    def _wakeAt(self, when: float) -> None:
        if self._next is not None:
            if self._next.when <= when:
                return
            self._next.cancel()
        self._next = self._deadlines.at(when, self._due)

    def _due(self) -> None:
        """
        Begin the checks that are due.
        """
        self._next = None
        now = self._deadlines.seconds()
        self._beginning = True
        begun: list[CheckedHost] = []
        try:
            while self._queue and self._queue[0][0] <= now:
                _, ticket, checked = heapq.heappop(self._queue)
                if checked.ticket == ticket:
                    checked.ticket = 0
                    self._turn(checked, now, begun)
            self._tools.sockets.look()
        finally:
            self._beginning = False
        self._expect(begun)
        if self._queue:
            self._wakeAt(max(self._queue[0][0], now + self._grain))

    def _turn(self, checked: CheckedHost, now: float, begun: list[CheckedHost]) -> None:
        """
        Begin the check of a host, or let it wait if too many are under way.
        """
        if self.active >= self.maxChecks:
            checked.waiting = True
            checked.began = now
            self._waiting.append(checked)
        else:
            self._begin(checked, now, begun)

    def _begin(self, checked: CheckedHost, now: float, begun: list[CheckedHost]) -> None:
        checked.began = now
        service, group, _ = checked.host.key
        of = self._manager.getGroup(service, group)
        target = checked.target(of.sendProxy, of.tls)
        # A host in maintenance is not checked, and keeps its times.
        if target is None or not checked.host.enabled:
            self._again(checked, now)
            return
        self.active += 1
        try:
            running = checked.healthCheck.check(target)
        except Exception:  # noqa: BLE001 - a check fails for itself alone
            self.active -= 1
            self._broken(checked, Failure())
            self._again(checked, now)
            return
        checked.running = running
        begun.append(checked)
        running.addCallbacks(
            functools.partial(self._found, checked, running),
            functools.partial(self._failed, checked, running),
        )

    def _expect(self, begun: list[CheckedHost]) -> None:
        """
        Set the deadlines of the checks that have not ended at once.
        """
        for checked in begun:
            if checked.running is not None and checked.expiry is None:
                expired = functools.partial(self._expired, checked)
                checked.expiry = self._deadlines.patience(
                    checked.check.patience, expired, checked.began
                )

    # Results

    def _over(self, checked: CheckedHost) -> Deferred[Verdict]:
        """
        Record that no check of a host is under way any more.

        @return: the Deferred of the check that was.
        """
        running = checked.running
        assert running is not None  # noqa: S101 - asked only while there is one
        checked.running = None
        self.active -= 1
        if checked.expiry is not None:
            checked.expiry.cancel()
            checked.expiry = None
        return running

    def _found(self, checked: CheckedHost, running: Deferred[Verdict], verdict: Verdict) -> None:
        if checked.running is running:
            self._over(checked)
            self._report(checked, verdict)

    def _failed(self, checked: CheckedHost, running: Deferred[Verdict], reason: Failure) -> None:
        if checked.running is not running:
            return
        self._over(checked)
        if checked.late and reason.check(CancelledError):
            self._report(checked, NO_ANSWER)
        else:
            checked.late = False
            self._broken(checked, reason)
            self._again(checked, self._deadlines.seconds())

    def _expired(self, checked: CheckedHost) -> None:
        checked.expiry = None
        running = checked.running
        if running is None:
            return
        checked.late = True
        running.cancel()
        if checked.running is running:
            # It did not end when it was cancelled. A result that comes later is ignored.
            self._over(checked)
            self._report(checked, NO_ANSWER)

    def _report(self, checked: CheckedHost, verdict: Verdict) -> None:
        now = self._deadlines.seconds()
        detail = verdict.detail
        if checked.late and not verdict.passed:
            detail += f" within {checked.check.patience:g} s"
        checked.late = False
        if verdict.reply is not None and not verdict.reply.isEmpty:
            checked.pool.reportAgent(checked.host.name, verdict.reply)
        if verdict.address is not None:
            checked.pool.reportReached(checked.host.name, verdict.address)
        if verdict.passed is None:
            self._say(checked, detail)
        else:
            checked.said = ""
            result = CheckResult(verdict.passed, detail, now - checked.began)
            checked.pool.reportCheck(checked.host.name, result)
        self._again(checked, now)

    def _again(self, checked: CheckedHost, now: float) -> None:
        """
        Plan the next check of a host, and begin one that waits.
        """
        if self._checked.get(checked.host.key) is checked and checked.timing is not None:
            interval = intervalOf(checked.check, checked.host.health.state)
            if interval is not None and not checked.ticket:
                self._enqueue(checked, checked.timing.next(interval, checked.began, now))
        self._letOneIn(now)

    def _letOneIn(self, now: float) -> None:
        if self._lettingIn:
            # A check that was begun by the loop below ended at once. The loop goes on.
            return
        self._lettingIn = True
        begun: list[CheckedHost] = []
        try:
            while self._waiting and self.active < self.maxChecks:
                checked = self._waiting.popleft()
                if checked.waiting:
                    checked.waiting = False
                    self._complain(checked, now)
                    self._begin(checked, now, begun)
        finally:
            self._lettingIn = False
        self._expect(begun)

    def _complain(self, checked: CheckedHost, now: float) -> None:
        late = now - checked.began
        recently = self._complained is not None and now < self._complained + COMPLAIN
        if late > checked.check.interval and not recently:
            self._complained = now
            _log.warn(
                "checks are late, that of {host} by {late:.1f} s: maxChecks is {most}, and that "
                "is too few, as hosts take so long to answer",
                host=checked.name,
                late=late,
                most=self.maxChecks,
            )

    def _say(self, checked: CheckedHost, detail: str) -> None:
        """
        Log once that a check has no result.
        """
        if checked.said == detail:
            return
        checked.said = detail
        if checked.check.kind == "agent":
            _log.info("{host}: {detail}", host=checked.name, detail=detail)
        elif self._isNews(detail):
            # The balancer itself lacks something, so that other checks fail likewise.
            _log.warn(
                "{host} can't be checked, and maybe other hosts neither: {detail}; no host is "
                "marked down for it",
                host=checked.name,
                detail=detail,
            )

    def _isNews(self, detail: str) -> bool:
        now = self._deadlines.seconds()
        if len(self._said) > MANY_SAID:
            self._said.clear()
        if now < self._said.get(detail, -COMPLAIN) + COMPLAIN:
            return False
        self._said[detail] = now
        return True

    def _broken(self, checked: CheckedHost, reason: Failure) -> None:
        detail = repr(reason.value)
        if checked.said != detail:
            checked.said = detail
            _log.failure("the check of {host} is broken", reason, host=checked.name)

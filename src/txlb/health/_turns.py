"""
Whose turn it is to be checked, and what was found.
"""

from __future__ import annotations

import functools
import heapq
from collections import deque
from random import Random as RandomSource

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline
from txlb.health._pace import LATE, Beat, intervalOf, shortest
from txlb.health._tools import Tools
from txlb.health._verdict import Verdict
from txlb.health._watched import Watched
from txlb.manager import ProxyManager
from txlb.pool import CheckResult
from txlb.schedulers import Key

#: Seconds that checks which are due wait for others at most, so that they are
#: begun together.
GRAIN = 0.02

#: Seconds between two complaints that checks are late.
COMPLAIN = 60.0

#: How many different things are remembered to have been said.
MANY_SAID = 100

NO_ANSWER = Verdict(False, "no answer")

_log = Logger()


class Turns:
    """
    Begins checks at their times, so many at once, and reports what they find.
    L{txlb.health.Heartbeat} says which hosts there are.

    All checks share one place in the queue of deadlines, and are begun in
    batches; only those that don't end at once have a deadline of their own.

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
        self._watched: dict[Key, Watched] = {}
        # When to check next, a number that only grows, and whom. A place is left
        # by giving its host another number.
        self._queue: list[tuple[float, int, Watched]] = []
        self._number = 0
        self._waiting: deque[Watched] = deque()
        self._beginning = False
        self._lettingIn = False
        self._next: Deadline | None = None
        self._grain = GRAIN
        self._complained: float | None = None
        self._said: dict[str, float] = {}

    def _keepUpWith(self, watched: Watched) -> None:
        """
        Be no later than this host's interval allows.
        """
        self._grain = min(self._grain, LATE * shortest(watched.check))

    def _drop(self, watched: Watched) -> None:
        """
        Check a host no more; a check that is under way is cancelled.
        """
        watched.ticket = 0
        watched.waiting = False
        if watched.running is not None:
            self._over(watched).cancel()
            self._letOneIn(self._deadlines.seconds())

    def _forgetAll(self) -> None:
        """
        Check nobody any more.
        """
        self._waiting.clear()
        for watched in tuple(self._watched.values()):
            self._drop(watched)
        self._watched.clear()
        self._queue.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    # When

    def _place(self, watched: Watched, share: float) -> None:
        """
        Check a host for the first time, or again after it was left alone.

        @param share: how much of its interval to wait.
        """
        interval = intervalOf(watched.check, watched.host.health.state)
        if interval is None:
            return
        now = self._deadlines.seconds()
        watched.beat = Beat(self._random, interval, now + share * interval * (1 - LATE))
        self._enqueue(watched, watched.beat.first())

    def _enqueue(self, watched: Watched, when: float) -> None:
        self._number += 1
        watched.ticket = self._number
        heapq.heappush(self._queue, (when, self._number, watched))
        if len(self._queue) > 64 + 2 * len(self._watched):
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
        Begin the checks whose time has come.
        """
        self._next = None
        now = self._deadlines.seconds()
        self._beginning = True
        begun: list[Watched] = []
        try:
            while self._queue and self._queue[0][0] <= now:
                _, ticket, watched = heapq.heappop(self._queue)
                if watched.ticket == ticket:
                    watched.ticket = 0
                    self._turn(watched, now, begun)
            self._tools.sockets.look()
        finally:
            self._beginning = False
        self._expect(begun)
        if self._queue:
            self._wakeAt(max(self._queue[0][0], now + self._grain))

    def _turn(self, watched: Watched, now: float, begun: list[Watched]) -> None:
        """
        It is a host's turn.
        """
        if self.active >= self.maxChecks:
            watched.waiting = True
            watched.began = now
            self._waiting.append(watched)
        else:
            self._begin(watched, now, begun)

    def _begin(self, watched: Watched, now: float, begun: list[Watched]) -> None:
        watched.began = now
        service, group, _ = watched.host.key
        target = watched.target(self._manager.getGroup(service, group).sendProxy)
        # In maintenance it keeps its beat, and its peace.
        if target is None or not watched.host.enabled:
            self._again(watched, now)
            return
        self.active += 1
        try:
            running = watched.healthCheck.check(target)
        except Exception:  # noqa: BLE001 - a check fails for itself alone
            self.active -= 1
            self._broken(watched, Failure())
            self._again(watched, now)
            return
        watched.running = running
        begun.append(watched)
        running.addCallbacks(
            functools.partial(self._found, watched, running),
            functools.partial(self._failed, watched, running),
        )

    def _expect(self, begun: list[Watched]) -> None:
        """
        Give those that are not over yet their time.
        """
        for watched in begun:
            if watched.running is not None and watched.expiry is None:
                expired = functools.partial(self._expired, watched)
                watched.expiry = self._deadlines.patience(
                    watched.check.patience, expired, watched.began
                )

    # What was found

    def _over(self, watched: Watched) -> Deferred[Verdict]:
        """
        The check of a host is under way no more.
        """
        running = watched.running
        assert running is not None  # noqa: S101 - asked only while there is one
        watched.running = None
        self.active -= 1
        if watched.expiry is not None:
            watched.expiry.cancel()
            watched.expiry = None
        return running

    def _found(self, watched: Watched, running: Deferred[Verdict], verdict: Verdict) -> None:
        if watched.running is running:
            self._over(watched)
            self._report(watched, verdict)

    def _failed(self, watched: Watched, running: Deferred[Verdict], reason: Failure) -> None:
        if watched.running is not running:
            return
        self._over(watched)
        if watched.late and reason.check(CancelledError):
            self._report(watched, NO_ANSWER)
        else:
            watched.late = False
            self._broken(watched, reason)
            self._again(watched, self._deadlines.seconds())

    def _expired(self, watched: Watched) -> None:
        watched.expiry = None
        running = watched.running
        if running is None:
            return
        watched.late = True
        running.cancel()
        if watched.running is running:
            # It does not let go; whatever comes of it later is not listened to.
            self._over(watched)
            self._report(watched, NO_ANSWER)

    def _report(self, watched: Watched, verdict: Verdict) -> None:
        now = self._deadlines.seconds()
        detail = verdict.detail
        if watched.late and not verdict.passed:
            detail += f" within {watched.check.patience:g} s"
        watched.late = False
        if verdict.reply is not None and not verdict.reply.isEmpty:
            watched.pool.reportAgent(watched.host.name, verdict.reply)
        if verdict.address is not None:
            watched.pool.reportReached(watched.host.name, verdict.address)
        if verdict.passed is None:
            self._say(watched, detail)
        else:
            watched.said = ""
            result = CheckResult(verdict.passed, detail, now - watched.began)
            watched.pool.reportCheck(watched.host.name, result)
        self._again(watched, now)

    def _again(self, watched: Watched, now: float) -> None:
        """
        Check a host again when it is time, and let another one have its turn.
        """
        if self._watched.get(watched.host.key) is watched and watched.beat is not None:
            interval = intervalOf(watched.check, watched.host.health.state)
            if interval is not None and not watched.ticket:
                self._enqueue(watched, watched.beat.next(interval, watched.began, now))
        self._letOneIn(now)

    def _letOneIn(self, now: float) -> None:
        if self._lettingIn:
            # One that ended at once; whoever let it in goes on.
            return
        self._lettingIn = True
        begun: list[Watched] = []
        try:
            while self._waiting and self.active < self.maxChecks:
                watched = self._waiting.popleft()
                if watched.waiting:
                    watched.waiting = False
                    self._complain(watched, now)
                    self._begin(watched, now, begun)
        finally:
            self._lettingIn = False
        self._expect(begun)

    def _complain(self, watched: Watched, now: float) -> None:
        late = now - watched.began
        recently = self._complained is not None and now < self._complained + COMPLAIN
        if late > watched.check.interval and not recently:
            self._complained = now
            _log.warn(
                "checks are late, that of {host} by {late:.1f} s: {most} at once are too few, as "
                "hosts take so long to answer",
                host=watched.name,
                late=late,
                most=self.maxChecks,
            )

    def _say(self, watched: Watched, detail: str) -> None:
        """
        Say once that a check says nothing of its host.
        """
        if watched.said == detail:
            return
        watched.said = detail
        if watched.check.kind == "agent":
            _log.info("{host}: {detail}", host=watched.name, detail=detail)
        elif self._isNews(detail):
            # What the balancer lacks all its checks lack.
            _log.warn(
                "{host} can't be checked, maybe others neither: {detail}; no host is put out "
                "for that",
                host=watched.name,
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

    def _broken(self, watched: Watched, reason: Failure) -> None:
        detail = repr(reason.value)
        if watched.said != detail:
            watched.said = detail
            _log.failure("the check of {host} is broken", reason, host=watched.name)

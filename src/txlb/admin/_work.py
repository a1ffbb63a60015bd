"""
The work that clients make before they have logged in, a slice a turn.

To read what a client sends, to exchange keys with it and to look for its key take time of
the reactor's thread, in which connections are relayed too, and anybody can ask for that.
So it is not done when bytes come but here: in slices of half a millisecond, with a pause
between two of them, and altogether for a hundredth of the time, beside what has been
saved up while nobody came. A login that succeeds gives back what it has cost.

Another thread would not help: Python runs one at a time, and cryptography does not let
others run while it computes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from txlb.admin._log import log
from txlb.deadlines import Deadline, Deadlines

#: Seconds of work in one turn, after which the rest waits for the next. What is one thing
#: is done as a whole: a key exchange takes about half a millisecond.
SLICE = 0.0005

#: Seconds from one slice to the next.
PAUSE = 0.005

#: Seconds of work a second.
SHARE = 0.01

#: Seconds of work that can be saved up: some thirty logins.
SAVED = 0.05

#: Seconds of work that can be owed, whatever one thing has taken: a machine that stood still
#: must not keep everybody out.
OWED = 0.01

#: Seconds that the reactor spends to read what there is then work for. They count too.
READING = 0.00003


class Job(Protocol):
    """
    A client, or whatever else there is work for.

    @ivar source: from where the work comes. Each source gets the same share.
    @ivar stage: 0 for work before keys are exchanged, and 1 for work after that. Each
        stage of a source gets the same share of what the source gets.
    @ivar cost: seconds of work that it has had.
    """

    source: str
    stage: int
    cost: float

    def work(self) -> bool:
        """
        Do one thing.

        @return: whether there is more to do now.
        """


class Queue:
    """
    The jobs of one source.

    @ivar jobs: those of each stage, in the order in which they came.
    """

    def __init__(self) -> None:
        self.jobs: tuple[dict[Job, None], dict[Job, None]] = ({}, {})
        self._turn = 0

    def __bool__(self) -> bool:
        """
        Whether there is any.
        """
        return any(self.jobs)

    def next(self) -> Job:
        """
        Tell whose turn it is: of each stage by turns that of the job that has had least. So
        nobody is held up by those that ask for much.
        """
        self._turn = 1 - self._turn
        jobs = self.jobs[self._turn] or self.jobs[1 - self._turn]
        return min(jobs, key=lambda job: job.cost)

    def remove(self, job: Job) -> None:
        """
        There is no work for a job any more.
        """
        for jobs in self.jobs:
            jobs.pop(job, None)


class LoginWork:
    """
    Does the work of all, by turns. Owned by a L{txlb.admin._factory.ManholeFactory}.

    @param deadlines: when to do it.
    @param spent: a clock of the time that this thread has worked, in seconds.
    """

    def __init__(self, deadlines: Deadlines, spent: Callable[[], float] = time.thread_time) -> None:
        self._deadlines = deadlines
        self._spent = spent
        self._left = SAVED
        self._counted = deadlines.seconds()
        # The source whose turn is next is the first.
        self._sources: dict[str, Queue] = {}
        self._next: Deadline | None = None
        self._earliest = self._counted
        self._working = False

    @property
    def pending(self) -> bool:
        """
        Whether there is any.
        """
        return bool(self._sources)

    def add(self, job: Job) -> None:
        """
        There is work for a job.
        """
        queue = self._sources.setdefault(job.source, Queue())
        queue.jobs[job.stage].setdefault(job)
        if not self._working:
            # Something was read.
            self._charge(job, READING)
            self._wake()

    def remove(self, job: Job) -> None:
        """
        There is none any more.
        """
        queue = self._sources.get(job.source)
        if queue is not None:
            queue.remove(job)
            if not queue:
                del self._sources[job.source]

    def refund(self, job: Job) -> None:
        """
        Give back what a job has cost.
        """
        self._left = min(SAVED, self._left + job.cost)
        job.cost = 0.0

    def stop(self) -> None:
        """
        Do no more.
        """
        self._sources.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wake(self) -> None:
        if self._next is None and self._sources:
            now = self._deadlines.seconds()
            # What was spent too much, and a whole slice, have to be earned first.
            earned = now if self._left > 0 else now + (SLICE - self._left) / SHARE
            self._next = self._deadlines.at(max(now, self._earliest, earned), self._turn)

    def _turn(self) -> None:
        self._next = None
        now = self._deadlines.seconds()
        self._left = min(SAVED, self._left + (now - self._counted) * SHARE)
        self._counted = now
        self._working = True
        began = self._spent()
        used = 0.0
        while self._sources and used < SLICE and self._left > 0:
            job = self._take()
            stage = job.stage
            more = self._do(job)
            ended = self._spent()
            used += ended - began
            self._charge(job, ended - began)
            began = ended
            if not more or job.stage != stage:
                self.remove(job)
            if more:
                self.add(job)
        self._working = False
        self._earliest = self._deadlines.seconds() + PAUSE
        self._wake()

    def _charge(self, job: Job, cost: float) -> None:
        self._left = max(self._left - cost, -OWED)
        job.cost += cost

    def _take(self) -> Job:
        """
        Tell which job is next. It stays where it is, and its source is the last one then.
        """
        source, queue = next(iter(self._sources.items()))
        del self._sources[source]
        self._sources[source] = queue
        return queue.next()

    def _do(self, job: Job) -> bool:
        try:
            return job.work()
        except Exception:  # noqa: BLE001 - one job's trouble is not the next one's
            log.failure("work before a login failed")
            return False

"""
Work that is done in slices, for at most a share of the time.

Requests of clients take time of the reactor's thread, which relays connections too. So they
are not done when bytes come but here: in slices of a millisecond or so, with a pause between
two of them, and altogether for a share of the time, beside the time that was saved up while
there was no work. A L{Ration} has the numbers.

Another thread would not help: Python runs one thread at a time, and cryptography does not let
others run while it computes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from txlb.admin._log import log
from txlb.deadlines import Deadline, Deadlines


@dataclass(frozen=True, slots=True)
class Ration:
    """
    Amounts of work, in seconds of the thread's own time; C{pause} is in seconds of the clock.

    @ivar slice: of work in one turn. After it the rest waits for a later turn. One step of a
        job is not divided.
    @ivar pause: from one slice to the next. It is shorter or longer in proportion to the
        length of the slice before it.
    @ivar share: of work in a second, 0 to 1.
    @ivar saved: of work that can be saved up.
    @ivar owed: of work that can be owed, at most: after a machine stood still, clients must
        not wait long.
    @ivar reading: of work that counts for each input, for the time in which the reactor
        reads it.
    @ivar atOnce: whether work may begin in the turn in which it comes.
    """

    slice: float
    pause: float
    share: float
    saved: float
    owed: float
    reading: float = 0.0
    atOnce: bool = False


def nothing() -> None:
    """
    Do nothing: no balancer has said how its connections go on.
    """


class Job(Protocol):
    """
    A client, or another origin of work.

    @ivar source: the source of the work. Each source gets the same share.
    @ivar stage: 0 or 1. Each stage of a source gets the same share of what the source gets.
    @ivar cost: seconds of work that it has had.
    """

    source: str
    stage: int
    cost: float

    def work(self) -> bool:
        """
        Do one step.

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
        Return the job whose turn it is. The stages take turns, and in a stage it is the job
        that has had the least time. So a job that needs much time holds up no other.
        """
        self._turn = 1 - self._turn
        jobs = self.jobs[self._turn] or self.jobs[1 - self._turn]
        return min(jobs, key=lambda job: job.cost)

    def remove(self, job: Job) -> None:
        """
        Remove a job: there is no work for it any more.
        """
        for jobs in self.jobs:
            jobs.pop(job, None)


class RationedWork:
    """
    Does the work of all jobs, in turns. Owned by the object that accepts the clients.

    @param deadlines: calls when work is due.
    @param ration: the bounds.
    @param spent: a clock of the time that this thread has worked, in seconds.
    @param giveWay: lets relayed connections go on; it is called before each step.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        ration: Ration,
        spent: Callable[[], float] = time.thread_time,
        giveWay: Callable[[], object] = nothing,
    ) -> None:
        self._giveWay = giveWay
        self._deadlines = deadlines
        self._ration = ration
        self._spent = spent
        self._left = ration.saved
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
        Add a job: there is work for it.
        """
        queue = self._sources.setdefault(job.source, Queue())
        queue.jobs[job.stage].setdefault(job)
        if not self._working:
            # Something was read.
            self._charge(job, self._ration.reading)
            self._wake(self._ration.atOnce)

    def remove(self, job: Job) -> None:
        """
        Remove a job: there is no work for it any more.
        """
        queue = self._sources.get(job.source)
        if queue is not None:
            queue.remove(job)
            if not queue:
                del self._sources[job.source]

    def refund(self, job: Job) -> None:
        """
        Give back the time that a job has had.
        """
        self._left = min(self._ration.saved, self._left + job.cost)
        job.cost = 0.0

    def stop(self) -> None:
        """
        Stop: do no more work.
        """
        self._sources.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wake(self, atOnce: bool = False) -> None:
        if self._next is not None or not self._sources:
            return
        now = self._deadlines.seconds()
        ration = self._ration
        # Time that is owed, and a whole slice, have to be earned first.
        earned = now if self._left > 0 else now + (ration.slice - self._left) / ration.share
        when = max(now, self._earliest, earned)
        if atOnce and when <= now:
            self._turn()
        else:
            self._next = self._deadlines.at(when, self._turn)

    def _turn(self) -> None:
        self._next = None
        ration = self._ration
        now = self._deadlines.seconds()
        self._left = min(ration.saved, self._left + (now - self._counted) * ration.share)
        self._counted = now
        self._working = True
        began = self._spent()
        used = 0.0
        while self._sources and used < ration.slice and self._left > 0:
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
        # If other processes use the processor, a slice has taken longer on the clock. The
        # reactor has its turn for as long then.
        ended = self._deadlines.seconds()
        taken = min(max(used, ended - now), ration.owed)
        self._earliest = ended + ration.pause / ration.slice * taken
        self._wake()

    def _charge(self, job: Job, cost: float) -> None:
        self._left = max(self._left - cost, -self._ration.owed)
        job.cost += cost

    def _take(self) -> Job:
        """
        Return the next job. The job stays in its queue, and its source becomes the last one.
        """
        source, queue = next(iter(self._sources.items()))
        del self._sources[source]
        self._sources[source] = queue
        return queue.next()

    def _do(self, job: Job) -> bool:
        self._giveWay()
        try:
            return job.work()
        except Exception:  # noqa: BLE001 - an error of one job must not stop the others
            log.failure("a request of a client failed")
            return False

"""
How a host does its work.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from benchmarks.simulation._timeline import Timeline


class Job:
    """
    A job at a host.

    @ivar work: seconds at a host of speed 1.
    """

    __slots__ = ("work",)

    def __init__(self, work: float) -> None:
        self.work = work


#: Is called with a job that is done.
Done = Callable[[Job], object]


class IServer(Protocol):
    """
    The working part of a host.

    @ivar speed: seconds of work that it does in a second, with all that it has.
    @ivar present: how many jobs it has, waiting ones included.
    """

    speed: float

    @property
    def present(self) -> int:
        """
        How many jobs it has.
        """

    @property
    def quickest(self) -> float:
        """
        Seconds that a second of work takes where nothing else is to be done.
        """

    def begin(self, job: Job) -> None:
        """
        Take a job.
        """

    def abandon(self) -> list[Job]:
        """
        All jobs are lost.

        @return: those.
        """

    def busySeconds(self) -> float:
        """
        For how long it was busy so far, as the CPU time of a machine with one core.
        """


class ProcessorSharing:
    """
    All jobs at once, each with an equal part of the host: what an event loop, threads or
    a system that shares time come to. It is the usual model of web servers, and the limit
    of round robin with small slices.

    Each job's part is the same, so it is enough to keep how much a job would have got that
    was there from the beginning: a job is done when that has grown by its work.
    """

    def __init__(self, timeline: Timeline, speed: float, done: Done) -> None:
        self.speed = speed
        self._timeline = timeline
        self._done = done
        self._jobs: list[tuple[float, int, Job]] = []
        self._number = 0
        self._got = 0.0
        self._since = 0.0
        self._busy = 0.0

    @property
    def present(self) -> int:
        """
        See L{IServer.present}.
        """
        return len(self._jobs)

    @property
    def quickest(self) -> float:
        """
        See L{IServer.quickest}.
        """
        return 1 / self.speed

    def begin(self, job: Job) -> None:
        """
        See L{IServer.begin}.
        """
        self._catchUp()
        self._number += 1
        heapq.heappush(self._jobs, (self._got + job.work, self._number, job))
        self._plan()

    def abandon(self) -> list[Job]:
        """
        See L{IServer.abandon}.
        """
        self._catchUp()
        lost = [job for _, _, job in self._jobs]
        self._jobs.clear()
        self._number += 1
        return lost

    def busySeconds(self) -> float:
        """
        See L{IServer.busySeconds}.
        """
        self._catchUp()
        return self._busy

    def _catchUp(self) -> None:
        now = self._timeline.now
        if self._jobs:
            passed = now - self._since
            self._busy += passed
            self._got += passed * self.speed / len(self._jobs)
        self._since = now

    def _plan(self) -> None:
        """
        Plan the end of the job that ends first if nothing else comes.
        """
        self._number += 1
        if self._jobs:
            left = max(self._jobs[0][0] - self._got, 0.0) * len(self._jobs) / self.speed
            self._timeline.at(self._timeline.now + left, self._end, self._number)

    def _end(self, number: int) -> None:
        if number != self._number:
            return  # something came or went meanwhile, and it was planned anew
        self._catchUp()
        _, _, job = heapq.heappop(self._jobs)
        self._plan()
        self._done(job)


class Workers:
    """
    First come, first served, by a number of workers, such as processes that take one
    connection each.

    @param workers: how many; each has that part of the speed.
    """

    def __init__(self, timeline: Timeline, speed: float, done: Done, workers: int = 1) -> None:
        self.speed = speed
        self._timeline = timeline
        self._done = done
        self._workers = workers
        self._waiting: deque[Job] = deque()
        self._running: set[Job] = set()
        self._since = 0.0
        self._busy = 0.0

    @property
    def present(self) -> int:
        """
        See L{IServer.present}.
        """
        return len(self._waiting) + len(self._running)

    @property
    def quickest(self) -> float:
        """
        See L{IServer.quickest}.
        """
        return self._workers / self.speed

    def begin(self, job: Job) -> None:
        """
        See L{IServer.begin}.
        """
        if len(self._running) < self._workers:
            self._start(job)
        else:
            self._waiting.append(job)

    def abandon(self) -> list[Job]:
        """
        See L{IServer.abandon}.
        """
        self._catchUp()
        lost = [*self._running, *self._waiting]
        self._running.clear()
        self._waiting.clear()
        return lost

    def busySeconds(self) -> float:
        """
        See L{IServer.busySeconds}.
        """
        self._catchUp()
        return self._busy

    def _catchUp(self) -> None:
        now = self._timeline.now
        self._busy += (now - self._since) * len(self._running) / self._workers
        self._since = now

    def _start(self, job: Job) -> None:
        self._catchUp()
        self._running.add(job)
        self._timeline.at(self._timeline.now + job.work * self.quickest, self._end, job)

    def _end(self, job: Job) -> None:
        if job not in self._running:
            return  # it was lost meanwhile
        self._catchUp()
        self._running.discard(job)
        if self._waiting:
            self._start(self._waiting.popleft())
        self._done(job)

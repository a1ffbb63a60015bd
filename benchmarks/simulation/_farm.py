"""
Hosts, their pool, and the jobs between: the part of a balancer that moves no bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import cast

from benchmarks.simulation._servers import Done, IServer, Job
from benchmarks.simulation._timeline import Timeline
from benchmarks.simulation._work import Demand
from txlb.model import ProxyHost
from txlb.pool import Attempt, DialLimits, Failure, FailureKind, HostPool, Lease, Outcome

#: Seconds that a connection takes to a host with nothing to do, and seconds more for each
#: job that it has: a host of speed 1 looks at its listening socket after a turn of its loop,
#: in which each job gets a slice.
NEAR = 0.0005
SLICE = 0.001

#: Seconds from one report of an agent to the next.
REPORTS = 2.0

#: Searches try every host, so that no job is lost while there is one that lives.
LIMITS = DialLimits(connectTimeout=5.0, dialTimeout=1e9, retries=1000)


@dataclass(frozen=True)
class HostSetup:
    """
    A host as its operator sets it up.

    @ivar speed: what it can do; 1 is the mean.
    @ivar weight: what the balancer is told.
    @ivar maxConnections: see L{ProxyHost}.
    """

    speed: float
    weight: int
    maxConnections: int | None = None


#: Makes the working part of a host, from its speed and what is called when a job is done.
ServerMaker = Callable[[Timeline, float, Done], IServer]


class Visit(Job):
    """
    A job with its way through the balancer.

    @ivar demand: what was asked for.
    @ivar host: the index of the host that has it; -1 for none.
    @ivar done: when it was done; None while it isn't, and for one that was lost.
    """

    __slots__ = ("attempt", "demand", "done", "host", "lease")

    def __init__(self, demand: Demand) -> None:
        super().__init__(demand.work)
        self.demand = demand
        self.host = -1
        self.done: float | None = None
        self.attempt: Attempt | None = None
        self.lease: Lease | None = None


class Farm:
    """
    Runs jobs through the real pool and policy.

    @ivar visits: all of the jobs, in the order in which they came.
    @ivar lost: how many jobs a crash has cost.
    @ivar waited: how many had to wait at the balancer, since no host had room.
    """

    def __init__(
        self,
        timeline: Timeline,
        policy: str,
        setups: Sequence[HostSetup],
        makeServer: ServerMaker,
        random: Random,
        *,
        reporting: bool = False,
    ) -> None:
        self.visits: list[Visit] = []
        self.lost = 0
        self.waited = 0
        self._timeline = timeline
        self._servers = [makeServer(timeline, each.speed, self._done) for each in setups]
        self._down = [False] * len(setups)
        self._waiting: deque[Visit] = deque()
        # Jobs that are to come or are not done. Without any, agents fall silent, or the
        # simulation would never end.
        self._open = 0
        self.pool = HostPool(
            policy,
            [
                ProxyHost(str(index), f"10.0.0.{index + 1}", 80, each.weight, each.maxConnections)
                for index, each in enumerate(setups)
            ],
            seconds=timeline.seconds,
            random=random,
        )
        if reporting:
            for index in range(len(setups)):
                # They don't report in step.
                self._timeline.at(random.random() * REPORTS, self._report, (index, 0.0))

    @property
    def quickest(self) -> float:
        """
        Seconds that a second of work takes at the quickest host, when that is idle.
        """
        return min(server.quickest for server in self._servers)

    def busySeconds(self) -> list[float]:
        """
        For how long each host was busy so far.
        """
        return [server.busySeconds() for server in self._servers]

    def offer(self, demands: Sequence[Demand]) -> None:
        """
        Schedule jobs.
        """
        self._open += len(demands)
        self._comes(iter(demands))

    def _comes(self, coming: Iterator[Demand]) -> None:
        demand = next(coming, None)
        if demand is not None:
            self._timeline.at(demand.at, self._came, (demand, coming))

    def _came(self, both: tuple[Demand, Iterator[Demand]]) -> None:
        demand, coming = both
        visit = Visit(demand)
        self.visits.append(visit)
        if self._waiting or not self._dispatch(visit):
            self.waited += 1
            self._waiting.append(visit)
        self._comes(coming)

    def _dispatch(self, visit: Visit) -> bool:
        """
        Look for a host as a relay does.

        @return: whether there was one.
        """
        due = self.pool.nextDeadline()
        if due is not None and due <= self._timeline.now:
            self.pool.advance(self._timeline.now)
        step = self.pool.dial(visit.demand.client, LIMITS).start()
        while isinstance(step, Attempt):
            host = int(step.host.name)
            if not self._down[host]:
                self._begin(visit, step, host)
                return True
            step = step.failed(Failure(FailureKind.REFUSED))
        return False

    def _begin(self, visit: Visit, attempt: Attempt, host: int) -> None:
        server = self._servers[host]
        visit.attempt, visit.host = attempt, host
        takes = NEAR + SLICE * server.present / server.speed
        self._timeline.at(self._timeline.now + takes, self._connected, visit)
        server.begin(visit)

    def _connected(self, visit: Visit) -> None:
        attempt, visit.attempt = visit.attempt, None
        if attempt is not None:
            visit.lease = attempt.connected()

    def _done(self, job: Job) -> None:
        visit = cast("Visit", job)
        # A small job can be done before the model of connecting says so.
        self._connected(visit)
        visit.done = self._timeline.now
        self._leave(visit, Outcome.DONE)

    def _leave(self, visit: Visit, outcome: Outcome) -> None:
        self._open -= 1
        lease, visit.lease = visit.lease, None
        if lease is not None:
            lease.release(outcome)
        # In turn, and no more than there is room for.
        while self._waiting and self._dispatch(self._waiting[0]):
            self._waiting.popleft()

    def crash(self, host: int) -> None:
        """
        Lose a host: its jobs are lost, and it refuses connections.
        """
        self._down[host] = True
        for job in self._servers[host].abandon():
            visit = cast("Visit", job)
            self._connected(visit)
            self.lost += 1
            self._leave(visit, Outcome.HOST_RESET)

    def recover(self, host: int) -> None:
        """
        Bring a host back.
        """
        self._down[host] = False

    def _report(self, last: tuple[int, float]) -> None:
        """
        Report as the agent of a host the idle share since its last report.
        """
        host, busyThen = last
        busy = self._servers[host].busySeconds()
        left = min(max(1 - (busy - busyThen) / REPORTS, 0.0), 1.0)
        if not self._down[host]:
            self.pool.reportLoad(str(host), left)
        if self._open:
            self._timeline.at(self._timeline.now + REPORTS, self._report, (host, busy))

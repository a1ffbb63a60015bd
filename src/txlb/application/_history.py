"""
The history of the last hour.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.logger import Logger

from txlb.application._ring import FIELDS, INTERVAL, POINTS, TAKEN_OVER, Ring
from txlb.errors import TxlbError

if TYPE_CHECKING:
    from txlb.application._engine import Engine
    from txlb.deadlines import Deadline
    from txlb.manager import ProxyManager
    from txlb.pool import Host, HostPool

#: The most things whose history is kept, each of which takes about 10.3 KiB: 30 MiB in all.
MOST = 3000

#: Hosts that are measured at a time, in about half a millisecond.
AT_ONCE = 200

#: The names of service, group and host; those that a thing does not have are empty.
Key = tuple[str, str, str]

#: A value for each of L{FIELDS}, and the time in seconds since 1970; L{None} if it is unknown.
Point = dict[str, float | None]

_counts = attrgetter("connections", "failures", "bytesIn", "bytesOut")

_log = Logger()


class HistoryService(Service):
    """
    The last hour of each service, group and host: a point every ten seconds. Owned by the
    balancer, as its child C{history}.

    Memory is bounded: each thing has a ring of arrays that never grows, and there are at most
    L{MOST} of them, services and groups first. Points are taken in slices, between which
    clients are served. An error costs one point; it is logged.

    @param manager: has the services.
    @param engine: returns the parts of the present run.
    @param now: tells the seconds since 1970.
    """

    name = "history"

    def __init__(
        self,
        manager: ProxyManager,
        engine: Callable[[], Engine],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._manager = manager
        self._engine = engine
        self._now = now
        self._rings: dict[Key, Ring] = {}
        self._times = array("d", [0.0] * POINTS)
        self._number = -1
        self._measuredAt: float | None = None
        self._seconds = INTERVAL
        self._next: Deadline | None = None
        self._steps: Iterator[None] = iter(())
        self._said = ""
        self._resumes = False

    def __len__(self) -> int:
        """
        Return the number of things whose history is kept.
        """
        return len(self._rings)

    # Life

    def startService(self) -> None:
        """
        Begin to take points.
        """
        super().startService()
        if self._resumes:
            # The points of the process before were taken every ten seconds, too.
            self._resumes = False
            self._next = self._engine().deadlines.after(self._wait(), self._begin)
        else:
            # The counts from here on are those of the first point.
            self._begin()

    def stopService(self) -> None:
        """
        Take no more points. Those that there are stay.
        """
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    # Taking points

    def _begin(self) -> None:
        """
        Take the points of all things, and then those of ten seconds later.
        """
        self._steps = self._measuring()
        self._goOn()

    def _goOn(self) -> None:
        deadlines = self._engine().deadlines
        try:
            next(self._steps)
        except StopIteration:
            self._next = deadlines.after(self._wait(), self._begin)
        except Exception as error:  # noqa: BLE001 - it costs one point, and not all later ones
            self._next = deadlines.after(INTERVAL, self._begin)
            self._tell(error)
        else:
            self._next = deadlines.after(0.0, self._goOn)

    def _wait(self) -> float:
        """
        Return the seconds until the next points.
        """
        began = self._measuredAt
        spent = 0.0 if began is None else self._manager.seconds() - began
        return max(INTERVAL - spent, 0.0)

    def _tell(self, error: Exception) -> None:
        """
        Log an error, but the same one only once.
        """
        said = repr(error)
        if said != self._said:
            self._said = said
            _log.failure("a point of the history could not be taken")

    def _measuring(self) -> Iterator[None]:
        manager, now = self._manager, self._manager.seconds()
        before, self._measuredAt = self._measuredAt, now
        self._seconds = INTERVAL if before is None or now <= before else now - before
        self._number += 1
        self._times[self._number % POINTS] = self._now()
        pools = [
            (name, group.name, manager.getPool(name, group.name))
            for name, service in manager.services.items()
            for group in service.groups
        ]
        yield
        wanted: set[Key] = set()
        groups: dict[str, list[str]] = {}
        for service, group, pool in pools:
            groups.setdefault(service, []).append(group)
            yield from self._measuringGroup((service, group, ""), pool, wanted)
        for name, names in groups.items():
            if name in manager.services:
                self._measureService(name, names, wanted)
            yield
        for _, _, pool in pools:
            hosts = pool.hosts
            for begin in range(0, len(hosts), AT_ONCE):
                for host in hosts[begin : begin + AT_ONCE]:
                    self._measureHost(host, wanted)
                yield
        for key in [key for key in self._rings if key not in wanted]:
            del self._rings[key]

    def _ringOf(self, key: Key, wanted: set[Key]) -> Ring | None:
        """
        Return the ring of a thing; L{None} if there is no room for one.
        """
        if len(wanted) >= MOST:
            return None
        wanted.add(key)
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = Ring()
        return ring

    def _measureHost(self, host: Host, wanted: set[Key]) -> None:
        ring = self._ringOf(host.key, wanted)
        if ring is None:
            return
        took = host.connectTime
        self._put(
            ring,
            host,
            host.active,
            _counts(host.counters),
            math.nan if took is None else took,
            host.effectiveWeight,
        )

    def _measuringGroup(self, key: Key, pool: HostPool, wanted: set[Key]) -> Iterator[None]:
        ring = self._ringOf(key, wanted)
        if ring is None:
            return
        hosts = (*pool.hosts, *pool.leaving)
        sums: list[float] = list(_counts(pool.counters.former))
        active, weight = 0, 0.0
        for number, host in enumerate(hosts, 1):
            active += host.active
            weight += host.effectiveWeight if host.held else 0.0
            for place, count in enumerate(_counts(host.counters)):
                sums[place] += count
            if not number % AT_ONCE:
                yield
        times = pool.counters.connectTimes
        self._put(ring, pool, active, (*sums, times.sum, times.count), math.nan, weight)
        yield

    def _measureService(self, name: str, names: Iterable[str], wanted: set[Key]) -> None:
        ring = self._ringOf((name, "", ""), wanted)
        if ring is None:
            return
        counters = self._manager.getCounters(name)
        groups = [self._rings.get((name, group, "")) for group in names]
        counts = [each.counts for each in groups if each is not None]
        sums = [sum(values) for values in zip(*counts, strict=True)] or [0.0] * 6
        sums[0], sums[1] = counters.accepted, sum(counters.refused.values())
        self._put(ring, counters, counters.active, sums, math.nan, math.nan)

    def _put(
        self,
        ring: Ring,
        source: object,
        active: float,
        counts: Sequence[float],
        connectTime: float,
        weight: float,
    ) -> None:
        """
        Keep a point of what has happened since the last one.

        @param counts: connections, failures, bytes from clients, bytes to them; and also, if the
            time to connect is found by them, the sum of these times and their number.
        """
        before = ring.counts
        known = ring.source is source or ring.source is TAKEN_OVER
        if not known or len(before) != len(counts):
            before = counts
        ring.source, ring.counts = source, tuple(counts)
        # A group that is gone takes its counts along.
        made = [max(now - was, 0) for now, was in zip(counts, before, strict=True)]
        if len(made) > 4:
            connectTime = made[4] / made[5] if made[5] else math.nan
        seconds = self._seconds
        ring.put(
            self._number,
            (
                active,
                made[0] / seconds,
                made[1],
                made[2] / seconds,
                made[3] / seconds,
                connectTime,
                weight,
            ),
        )

    # For another process

    @property
    def rings(self) -> Mapping[Key, Ring]:
        """
        The rings of all things.
        """
        return self._rings

    @property
    def clock(self) -> tuple[int, float | None, array[float]]:
        """
        The number of the last points, when they were taken by the manager's clock, and the times
        of all points.
        """
        return self._number, self._measuredAt, self._times

    def resume(
        self,
        number: int,
        measuredAt: float | None,
        times: array[float],
        rings: Mapping[Key, Ring],
    ) -> None:
        """
        Go on with the points of another process. The arguments are what L{clock} and L{rings} have
        there.
        """
        self._number, self._measuredAt, self._times = number, measuredAt, times
        self._rings = dict(rings)
        self._resumes = measuredAt is not None

    # Views

    def ringOf(self, service: str, group: str = "", host: str = "") -> Ring | None:
        """
        Return the ring of a thing; L{None} if there is none (yet).
        """
        return self._rings.get((service, group, host))

    def points(
        self, service: str, group: str = "", host: str = "", since: float = 0.0
    ) -> Iterator[Point]:
        """
        Return the points of a service, a group or a host, the oldest one first. Each has its
        C{time} in seconds since 1970 and a value for each of L{FIELDS}. Counts are those since
        the point before, or of the ten seconds before it.

        @param group: empty for the service itself.
        @param host: empty for the group itself.
        @param since: only those after this time, in seconds since 1970.
        @raise UnknownName: there is no such thing.
        @raise TxlbError: its history is not kept, as there are too many things.
        """
        manager = self._manager
        if host:
            manager.getHost(service, group, host)
        elif group:
            manager.getGroup(service, group)
        else:
            manager.getService(service)
        ring = self.ringOf(service, group, host)
        if ring is None and len(self._rings) >= MOST:
            name = "/".join(filter(None, (service, group, host)))
            raise TxlbError(
                f"{name} has no history: it is kept for {MOST} services, groups and hosts at most"
            )
        return iter(()) if ring is None else self._points(ring, since)

    def _points(self, ring: Ring, since: float) -> Iterator[Point]:
        for number, values in ring.points():
            if number <= self._number - POINTS:
                continue  # its time is overwritten
            when = self._times[number % POINTS]
            if when <= since:
                continue
            point: Point = {"time": when}
            for field, value in zip(FIELDS, values, strict=True):
                point[field] = None if math.isnan(value) else value
            yield point

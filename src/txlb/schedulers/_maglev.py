"""
The same client to the same host, by a table.

Each of the 65,537 entries of a table belongs to a host, and a client's hash says
which entry is its own. Every host has an order of its own in which it would like
to have the entries, and the hosts take turns in proportion to their weights:
each time the next entry of its order that is still free. So shares are exact,
more so than a ring's, and when a host goes hardly any client of others moves.

To fill a table takes some tenths of a second. So it is never done on a pick: a
new one is begun when hosts or weights have changed, at most once a second, and
filled in slices of 5 ms, with as long a pause after each; the old table serves
meanwhile. A host that has gone is not taken from it: its clients go on through
the table to the next host that is there. Until there is a first table, or while
nobody in it is there, the highest of random weights decides, which costs O(n)
and moves no client by itself.

Source: D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
Balancer", NSDI 2016, section 3.4, with the earliest turn first, so that weights count. The
random weights are D. Thaler and C. Ravishankar's rendezvous, 1996, in the
logarithmic form of J. Resch, 2015.
"""

from __future__ import annotations

import heapq
import math
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random as RandomSource

from zope.interface import implementer

from txlb.errors import ModelError
from txlb.interfaces import IHost, ITimedScheduler
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._bounded import Bound
from txlb.schedulers._hashing import clientHash, keyBytes, numbersOf
from txlb.schedulers._kind import SchedulerKind

#: Entries of a table: a prime number, far more than hosts.
SIZE = 65537

#: How many hosts a table takes. More would have too few entries each.
MAX_HOSTS = 1000

#: Seconds of one slice of work, from one slice to the next, and from the
#: beginning of one table to that of the next.
SLICE = 0.005
PAUSE = 0.005
INTERVAL = 1.0

#: How many entries are looked at between two looks at the clock, and as how many
#: the filling of one counts.
LOOKS = 2000
ENTRY = 20

#: Entries that are looked at in a row before it is asked who is there at all.
PROBES = 64

#: An entry that is free.
FREE = 0xFFFF


class Filling:
    """
    A table that is being filled.

    @ivar hosts: the keys of the hosts that it is for, by their numbers.
    @ivar weights: the weight of each, by its key.
    @ivar entries: the number of the host of each entry.
    """

    def __init__(self, weights: Mapping[Key, float], size: int = SIZE) -> None:
        self.weights = dict(weights)
        # In an order that doesn't depend on who came first.
        self.hosts = sorted(self.weights)
        self.entries = array("H", [FREE]) * size
        self._steps = self._fill(size)

    def work(self, seconds: Callable[[], float]) -> bool:
        """
        Go on for a slice of time.

        @return: whether the table is full.
        """
        until = seconds() + SLICE
        return all(seconds() < until for _ in self._steps)

    def _fill(self, size: int) -> Iterator[None]:
        """
        Fill the entries, some at each step: fewer towards the end, when free ones
        are hard to find.
        """
        entries = self.entries
        # When each has its next turn, where it would like to be then, and how
        # far that is from one to another.
        turns, place, stride = [], [], []
        for number, key in enumerate(self.hosts):
            numbers = numbersOf(keyBytes(key), 0)
            turns.append((1 / self.weights[key], number))
            place.append(numbers[0] % size)
            stride.append(numbers[1] % (size - 1) + 1)
        heapq.heapify(turns)
        looks = LOOKS
        for _ in range(size):
            turn, number = turns[0]
            heapq.heapreplace(turns, (turn + 1 / self.weights[self.hosts[number]], number))
            wanted, step = place[number], stride[number]
            looks -= ENTRY
            while entries[wanted] != FREE:
                wanted = (wanted + step) % size
                looks -= 1
            entries[wanted] = number
            place[number] = (wanted + step) % size
            if looks < 0:
                yield
                looks = LOOKS


@implementer(ITimedScheduler)
class Maglev(Scheduler):
    """
    A client's IP address decides, its port doesn't. A pick is O(1). It takes at
    most 1,000 hosts, and whoever has made it calls L{advance} when
    L{nextDeadline} says so, as L{txlb.pool.HostPool} does.
    """

    name = "maglev"
    scoreMeans = "the place in the client's order of hosts, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(
        self,
        random: RandomSource,
        *,
        boundedLoad: float = 0.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(random)
        self._bound = Bound(boundedLoad)
        self._seconds = seconds
        self._weights: dict[Key, float] = {}
        self._entries: Sequence[int] = ()
        self._of: list[Key] = []
        # Who is there, by the numbers of the table.
        self._there: list[IHost | None] = []
        self._number: dict[Key, int] = {}
        self._built: dict[Key, float] = {}
        self._filling: Filling | None = None
        self._nextTable = 0.0
        self._notBefore = seconds()
        self._changed = False

    # Who is there

    def hostAdded(self, host: IHost) -> None:
        """
        See L{IScheduler.hostAdded}.

        @raise ModelError: there are 1,000 already.
        """
        if len(self.hosts) >= MAX_HOSTS:
            raise ModelError(
                f"scheduler {self.name!r} takes at most {MAX_HOSTS} hosts; choose another scheduler"
            )
        super().hostAdded(host)
        number = self._number.get(host.key)
        if number is not None:
            self._there[number] = host
        self._update(host)

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        number = self._number.get(host.key)
        if number is not None:
            self._there[number] = None
        del self._weights[host.key]
        self._bound.forget(host)
        self._changed = True

    def hostChanged(self, host: IHost) -> None:
        if self._bound.factor or self._weights[host.key] != host.effectiveWeight:
            self._update(host)

    def _update(self, host: IHost) -> None:
        if self._bound.factor:
            self._bound.update(host)
        if self._weights.get(host.key) != host.effectiveWeight:
            self._weights[host.key] = host.effectiveWeight
            self._changed = True

    # The table

    def nextDeadline(self) -> float | None:
        return self._notBefore if self._changed or self._filling is not None else None

    def advance(self, now: float) -> None:
        """
        See L{ITimedScheduler.advance}: a slice of the table that is being
        filled, which is begun where something has changed.
        """
        if now < self._notBefore:
            return
        if self._filling is None:
            if not self._changed:
                return
            self._changed = False
            if not self._weights or self._weights == self._built:
                # Whoever had gone is back.
                return
            self._filling = Filling(self._weights)
            self._nextTable = now + INTERVAL
        if self._filling.work(self._seconds):
            self._use(self._filling)
            self._filling = None
            self._notBefore = max(self._nextTable, now + PAUSE)
        else:
            self._notBefore = now + SLICE + PAUSE

    def _use(self, table: Filling) -> None:
        self._entries = table.entries
        self._of = table.hosts
        self._built = table.weights
        self._number = {key: number for number, key in enumerate(self._of)}
        self._there = [self.hosts.get(key) for key in self._of]

    # Picks

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        place = clientHash(clientAddr)
        if self._entries:
            host = self._there[self._entries[place % SIZE]]
            if host is not None and (not excluded or host.key not in excluded):
                if not self._bound.factor or self._bound.hasRoom(host):
                    return host
        return self._search(place, excluded)

    def _search(self, place: int, excluded: frozenset[Key]) -> IHost | None:
        first = None
        for step, host in enumerate(self._order(place)):
            if step == PROBES and not self.candidates(excluded):
                return None
            if host.key in excluded:
                continue
            if self._bound.hasRoom(host):
                return host
            if first is None:
                first = host
        return first

    def _order(self, place: int) -> Iterator[IHost]:
        """
        The held hosts in the order of a client: those of the table, some of
        them again and again, then the others.
        """
        there = self._there
        if any(there):
            # A stride of the client's own, so that those of one host don't all
            # go on to the same other.
            entry, stride = place % SIZE, (place >> 32) % (SIZE - 1) + 1
            for _ in range(SIZE):
                host = there[self._entries[entry]]
                if host is not None:
                    yield host
                entry = (entry + stride) % SIZE
        others = [host for key, host in self.hosts.items() if key not in self._number]
        yield from sorted(others, key=lambda host: -_score(place, host))

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        See L{IScheduler.explain}: the hosts in the order in which the client
        would go to them; those that have more than their share come last.
        """
        order: dict[Key, IHost] = {}
        for host in self._order(clientHash(clientAddr)):
            order[host.key] = host
            if len(order) == len(self.hosts):
                break
        ranked = [key for key, host in order.items() if self._bound.hasRoom(host)]
        ranked += [key for key in order if key not in set(ranked)]
        return {key: -float(rank) for rank, key in enumerate(ranked, 1)}


def _score(place: int, host: IHost) -> float:
    name = place.to_bytes(8, "little") + keyBytes(host.key)
    # 52 bits and a half, so that it is never 0 or 1, which have no such score.
    fraction = ((numbersOf(name, 0)[0] >> 12) + 0.5) / (1 << 52)
    return -host.effectiveWeight / math.log(fraction)


MAGLEV = SchedulerKind(
    Maglev.name,
    Maglev,
    summary="always the same for one client's address, by a table that is built by and by",
    chooseWhen="as sticky, with shares that are more even, and hosts that seldom change",
    wants=("boundedLoad", "seconds"),
    maxHosts=MAX_HOSTS,
)

"""
The same client to the same host, by a table.

The table has 65,537 entries, and each belongs to a host. The hash of a client's address,
modulo that number, is the client's entry. Every host has an order of its own of all entries:
entry number k of host i is::

    (offset_i + k * stride_i) mod 65537        offset and stride: hashes of the host's names

As 65,537 is a prime number, every stride from 1 to 65,536 goes through all entries. The
hosts take turns, and at its turn a host takes the next entry of its order that is still free.
A host of weight w has its n-th turn at the time n / w, and the earliest turn is the next one,
so that hosts get entries in proportion to their weights. Each share is exact to about
one entry, while on a ring it depends on chance. If a host is removed and the table is filled
again, nearly all entries of the other hosts stay as they were.

Filling a table takes some tenths of a second, so it is never done on a pick. A new table is
begun when hosts or weights changed, at most once a second. It is filled in slices of 5 ms, with
a pause of 5 ms after each, and the old table is used until it is full. A host that is out stays
in the table: its clients go on in the table, by a stride of their own, to the next host that
is ready. Before the first table is full, or if no host of the table is ready, the host with
the highest score w / -ln(u) is chosen (rendezvous hashing): u is a hash of client and host,
between 0 and 1. That is O(n), and a host that comes or goes moves only its own clients.

Source: D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
Balancer", NSDI 2016, section 3.4, with turns by weight. Rendezvous hashing is D. Thaler and
C. Ravishankar, 1996, in the logarithmic form of J. Resch, 2015.
"""

from __future__ import annotations

import heapq
import math
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random as RandomSource

from zope.interface import implementer

from txlb._facts import Facts
from txlb.errors import ModelError
from txlb.interfaces import IHost, IKeptScheduler, ITimedScheduler
from txlb.schedulers._base import Key, Scheduler, pairsOf
from txlb.schedulers._bounded import Bound
from txlb.schedulers._hashing import clientHash, keyBytes, numbersOf
from txlb.schedulers._kind import SchedulerKind

#: Entries of a table: a prime number, as in the paper, which measured 65,537 and 655,373.
SIZE = 65537

#: How many hosts a table takes. With 1,000 equal hosts each has 65 or 66 entries, so that their
#: shares differ by less than 2 %. The paper recommends 100 entries a host, for 1 %.
MAX_HOSTS = 1000

#: Seconds of one slice of work, of the pause after it, and from the beginning of one table to
#: the beginning of the next. A slice is short enough for the data plane, which nothing may hold
#: for more than 5 ms.
SLICE = 0.005
PAUSE = 0.005
INTERVAL = 1.0

#: How many entries are looked at between two readings of the clock, and for how many looks
#: the filling of an entry counts, which takes longer than a look.
LOOKS = 2000
ENTRY = 20

#: The least weight of a host in a table that another process had.
LEAST_WEIGHT = 1e-6

#: The value of a free entry.
FREE = 0xFFFF


class Filling:
    """
    A table that is being filled.

    @ivar hosts: the keys of the hosts; the index is the number of a host.
    @ivar weights: the weight of each, by its key.
    @ivar entries: the number of the host of each entry.
    """

    def __init__(self, weights: Mapping[Key, float], size: int = SIZE) -> None:
        self.weights = dict(weights)
        # Sorted, so that the table does not depend on the order in which hosts were added.
        self.hosts = sorted(self.weights)
        self.entries = array("H", [FREE]) * size
        self._steps = self._fill(size)

    def work(self, seconds: Callable[[], float]) -> bool:
        """
        Fill entries for a slice of time.

        @return: whether the table is full.
        """
        until = seconds() + SLICE
        return all(seconds() < until for _ in self._steps)

    def _fill(self, size: int) -> Iterator[None]:
        """
        Fill the entries, some in each step. Steps take about the same time, so that the
        later ones, which look longer for free entries, fill fewer.
        """
        entries = self.entries
        # Of each host: the time of its next turn, the entry to try first then, its stride.
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


@implementer(ITimedScheduler, IKeptScheduler)
class Maglev(Scheduler):
    """
    The same host for a client's IP address; the port has no effect. A pick is O(1). It takes
    at most 1,000 hosts. Its owner calls L{advance} at L{nextDeadline}, as
    L{txlb.pool.HostPool} does.
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
        # The held host of each number of the table; None if it is not held.
        self._there: list[IHost | None] = []
        self._number: dict[Key, int] = {}
        self._built: dict[Key, float] = {}
        self._filling: Filling | None = None
        self._nextTable = 0.0
        self._notBefore = seconds()
        self._changed = False

    # Hosts

    def hostAdded(self, host: IHost) -> None:
        """
        Add a host.

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
        Fill a slice of the table, or begin a table if hosts or weights changed.
        """
        if now < self._notBefore:
            return
        if self._filling is None:
            if not self._changed:
                return
            self._changed = False
            if not self._weights or self._weights == self._built:
                # The hosts that were removed are back.
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

    # Upgrades

    def state(self) -> Mapping[str, object]:
        """
        Return the hosts that the table is of, with their weights. It depends on nothing else.
        """
        return {"built": [[key[2], weight] for key, weight in self._built.items()]}

    def restoring(self, state: Mapping[str, object]) -> Callable[[], None]:
        """
        Read the hosts that the table was of. To take them over takes some tenths of a second if
        the table is of other hosts.
        """
        facts = Facts(state, f"scheduler {self.name}")
        built = pairsOf(facts, "built", LEAST_WEIGHT)
        if len(built) > MAX_HOSTS:
            raise facts.wrong("built", f"a list of at most {MAX_HOSTS} hosts")

        def take() -> None:
            place = next(iter(self.hosts), None)
            if place is None or not built:
                return
            weights = {(*place[:2], name): weight for name, weight in built.items()}
            if weights != self._built:
                table = Filling(weights)
                while not table.work(self._seconds):
                    pass
                self._use(table)
                self._filling = None
            self._changed = self._weights != self._built

        return take

    # Picks

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        place = clientHash(clientAddr)
        if self._entries:
            host = self._there[self._entries[place % SIZE]]
            if host is not None and (not excluded or host.key not in excluded):
                if not self._bound.factor or self._bound.hasRoom(host):
                    return host
        return self._bound.choose(self._order(place), excluded, self.candidates)

    def _order(self, place: int) -> Iterator[IHost]:
        """
        Yield the held hosts in the order of a client: those of the table, some of them
        several times, then the others.
        """
        there = self._there
        if any(there):
            # Each client has a stride of its own, so that the clients of one host don't
            # all go to the same other host.
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
        Return the negated rank of each host in the client's order. Hosts that have no room by
        the bound come last.
        """
        return self._bound.scores(self._order(clientHash(clientAddr)), len(self.hosts))


def _score(place: int, host: IHost) -> float:
    name = place.to_bytes(8, "little") + keyBytes(host.key)
    # The middle of one of 2**52 equal parts of the interval: never 0 or 1, of which the
    # score does not exist. A float has 53 bits.
    fraction = ((numbersOf(name, 0)[0] >> 12) + 0.5) / (1 << 52)
    return -host.effectiveWeight / math.log(fraction)


MAGLEV = SchedulerKind(
    Maglev.name,
    Maglev,
    summary="always the same for one client's address, by a table that is built in the background",
    chooseWhen="as sticky, with shares that are more even, and hosts that seldom change",
    wants=("boundedLoad", "seconds"),
    maxHosts=MAX_HOSTS,
    looksAtClient=True,
)

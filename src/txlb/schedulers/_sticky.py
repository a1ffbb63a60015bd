"""
The same client to the same host, by a ring.

Each host has points on a ring of numbers, in proportion to its weight. The hash of a client's
address is a place on the ring, and the owner of the first point after it is the client's
host. So a host that goes moves only its own clients, and one that comes takes over only
those that are its own. The points are hashes of the host's names and nothing else: balancers
with the same hosts send a client to the same host, also after a restart.

A host of effective weight w has::

    round(w * scale) points, at least 1
    scale = N / M, rounded up to a power of two

N is the wanted number of points: 16,384, or 32 for each host if that is more. M is the highest
sum of weights that there was. So the scale stays the same if hosts go, and seldom changes if
one comes. If a host's weight or the scale changes, the points with the highest numbers are
added or removed, and the others stay. With these numbers of points, shares differ from
the weights by at most 2 % for three hosts, and 20 % for thousands, as in nginx and HAProxy.

A host that is out for the moment keeps its points, and a search that meets one of them goes
on to the next point. The result is the same as without these points, but nothing has to be
changed, which matters for a host that is full and has room again all the time. If the hosts
that are out are more than twice as many as the held ones, the points of those that
have been out the longest are removed.

Source: the ring is D. Karger et al., "Consistent Hashing and Random Trees", STOC
1997, with points by weight as in ketama (R. Jones, last.fm, 2007). For the bound
see L{Bound}.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from random import Random as RandomSource

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IHost, IKeptScheduler, ISettlingScheduler, ITimedScheduler
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._bounded import Bound
from txlb.schedulers._hashing import clientHash, keyBytes, placesOf
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._ring import Ring

#: How many points there are at least: on the ring, and for each host. The relative error of a
#: host's share is about one over the square root of its points.
FEWEST = 16384
FOR_EACH = 32

#: How many hosts that are out keep their points in any case.
REMEMBERED = 16

#: Points that one slice of work puts on the ring or takes from it, in about 2 ms; the same for
#: the work that is done at once after a change, in about 10 ms, which is all of it for most
#: groups; and seconds from one slice to the next.
SLICE = 2048
AT_ONCE = 16_384
PAUSE = 0.005

#: Points that one host gets or loses in a row, so that a ring which is not complete yet has some of
#: each host.
IN_A_ROW = 128

#: How many times as many points as usual a ring may get from another process.
MOST_RESTORED = 8

#: More points than a ring can have.
ENOUGH = 1 << 40


class Owner:
    """
    A host that has points on the ring.

    @ivar number: the number of the host on the ring.
    @ivar points: how many points it has: those with the numbers from 0 on.
    @ivar weight: the effective weight that these points are to be for.
    @ivar configured: its part of the sum of weights.
    """

    __slots__ = ("configured", "key", "number", "points", "weight")

    def __init__(self, key: Key, number: int) -> None:
        self.key = key
        self.number = number
        self.points = 0
        self.weight = 0.0
        self.configured = 0.0


@implementer(ITimedScheduler, ISettlingScheduler, IKeptScheduler)
class Sticky(Scheduler):
    """
    The same host for a client's IP address; the port has no effect. A pick is O(1). Adding
    or removing a host for good, or changing its weight, costs a step for each of its points.

    If many points have to come or go, as a unit of weight gets another number of them, this is
    done in slices: by L{settle} and L{advance}, if the owner of the policy calls them, as
    L{txlb.pool.HostPool} does, and otherwise before the next pick. Meanwhile the ring is used as
    it is.

    @param boundedLoad: the factor of its L{Bound}; 0 for no bound.
    @param points: how many points there are on the ring at least.
    """

    name = "sticky"
    scoreMeans = "the place in the client's order of hosts, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(
        self, random: RandomSource, *, boundedLoad: float = 0.0, points: int = FEWEST
    ) -> None:
        super().__init__(random)
        self._fewest = points
        self._bound = Bound(boundedLoad)
        self._ring = Ring()
        self._owners: dict[Key, Owner] = {}
        # The held host of each number; None if it is not held.
        self._hostOf: list[IHost | None] = []
        self._free: list[int] = []
        # The hosts that have points and are out, the one that has been out longest first.
        self._gone: OrderedDict[Key, Owner] = OrderedDict()
        # Sums of weights: of all hosts that have points, of those of them that are out, and
        # the highest that the first sum was.
        self._weights = 0.0
        self._goneWeights = 0.0
        self._mostWeights = 0.0
        self._mostHosts = 0
        self._scale = 0.0
        # Those that may have too few or too many points.
        self._stale: dict[Owner, None] = {}
        # Whether the sum of weights has changed since the scale was computed.
        self._changedSum = False
        self._driven = False
        self._notBefore = 0.0

    # Hosts

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        owner = self._gone.pop(host.key, None)
        if owner is None:
            self._shrink()
            owner = self._newOwner(host.key)
        else:
            self._goneWeights -= owner.configured
        self._hostOf[owner.number] = host
        self._changed(owner, host)

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        owner = self._owners[host.key]
        self._hostOf[owner.number] = None
        self._gone[host.key] = owner
        self._goneWeights += owner.configured
        self._bound.forget(host)
        while len(self._gone) > max(REMEMBERED, 2 * len(self.hosts)):
            self._dropOldest()

    def hostChanged(self, host: IHost) -> None:
        self._changed(self._owners[host.key], host)

    def _changed(self, owner: Owner, host: IHost) -> None:
        if self._bound.factor:
            self._bound.update(host)
        # An effective weight above the configured one gets no more points than its part.
        weight = max(host.weight, host.effectiveWeight)
        if owner.configured != weight:
            self._weights += weight - owner.configured
            owner.configured = weight
            self._changedSum = True
        if owner.weight != host.effectiveWeight:
            owner.weight = host.effectiveWeight
            self._stale[owner] = None

    def _newOwner(self, key: Key) -> Owner:
        if not self._free:
            self._free.append(len(self._hostOf))
            self._hostOf.append(None)
        owner = self._owners[key] = Owner(key, self._free.pop())
        return owner

    def _dropOldest(self) -> None:
        owner = self._gone.popitem(last=False)[1]
        self._goneWeights -= owner.configured
        owner.weight = 0.0
        self._stale[owner] = None
        self._weights -= owner.configured
        del self._owners[owner.key]

    # Points

    def _shrink(self) -> None:
        """
        Forget the highest sum of weights if the hosts that it was for have gone. Otherwise
        new hosts would have too few points.
        """
        if (self._weights - self._goneWeights) * self._scale < self._fewest / 16:
            while self._gone:
                self._dropOldest()
            self._mostWeights, self._mostHosts = 0.0, 0

    def _measure(self) -> None:
        """
        Compute the number of points of a unit of weight. This is not done at each change, as
        thousands of hosts may be added at once.
        """
        self._changedSum = False
        self._mostWeights = max(self._mostWeights, self._weights)
        self._mostHosts = max(self._mostHosts, len(self._owners))
        wanted = max(self._fewest, FOR_EACH * self._mostHosts) / self._mostWeights
        if not wanted <= self._scale < 2.0 * wanted:
            self._scale = 2.0 ** math.ceil(math.log2(wanted))
            self._stale.update(dict.fromkeys(self._owners.values()))

    def _fit(self, owner: Owner, most: int) -> int:
        """
        Give an owner the number of points for its weight.

        @param most: how many come or go at most.
        @return: how many came or went.
        """
        wanted = max(round(owner.weight * self._scale), 1) if owner.weight else 0
        before = owner.points
        if wanted > before:
            owner.points = min(wanted, before + most)
            places = placesOf(keyBytes(owner.key), before, owner.points)
            self._ring.add(owner.number, places)
        elif wanted < before:
            owner.points = max(wanted, before - most)
            places = placesOf(keyBytes(owner.key), owner.points, before)
            self._ring.remove(owner.number, places)
        if owner.points != wanted:
            self._stale[owner] = None
        elif self._owners.get(owner.key) is not owner:
            # It was dropped, and has no points any more.
            self._free.append(owner.number)
        return abs(owner.points - before)

    def _work(self, most: int) -> None:
        """
        Let points come and go, so many at most.
        """
        if self._changedSum and self._weights:
            self._measure()
        while self._stale and most > 0:
            owner = next(iter(self._stale))
            del self._stale[owner]
            most -= self._fit(owner, min(most, IN_A_ROW))

    def settle(self, everything: bool) -> None:
        self._driven = True
        # To take over a host has cost about as much as five points.
        most = max(AT_ONCE - 5 * len(self.hosts), SLICE)
        self._work(ENOUGH if everything else most)

    def nextDeadline(self) -> float | None:
        return self._notBefore if self._stale else None

    def advance(self, now: float) -> None:
        self._driven = True
        if now >= self._notBefore:
            self._work(SLICE)
            self._notBefore = now + PAUSE

    def _catchUp(self) -> None:
        """
        Do what is left of the work, if no one else does it, or if the ring has no point yet.
        """
        if not self._driven:
            self._work(ENOUGH)
        elif not self._ring:
            self._work(SLICE)

    # Upgrades

    def state(self) -> Mapping[str, object]:
        """
        Return what the number of points of a unit of weight depends on. The points depend on
        nothing else but names and weights.
        """
        return {
            "scale": self._scale,
            "mostWeights": self._mostWeights,
            "mostHosts": self._mostHosts,
        }

    def restoring(self, state: Mapping[str, object]) -> Callable[[], None]:
        facts = Facts(state, f"scheduler {self.name}")
        scale = facts.number("scale", 0.0, 0.0)
        mostWeights = facts.number("mostWeights", 0.0, 0.0)
        mostHosts = facts.whole("mostHosts")

        def take() -> None:
            points = scale * self._weights
            if points > MOST_RESTORED * max(self._fewest, FOR_EACH * len(self._owners)):
                # Most of its hosts are gone. As many points would be in vain.
                return
            self._mostWeights = max(self._weights, mostWeights)
            self._mostHosts = max(len(self._owners), mostHosts)
            if self._scale != scale and scale:
                self._scale = scale
                self._stale.update(dict.fromkeys(self._owners.values()))
            self._changedSum = bool(self._weights)

        return take

    # Picks

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        if not self.hosts:
            return None
        if self._stale:
            self._catchUp()
        place = clientHash(clientAddr)
        number = self._ring.ownerAfter(place)
        host = None if number is None else self._hostOf[number]
        if host is not None and (not excluded or host.key not in excluded):
            if not self._bound.factor or self._bound.hasRoom(host):
                return host
        return self._bound.choose(self._order(place), excluded, self.candidates)

    def _order(self, place: int) -> Iterator[IHost]:
        """
        Yield the held hosts in the order of a client, each once for each of its points; then all
        of them, if some may have no point yet.
        """
        for number in self._ring.walk(place):
            host = self._hostOf[number]
            if host is not None:
                yield host
        if self._stale:
            yield from self.hosts.values()

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the negated rank of each host in the client's order. Hosts that have no room by
        the bound come last.
        """
        self._catchUp()
        return self._bound.scores(self._order(clientHash(clientAddr)), len(self.hosts))


STICKY = SchedulerKind(
    Sticky.name,
    Sticky,
    summary="always the same for one client's address, while it is there",
    chooseWhen="hosts keep something for their clients, such as sessions or caches",
    wants=("boundedLoad",),
    looksAtClient=True,
)

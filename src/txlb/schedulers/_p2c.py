"""
The better of two random hosts.

Two different hosts are drawn, each with a chance in proportion to its weight. The client
goes to the one with the lower::

    (connections + 1) / weight

that is, the load that the host would have with one connection more. Idle hosts have load 0,
as in HAProxy, so that they are equal; among equals the host that was drawn first is taken, so
that idle hosts are chosen in proportion to their weights.

With one random host, n connections on n hosts give the fullest host about
log n / log log n of them. With the better of two it is log log n / log 2: a second look gains
an exponential factor, each further one only a constant. No host is the best one for every
balancer, so several balancers that don't know of one another don't choose the same host.

Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
IEEE Transactions on Parallel and Distributed Systems 12, 2001. The semantics are
those of HAProxy's C{random(2)} and Envoy's least request.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._rand import DRAWS
from txlb.schedulers._weightr import WeightedRandom

#: The most hosts that are drawn for one pick.
MAX_CHOICES = 16


class TwoChoices(WeightedRandom):
    """
    The best of C{choices} random hosts, in most cases two. A cycle of pick, acquire and
    release is O(log n).

    @ivar choices: how many hosts are drawn, 2 to 16.
    """

    name = "p2c"
    scoreMeans = "(connections + 1) / weight, negated; 0 for an idle host"
    predictable = False
    heedsConnectTime = False

    def __init__(self, random: RandomSource, *, choices: int = 2) -> None:
        super().__init__(random)
        self.choices = choices

    def cost(self, host: IHost) -> float:
        """
        Return the cost of choosing this host. The host with the lowest cost is chosen.
        """
        active = host.active
        return (active + 1) / host.effectiveWeight if active else 0.0

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        order = self._order
        if excluded:
            return self._besideExcluded(excluded)
        if len(order) < 2:
            return order[0] if order else None
        if self.choices > 2:
            return self._best(self._several())
        first, second = self._two()
        # In the usual case these two are the only hosts that are read.
        return second if self.cost(second) < self.cost(first) else first

    def _two(self) -> tuple[IHost, IHost]:
        """
        Draw two different hosts, each with a chance in proportion to its weight.

        A second draw that is repeated until it differs could take long, with one heavy host
        among light ones. So the second number is drawn from a range that lacks the first
        host. With equal weights that are n - 1 places: those from the first host's own on are
        moved up by one. With weights, the first host's span of the running sum, from C{begin}
        to C{begin + span}, is cut out: the number is drawn below C{total - span}, and numbers
        from C{begin} on are moved up by C{span}.
        """
        order, random = self._order, self.random.random
        if self.even:
            count = len(order)
            one = int(random() * count)
            other = int(random() * (count - 1))
            return order[one], order[other if other < one else other + 1]
        table = self._table
        number = random() * table.total
        one, rest = table.locate(number)
        span, begin = table.weight(one), number - rest
        number = random() * (table.total - span)
        other = table.find(number if number < begin else number + span)
        if other == one:
            # Rounding can move a number to the edge of the span that is cut out. Its
            # neighbour is as good.
            other = one - 1 if one else 1
        return order[one], order[other]

    def _several(self) -> list[IHost]:
        """
        Draw C{choices} different hosts, or some fewer if some are drawn again and again. The
        number of draws has a bound.
        """
        first, second = self._two()
        drawn = {first.key: first, second.key: second}
        wanted = min(self.choices, len(self._order))
        for _ in range(wanted + DRAWS):
            if len(drawn) == wanted:
                break
            host = self.draw()
            drawn.setdefault(host.key, host)
        return list(drawn.values())

    def _best(self, hosts: list[IHost]) -> IHost:
        return min(hosts, key=self.cost)

    def _besideExcluded(self, excluded: frozenset[Key]) -> IHost | None:
        """
        Choose a host if some are excluded. These are few in most cases, so that hosts are
        drawn as usual and the excluded ones ignored. If only excluded ones are drawn, the
        others are listed, which is O(n).
        """
        drawn: dict[Key, IHost] = {}
        for _ in range(self.choices + DRAWS):
            if not self._order or len(drawn) == self.choices:
                break
            host = self.draw()
            if host.key not in excluded:
                drawn.setdefault(host.key, host)
        if drawn:
            return self._best(list(drawn.values()))
        candidates = self.candidates(excluded)
        if not candidates:
            return None
        weights = [host.effectiveWeight for host in candidates]
        return self._best(self.random.choices(candidates, weights, k=self.choices))

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the negated cost of each host.
        """
        scores = {key: -self.cost(host) for key, host in self.hosts.items()}
        return dict(sorted(scores.items(), key=lambda item: -item[1]))


P2C = SchedulerKind(
    TwoChoices.name,
    TwoChoices,
    summary="the one with fewer connections for its weight, of two drawn at random",
    chooseWhen="several balancers share the hosts, and are not to run to the same one",
    wants=("choices",),
)

"""
The better of two at random.

Two different hosts are drawn, each with a chance in proportion to its weight,
and the one with fewer connections for its weight gets the client. To look at
two spares looking at all, and yet the longest queue grows only as the logarithm
of the logarithm of the number of hosts. And as nobody takes the least loaded
host of all, several balancers that know as little of one another don't all run
to the same one.

What is compared is (connections + 1) / weight, what a host would have to do with
one more; idle hosts are all equal, as HAProxy has it. Among equals the one that
was drawn first is taken, so that idle hosts are chosen in proportion to their
weights.

Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
IEEE Transactions on Parallel and Distributed Systems 12, 2001; the semantics are
those of HAProxy's C{random(2)} and Envoy's least request.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._weightr import DRAWS, WeightedRandom

#: The most hosts that are drawn for one pick.
MAX_CHOICES = 16


class TwoChoices(WeightedRandom):
    """
    The better of two at random, or of as many as C{choices} says. A whole cycle
    of pick, acquire and release is O(log n).

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
        How bad it would be to choose this host; less is better.
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
        # Nearly always these two are all that is looked at.
        return second if self.cost(second) < self.cost(first) else first

    def _two(self) -> tuple[IHost, IHost]:
        """
        Two different hosts, each with a chance in proportion to its weight.
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
        # The second is drawn from all but the span of the first.
        span, begin = table.weight(one), number - rest
        number = random() * (table.total - span)
        other = table.find(number if number < begin else number + span)
        if other == one:
            # Rounding can put a number on the edge of the span that is left out.
            other = one - 1 if one else 1
        return order[one], order[other]

    def _several(self) -> list[IHost]:
        """
        As many different hosts as are to be drawn, unless luck is against it.
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
        The same with some that must not be chosen: as they are few in most
        cases, they are drawn and put aside.
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
        See L{IScheduler.explain}: what is compared when two are drawn.
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

"""
In proportion to weight and to what each host has left.

What a host has left, as agents and probes tell, is in its effective weight by
the time that a policy sees it; so this one shares by effective weight, and what
is its own is that those may change all the time.

A pick looks up a number in the running sum of the weights, as C{weightr} does,
but the numbers are not drawn one by one: each is the one before plus the golden
ratio, without its whole part. Such a sequence covers the interval as evenly as
one can, at every moment. So each host has its share after few picks, nearly as
with turns, and yet there is nothing that a host is owed: no turn stands written
down by a weight of before, and a change counts in full from the next pick on.
Taking turns would owe, and drawing would scatter; choosing whoever has the most
left would send everybody to one host until its next report, as M. Mitzenmacher
shows, "How Useful Is Old Information?", IEEE Transactions on Parallel and
Distributed Systems 11, 2000. The sequence begins at a random number, so that
several balancers are not in step.

Source: the sequence is the additive recurrence of H. Weyl, 1916, with the golden
ratio as in D. Knuth, The Art of Computer Programming 3, section 6.4.
"""

from __future__ import annotations

from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._weightr import DRAWS, WeightedRandom

#: The fraction of the golden ratio.
STEP = 0.6180339887498949


class ResourceShare(WeightedRandom):
    """
    In proportion to effective weight, evenly. A pick is O(log n).
    """

    name = "resource"
    scoreMeans = "its share"
    predictable = False
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        self._number = random.random()

    def draw(self) -> IHost:
        self._number = number = (self._number + STEP) % 1.0
        if self.even:
            return self._order[int(number * len(self._order))]
        return self._order[self._table.find(number * self._table.total)]

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        if not self._order:
            return None
        host = self.draw()
        if host.key not in excluded:
            return host
        # A client that tries again must not use up the turns of others.
        for _ in range(DRAWS):
            host = super().draw()
            if host.key not in excluded:
                return host
        return self.drawBeside(excluded)


RESOURCE = SchedulerKind(
    ResourceShare.name,
    ResourceShare,
    summary="shares in proportion to weight and to what each host says that it has left",
    chooseWhen="hosts report their load, by agents or probes, and connections say little of it",
)

"""
Shares in proportion to weight and to what each host has left.

Agents and probes report what a host has left, and the pool multiplies its effective weight by
that. So this scheduler shares by effective weight; its purpose is weights that change all
the time.

A pick looks up a number in the running sum of the weights, as C{weightr} does. But the numbers
are not random. With g, the fraction of the golden ratio, number n of the sequence is::

    (start + n * g) mod 1

Of all steps, the golden ratio's covers the interval from 0 to 1 the most evenly, however many
numbers are taken. So each host has its share after few picks, nearly as with turns. A change
of the weights counts in full from the next pick on, as no host has turns left that were computed
from an earlier weight.

The other ways are worse: turns keep the debts of earlier weights; random numbers scatter; to
choose the host with the most left sends every client to one host until its next report (M.
Mitzenmacher, "How Useful Is Old Information?", IEEE Transactions on Parallel and
Distributed Systems 11, 2000). The sequence begins at a random number, so that several
balancers don't act in step.

Source: the sequence is the additive recurrence of H. Weyl, 1916, with the golden
ratio as in D. Knuth, The Art of Computer Programming 3, section 6.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random as RandomSource

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IHost, IKeptScheduler
from txlb.schedulers._base import Key
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._rand import DRAWS
from txlb.schedulers._weightr import WeightedRandom

#: The fraction of the golden ratio: (sqrt(5) - 1) / 2.
STEP = 0.6180339887498949


@implementer(IKeptScheduler)
class ResourceShare(WeightedRandom):
    """
    Shares in proportion to effective weight, evenly spread. A pick is O(log n).
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

    def state(self) -> Mapping[str, object]:
        """
        Return the number of the sequence, and the order of the hosts' spans.
        """
        return {"number": self._number, "order": [host.key[2] for host in self._order]}

    def restoring(self, state: Mapping[str, object]) -> Callable[[], None]:
        facts = Facts(state, f"scheduler {self.name}")
        number = facts.number("number", self._number, 0.0, 1.0) % 1.0
        order = facts.texts("order")

        def take() -> None:
            self._number = number
            self._arrange(order)

        return take

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        if not self._order:
            return None
        host = self.draw()
        if host.key not in excluded:
            return host
        # A client that tries again must not take numbers of the sequence, as these are the
        # turns of other clients.
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

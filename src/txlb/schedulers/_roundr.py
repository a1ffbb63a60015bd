"""
In turn, in proportion to weight, as smoothly as it can be done.

A host of weight w has a right to its n-th turn between (n-1)/w and n/w, in a
time that goes on by 1/W with each turn (W is the sum of the weights). Of the
turns that may begin, the one with the earliest deadline is next. With weights
that don't change, each host has then had, after k turns, the whole number below
or above k·w/W, never further away; taking the earliest deadline alone, as is
often done, would let a heavy host run ahead of many light ones.

Source: the pseudo-deadlines of proportionate progress, S. Baruah, N. Cohen,
C. G. Plaxton, D. Varvel, "Proportionate Progress: A Notion of Fairness in
Resource Allocation", Algorithmica 15, 1996; the same idea is "earliest eligible
virtual deadline first", I. Stoica and H. Abdel-Wahab, 1995.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._kind import SchedulerKind

#: Rounding in sums of 1/w must not put off a turn that is due.
EPSILON = 1e-9

#: The time starts from 0 again when it gets here, long before its sums are so
#: large that rounding them matters.
HORIZON = 1024.0


class Turn:
    """
    The next turn of a host. It stands in one of two heaps; a host that leaves
    or changes its weight gets a new one, and the old is dropped when it comes
    up.
    """

    __slots__ = ("begin", "current", "deadline", "host", "number", "weight")

    def __init__(self, host: IHost, begin: float, number: int) -> None:
        self.host = host
        self.weight = host.effectiveWeight
        self.begin = begin
        self.deadline = begin + 1 / self.weight
        self.number = number
        self.current = True


class RoundRobin(Scheduler):
    """
    In turn, weights honoured. A pick is O(log n).
    """

    name = "roundr"
    scoreMeans = "the deadline of its turn, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        self._turns: dict[Key, Turn] = {}
        self._waiting: list[tuple[float, int, Turn]] = []
        self._due: list[tuple[float, int, Turn]] = []
        self._now = 0.0
        self._weights = 0.0
        self._number = 0

    def hostAdded(self, host: IHost) -> None:
        """
        See L{IScheduler.hostAdded}. Its first turn may begin at once.
        """
        super().hostAdded(host)
        self._weights += host.effectiveWeight
        self._schedule(host, self._now)

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        turn = self._turns.pop(host.key)
        turn.current = False
        self._weights = self._weights - turn.weight if self._turns else 0.0
        self._compact()

    def hostChanged(self, host: IHost) -> None:
        """
        See L{IScheduler.hostChanged}. Only the weight matters.
        """
        turn = self._turns[host.key]
        if turn.weight != host.effectiveWeight:
            turn.current = False
            self._weights += host.effectiveWeight - turn.weight
            # What it had a right to under its old weight it had.
            self._schedule(host, min(turn.begin, self._now))
            self._compact()

    def _schedule(self, host: IHost, begin: float) -> None:
        self._number += 1
        turn = self._turns[host.key] = Turn(host, begin, self._number)
        self._enqueue(turn)

    def _enqueue(self, turn: Turn) -> None:
        if turn.begin <= self._now + EPSILON:
            heapq.heappush(self._due, (turn.deadline, turn.number, turn))
        else:
            heapq.heappush(self._waiting, (turn.begin, turn.number, turn))

    def _compact(self) -> None:
        """
        Drop turns that are no longer current once they are the greater part, or
        changes without picks would pile them up.
        """
        if len(self._due) + len(self._waiting) > 2 * len(self._turns) + 16:
            self._due = [entry for entry in self._due if entry[2].current]
            self._waiting = [entry for entry in self._waiting if entry[2].current]
            heapq.heapify(self._due)
            heapq.heapify(self._waiting)

    def _release(self) -> None:
        """
        Move the turns that may begin by now to those that are due.
        """
        waiting = self._waiting
        while waiting and waiting[0][0] <= self._now + EPSILON:
            turn = heapq.heappop(waiting)[2]
            if turn.current:
                heapq.heappush(self._due, (turn.deadline, turn.number, turn))

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        passedOver: list[Turn] = []
        chosen = self._take(excluded, passedOver)
        for turn in passedOver:
            self._enqueue(turn)
        if chosen is None:
            return None
        self._now += 1 / self._weights
        self._schedule(chosen.host, chosen.deadline)
        if self._now >= HORIZON:
            self._startAgain()
        return chosen.host

    def _take(self, excluded: frozenset[Key], passedOver: list[Turn]) -> Turn | None:
        self._release()
        while True:
            while self._due:
                turn = heapq.heappop(self._due)[2]
                if not turn.current:
                    continue
                if turn.host.key not in excluded:
                    return turn
                passedOver.append(turn)
            if not self._waiting:
                return None
            # Nobody who may be chosen is due: then the next one is, early.
            turn = heapq.heappop(self._waiting)[2]
            if turn.current:
                heapq.heappush(self._due, (turn.deadline, turn.number, turn))
                if not passedOver:
                    # Nobody at all is due, so that it is the time that lags.
                    self._now = max(self._now, turn.begin)
                    self._release()

    def _startAgain(self) -> None:
        """
        Count the time from 0 again, with every turn as far off as it was.
        """
        for turn in self._turns.values():
            turn.begin -= self._now
            turn.deadline -= self._now
        self._now = 0.0
        self._due, self._waiting = [], []
        for turn in self._turns.values():
            self._enqueue(turn)

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        See L{IScheduler.explain}: who is due, by deadline, before who is not.
        """
        now = self._now + EPSILON
        if all(turn.begin > now for turn in self._turns.values()):
            # Nobody is due: then it is the time that lags, see _take.
            now = min((turn.begin for turn in self._turns.values()), default=now) + EPSILON
        ranks = {
            key: (turn.deadline if turn.begin <= now else 1e9 + turn.begin, turn.number)
            for key, turn in self._turns.items()
        }
        return {key: -ranks[key][0] for key in sorted(ranks, key=lambda key: ranks[key])}


ROUNDR = SchedulerKind(
    RoundRobin.name,
    RoundRobin,
    summary="the next in turn, in proportion to weight, as evenly as it can be done",
    chooseWhen="connections are short and alike, and shares are to be exact",
)

"""
Turns in proportion to weight, as smooth as possible.

There is a virtual time v, which goes on by 1/W with each pick; W is the sum of the weights. So
in one unit of v, a host of weight w should have w turns. Its n-th turn has a begin and a
deadline::

    begin = (n - 1) / w        deadline = n / w

A turn is due if its begin is not after v. Of the due turns, the one with the earliest deadline
is next. As long as the weights don't change, a host has then had, after k picks, the whole
number below or above its exact share k * w / W, and never another one. Without the begins (the
earliest deadline of all turns), a heavy host would get several turns ahead of many light
ones.

Example, weights 2 and 1 (W = 3): host A has turns from 0 to 1/2 and 1/2 to 1, host B one from 0
to 1. At v = 0 both are due, and A has the earlier deadline; at v = 1/3 only B is due; at
v = 2/3 A's second turn is. The order is A B A.

Source: the pseudo-deadlines of proportionate progress, S. Baruah, N. Cohen,
C. G. Plaxton, D. Varvel, "Proportionate Progress: A Notion of Fairness in
Resource Allocation", Algorithmica 15, 1996. The same idea is "earliest eligible
virtual deadline first", I. Stoica and H. Abdel-Wahab, 1995. See the decision 0003.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from random import Random as RandomSource

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IHost, IKeptScheduler
from txlb.schedulers._base import Key, Scheduler, pairsOf
from txlb.schedulers._kind import SchedulerKind

#: How far a begin may be after the virtual time for a turn to be due. Sums of 1/w have rounding
#: errors, which must not delay a turn. It is far above those errors (below L{HORIZON} they are
#: about 1e-13 each) and far below 1/65535, the shortest turn.
EPSILON = 1e-9

#: The virtual time at which it starts from 0 again, so that rounding errors stay small.
HORIZON = 1024.0


class Turn:
    """
    The next turn of a host. It is in one of two heaps. If the host is removed or its weight
    changes, the turn is not current any more, and is dropped when it is the first of its heap.
    """

    __slots__ = ("begin", "current", "deadline", "host", "number", "weight")

    def __init__(self, host: IHost, begin: float, number: int) -> None:
        self.host = host
        self.weight = host.effectiveWeight
        self.begin = begin
        self.deadline = begin + 1 / self.weight
        self.number = number
        self.current = True


@implementer(IKeptScheduler)
class RoundRobin(Scheduler):
    """
    Turns in proportion to weight. A pick is O(log n).
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
        Add a host. Its first turn is due at once.
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
        Give a host whose weight changed a new turn.
        """
        turn = self._turns[host.key]
        if turn.weight != host.effectiveWeight:
            turn.current = False
            self._weights += host.effectiveWeight - turn.weight
            # If its turn was due it stays due, and if not the new one is due now.
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
        Drop the turns that are not current if they are more than half, so that the heaps
        have a bound also while there are no picks.
        """
        if len(self._due) + len(self._waiting) > 2 * len(self._turns) + 16:
            self._due = [entry for entry in self._due if entry[2].current]
            self._waiting = [entry for entry in self._waiting if entry[2].current]
            heapq.heapify(self._due)
            heapq.heapify(self._waiting)

    def _release(self) -> None:
        """
        Move the turns whose begin has come to those that are due.
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
            # No host that may be chosen is due: the next turn is taken early.
            turn = heapq.heappop(self._waiting)[2]
            if turn.current:
                heapq.heappush(self._due, (turn.deadline, turn.number, turn))
                if not passedOver:
                    # No turn at all is due: the virtual time is behind.
                    self._now = max(self._now, turn.begin)
                    self._release()

    def _startAgain(self) -> None:
        """
        Set the virtual time to 0, with every turn as far from it as before.
        """
        for turn in self._turns.values():
            turn.begin -= self._now
            turn.deadline -= self._now
        self._now = 0.0
        self._due, self._waiting = [], []
        for turn in self._turns.values():
            self._enqueue(turn)

    def state(self) -> Mapping[str, object]:
        """
        Return the virtual time, and the begin of each host's turn in the order of the turns.
        """
        turns = sorted(self._turns.values(), key=lambda turn: turn.number)
        return {"now": self._now, "turns": [[turn.host.key[2], turn.begin] for turn in turns]}

    def restoring(self, state: Mapping[str, object]) -> Callable[[], None]:
        facts = Facts(state, f"scheduler {self.name}")
        now, begins = facts.number("now", 0.0, 0.0, 2 * HORIZON), pairsOf(facts, "turns")

        def take() -> None:
            places = {name: place for place, name in enumerate(begins)}
            ordered = sorted(
                self._turns.values(),
                key=lambda turn: (places.get(turn.host.key[2], len(places)), turn.number),
            )
            self._now, self._due, self._waiting = now, [], []
            for turn in ordered:
                self._schedule(turn.host, begins.get(turn.host.key[2], now))

        return take

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the negated deadline of each host whose turn is due. Those of the others come
        after them, in the order of their begins.
        """
        now = self._now + EPSILON
        if all(turn.begin > now for turn in self._turns.values()):
            # No turn is due: the virtual time is behind, see _take.
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

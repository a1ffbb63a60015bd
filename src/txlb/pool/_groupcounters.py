"""
The counts of a group as a whole.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb._facts import Facts
from txlb.pool._histogram import CONNECT_BOUNDS, DURATION_BOUNDS, Histogram
from txlb.pool._host import Host, HostCounters
from txlb.pool._outcome import Outcome


class GroupCounters:
    """
    The counts of a group since it was made, beside those of its hosts. They only grow. Owned
    by the pool.

    @ivar connectTimes: the seconds that each successful connect to a host took.
    @ivar durations: the seconds that each connection to a host lasted, from the choice of the
        host to the end. Those that ended as L{Outcome.NOT_CONNECTED} or
        L{Outcome.CLIENT_GONE} are not in it: most of them were not established.
    @ivar outcomes: the ends of work that did not end as L{Outcome.DONE}, by the word of the
        outcome.
    @ivar retries: hosts that were tried for a client after another one had failed.
    @ivar queued: clients that have waited for room.
    @ivar mostQueued: the most clients that have waited at once.
    @ivar former: the sums of the counts of hosts that are gone.
    """

    __slots__ = (
        "connectTimes",
        "durations",
        "former",
        "mostQueued",
        "outcomes",
        "queued",
        "retries",
    )

    def __init__(self) -> None:
        self.connectTimes = Histogram(CONNECT_BOUNDS)
        self.durations = Histogram(DURATION_BOUNDS)
        self.outcomes: dict[str, int] = {
            each.value: 0 for each in Outcome if each is not Outcome.DONE
        }
        self.retries = 0
        self.queued = 0
        self.mostQueued = 0
        self.former = HostCounters()

    def kept(self) -> dict[str, object]:
        """
        Return what a successor has to know, as plain values.
        """
        return {
            "connectTimes": self.connectTimes.kept(),
            "durations": self.durations.kept(),
            "outcomes": {word: count for word, count in self.outcomes.items() if count},
            "retries": self.retries,
            "queued": self.queued,
            "mostQueued": self.mostQueued,
            "former": self.former.kept(),
        }

    def restoring(self, facts: Facts) -> Callable[[], None]:
        """
        Read what L{kept} has returned.

        @return: takes it over.
        @raise StateError: a value can't be right.
        """
        taking = [
            self.connectTimes.restoring(facts.inside("connectTimes")),
            self.durations.restoring(facts.inside("durations")),
        ]
        words = facts.inside("outcomes")
        outcomes = {word: words.whole(word) for word in self.outcomes}
        retries, queued = facts.whole("retries"), facts.whole("queued")
        mostQueued, former = facts.whole("mostQueued"), HostCounters.of(facts.inside("former"))

        def take() -> None:
            for each in taking:
                each()
            self.outcomes.update(outcomes)
            self.retries, self.queued, self.mostQueued = retries, queued, mostQueued
            self.former = former

        return take

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """
        Count work that did not end as L{Outcome.DONE}.

        @param seconds: how long it lasted.
        """
        self.outcomes[outcome.value] += 1
        if outcome is not Outcome.NOT_CONNECTED and outcome is not Outcome.CLIENT_GONE:
            self.durations.observe(seconds)

    def gone(self, host: Host) -> None:
        """
        Keep the counts of a host that is gone, so that sums over the group only grow.
        """
        self.former.add(host.counters)

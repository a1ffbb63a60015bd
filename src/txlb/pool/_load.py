"""
The load of a host.
"""

from __future__ import annotations

from typing import Self

from txlb._facts import Facts

#: The least share of a weight under any load.
LEAST_SHARE = 0.01


class HostLoad:
    """
    The load of a host, as reported. Owned by the host's pool.

    @ivar available: the share of its capacity that is left, 0 to 1, smoothed.
    @ivar latest: the last report of it.
    @ivar at: the time of the last report, in seconds of the pool's clock.
    @ivar good: seconds after which it is forgotten without another report; 0 for as long as the
        group's rules say.
    """

    __slots__ = ("at", "available", "good", "latest")

    def __init__(self, available: float, at: float, good: float = 0.0) -> None:
        self.available = available
        self.latest = available
        self.at = at
        self.good = good

    def kept(self) -> dict[str, object]:
        """
        Return the same as plain values.
        """
        return {
            "available": self.available,
            "latest": self.latest,
            "at": self.at,
            "good": self.good,
        }

    @classmethod
    def of(cls, facts: Facts, now: float) -> Self:
        """
        Make it of what L{kept} has returned.

        @raise StateError: a value can't be right.
        """
        made = cls(facts.number("available", 1.0, 0.0, 1.0), facts.past("at", now, now))
        made.latest = facts.number("latest", made.available, 0.0, 1.0)
        made.good = facts.number("good", 0.0, 0.0)
        return made

    def heard(self, available: float, smoothing: float, at: float, good: float = 0.0) -> None:
        """
        Take a report.
        """
        self.good = good
        self.available += smoothing * (available - self.available)
        self.latest = available
        self.at = at

    @property
    def share(self) -> float:
        """
        The share of the weight that the load leaves, above 0 to 1.
        """
        return max(self.available, LEAST_SHARE)

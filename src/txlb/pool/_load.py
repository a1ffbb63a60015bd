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
    """

    __slots__ = ("at", "available", "latest")

    def __init__(self, available: float, at: float) -> None:
        self.available = available
        self.latest = available
        self.at = at

    def kept(self) -> dict[str, object]:
        """
        Return the same as plain values.
        """
        return {"available": self.available, "latest": self.latest, "at": self.at}

    @classmethod
    def of(cls, facts: Facts, now: float) -> Self:
        """
        Make it of what L{kept} has returned.

        @raise StateError: a value can't be right.
        """
        made = cls(facts.number("available", 1.0, 0.0, 1.0), facts.past("at", now, now))
        made.latest = facts.number("latest", made.available, 0.0, 1.0)
        return made

    def heard(self, available: float, smoothing: float, at: float) -> None:
        """
        Take a report.
        """
        self.available += smoothing * (available - self.available)
        self.latest = available
        self.at = at

    @property
    def share(self) -> float:
        """
        The share of the weight that the load leaves, above 0 to 1.
        """
        return max(self.available, LEAST_SHARE)

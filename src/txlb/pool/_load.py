"""
What is known of the load of a host.
"""

from __future__ import annotations

#: The least share that a load leaves of a weight.
LEAST_SHARE = 0.01


class HostLoad:
    """
    What is known of a host's load. Owned by the host's pool.

    @ivar available: the share of itself that it has left, 0 to 1, smoothed.
    @ivar latest: the same as it was last reported.
    @ivar at: when, in seconds of the pool's clock.
    """

    __slots__ = ("at", "available", "latest")

    def __init__(self, available: float, at: float) -> None:
        self.available = available
        self.latest = available
        self.at = at

    def heard(self, available: float, smoothing: float, at: float) -> None:
        """
        A report has come.
        """
        self.available += smoothing * (available - self.available)
        self.latest = available
        self.at = at

    @property
    def share(self) -> float:
        """
        What it leaves of the weight, above 0 to 1.
        """
        return max(self.available, LEAST_SHARE)

"""
What an attacker has done.
"""

from __future__ import annotations

from collections import Counter


class Done:
    """
    Counts.

    @ivar counts: how often, by what.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def happened(self, what: str, times: int = 1) -> None:
        """
        Count actions of the attacker.
        """
        self.counts[what] += times

"""
Everything that went wrong, counted.
"""

from __future__ import annotations

from collections import Counter


class TrafficError(Exception):
    """
    Something did not happen that had to, such as a connection that did not end.
    """


class Trouble:
    """
    Counts errors by what they were. A run with any is a run that failed.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def happened(self, what: str) -> None:
        """
        Count one more case.
        """
        self._counts[what] += 1

    def __bool__(self) -> bool:
        return bool(self._counts)

    def take(self) -> list[str]:
        """
        @return: a line for each kind of error, which are forgotten then.
        """
        lines = [f"{what} ({times} times)" for what, times in sorted(self._counts.items())]
        self._counts.clear()
        return lines

"""
The interface of the watchers of descriptors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: The readiness to wait for; the values are those of poll(2).
READ, WRITE = 1, 4


class Watcher(Protocol):
    """
    A watcher of descriptors.
    """

    def watch(self, fd: int, want: int, call: Callable[[], None]) -> None:
        """
        Call C{call} whenever C{fd} is ready for C{want}. This replaces an earlier call for
        C{fd}.
        """

    def forget(self, fd: int) -> None:
        """
        Stop watching a descriptor, before it is closed.
        """

    def look(self) -> None:
        """
        Handle the descriptors that are ready now, if that is cheap to find out.
        """

    def stop(self) -> None:
        """
        Stop watching all descriptors.
        """

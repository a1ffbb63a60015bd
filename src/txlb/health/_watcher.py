"""
The interface of what tells checks when their descriptors are ready.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: What is waited for; the values are those of poll(2).
READ, WRITE = 1, 4


class Watcher(Protocol):
    """
    Tells when a descriptor can be read or written.
    """

    def watch(self, fd: int, want: int, call: Callable[[], None]) -> None:
        """
        Call C{call} whenever C{fd} is ready for C{want}; instead of what it was
        watched for before.
        """

    def forget(self, fd: int) -> None:
        """
        Watch it no more; before it is closed.
        """

    def look(self) -> None:
        """
        Do now what can be done now, if that is cheap.
        """

    def stop(self) -> None:
        """
        Watch nothing any more.
        """

"""
The bound on searches for plugins while one file is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["MOST_LOOKS", "boundedLooks", "mayLook"]

#: How many unknown words of one file are looked for in plugins. A search reads the folders
#: of all plugins, which takes milliseconds, and a file can have thousands of unknown words.
MOST_LOOKS = 20

_left: ContextVar[int | None] = ContextVar("_left", default=None)


@contextmanager
def boundedLooks() -> Iterator[None]:
    """
    Bound the searches that are made inside.
    """
    token = _left.set(MOST_LOOKS)
    try:
        yield
    finally:
        _left.reset(token)


def mayLook() -> bool:
    """
    Count a search for an unknown word.

    @return: whether it may be made. It always may while no file is read.
    """
    left = _left.get()
    if left is None:
        return True
    if left:
        _left.set(left - 1)
    return left > 0

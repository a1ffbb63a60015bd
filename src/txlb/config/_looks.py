"""
How often one file may have plugins looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["MOST_LOOKS", "boundedLooks", "mayLook"]

#: How many unknown words of one file are looked for in plugins. Each time the folders of
#: all plugins are read, which takes milliseconds, and a file can have thousands of
#: unknown words.
MOST_LOOKS = 20

_left: ContextVar[int | None] = ContextVar("_left", default=None)


@contextmanager
def boundedLooks() -> Iterator[None]:
    """
    Bound the looks that are made inside.
    """
    token = _left.set(MOST_LOOKS)
    try:
        yield
    finally:
        _left.reset(token)


def mayLook() -> bool:
    """
    Count a look for an unknown word.

    @return: whether it may be made. Outside of a file it always may.
    """
    left = _left.get()
    if left is None:
        return True
    if left:
        _left.set(left - 1)
    return left > 0

"""
Who makes the changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from txlb.errors import ModelError

#: The longest name of somebody, in characters.
MAX_LENGTH = 255

# Not one for each manager: who types a line does all of what the line does. A
# context variable, as a coroutine that was begun in the line takes it along.
_by: ContextVar[str] = ContextVar("txlb.manager.by", default="")


@contextlib.contextmanager
def actingBy(who: str) -> Iterator[None]:
    if not 0 < len(who) <= MAX_LENGTH or not who.isprintable():
        raise ModelError(
            f"{who[:MAX_LENGTH]!r} can't stand for somebody in a log; it takes 1 to "
            f"{MAX_LENGTH} printable characters"
        )
    token = _by.set(who)
    try:
        yield
    finally:
        _by.reset(token)


def actor() -> str:
    """
    Who acts now; empty for the balancer itself.
    """
    return _by.get()

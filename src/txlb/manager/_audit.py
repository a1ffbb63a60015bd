"""
The authors of changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from txlb.errors import ModelError

#: The longest name of an author, in characters.
MAX_LENGTH = 255

# It is not one for each manager: all changes by one line of the prompt have the same
# author. A context variable, because a coroutine that was started in the line takes it
# along.
_by: ContextVar[str] = ContextVar("txlb.manager.by", default="")


@contextlib.contextmanager
def actingBy(who: str) -> Iterator[None]:
    if not 0 < len(who) <= MAX_LENGTH or not who.isprintable():
        raise ModelError(
            f"{who[:MAX_LENGTH]!r} can't be the author of a change; a name has 1 to "
            f"{MAX_LENGTH} printable characters"
        )
    token = _by.set(who)
    try:
        yield
    finally:
        _by.reset(token)


def actor() -> str:
    """
    Return the author of present changes; empty for the balancer itself.
    """
    return _by.get()

"""
A queue for work that is done one piece at a time.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, fail

from txlb.errors import ChangeUnderWay

#: The most pieces that may wait.
MOST_WAITING = 8

_Result = TypeVar("_Result")


class Line:
    """
    A queue of work on a file, done one after the other: reading, loading, saving. Owned
    by the L{txlb.application.ConfigurationFile}.
    """

    def __init__(self) -> None:
        self._lock = DeferredLock()
        self._current: Deferred[Any] | None = None

    @property
    def busy(self) -> bool:
        """
        Whether a piece of work is under way.
        """
        return bool(self._lock.locked)

    def run(self, begin: Callable[[], Coroutine[Deferred[Any], Any, _Result]]) -> Deferred[_Result]:
        """
        Do a piece of work when everything before it is done. It is done in the name of
        the present author.

        @return: fires with the result, and fails as the work does; with
            L{ChangeUnderWay} if too many pieces wait already.
        """
        if len(self._lock.waiting) >= MOST_WAITING:
            return fail(
                ChangeUnderWay(
                    f"the file is in use, and {MOST_WAITING} commands wait for it already; nothing "
                    "was done, try again when they are done"
                )
            )
        context = contextvars.copy_context()
        return self._lock.run(lambda: context.run(self._begin, begin))

    def _begin(self, begin: Callable[[], Coroutine[Deferred[Any], Any, Any]]) -> Deferred[Any]:
        self._current = Deferred.fromCoroutine(begin())
        return self._current.addBoth(self._ended)

    def _ended(self, result: Any) -> Any:
        self._current = None
        return result

    def stop(self) -> None:
        """
        Cancel the work that is under way and the work that waits.
        """
        for waiting in tuple(self._lock.waiting):
            waiting.cancel()
        if self._current is not None:
            self._current.cancel()

"""
A line for work of which there is one at a time.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, fail

from txlb.errors import ChangeUnderWay

#: How many may wait.
MOST_WAITING = 8

_Result = TypeVar("_Result")


class Line:
    """
    Does one thing after the other: reading a file, loading it, saving to it. Owned by
    the L{txlb.application.ConfigurationFile}.
    """

    def __init__(self) -> None:
        self._lock = DeferredLock()
        self._current: Deferred[Any] | None = None

    @property
    def busy(self) -> bool:
        """
        Whether something is being done.
        """
        return bool(self._lock.locked)

    def run(self, begin: Callable[[], Coroutine[Deferred[Any], Any, _Result]]) -> Deferred[_Result]:
        """
        Do something when everything before it is done. It is done in the name of the actor
        that acts now.

        @return: fires with the result, and fails as it does; with L{ChangeUnderWay} if
            too much waits already.
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
        Cancel what is being done and what waits.
        """
        for waiting in tuple(self._lock.waiting):
            waiting.cancel()
        if self._current is not None:
            self._current.cancel()

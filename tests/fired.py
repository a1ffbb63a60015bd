"""
The results of Deferreds that have fired.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

_Result = TypeVar("_Result")


def fired(deferred: Deferred[_Result]) -> _Result:
    """
    Return what a Deferred has fired with.

    @raise AssertionError: it has not fired yet.
    @raise Exception: what it has failed with.
    """
    results: list[_Result] = []
    failures: list[Failure] = []
    deferred.addCallbacks(results.append, failures.append)
    for failure in failures:
        failure.raiseException()
    if not results:
        raise AssertionError(f"{deferred} has not fired yet")
    return results[0]

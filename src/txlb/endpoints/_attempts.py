"""
The steps of a search, for coroutines.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from txlb.errors import NoHostAvailable
from txlb.pool import Attempt, GaveUp, Step, Waiting


async def attemptFrom(step: Step) -> Attempt:
    """
    Return the next attempt of a search; wait for it if all hosts are full. If the
    Deferred of the coroutine is cancelled meanwhile, the client leaves the queue.

    @param step: the step that C{start} or C{failed} has returned.
    @raise NoHostAvailable: the search has ended without a host. The error names the
        reason and the last failure.
    """
    while isinstance(step, Waiting):
        step = await _turnOf(step)
    if isinstance(step, GaveUp):
        last = f"; the last failure: {step.failure}" if step.failure is not None else ""
        raise NoHostAvailable(f"no host could be reached: {step.reason.value}{last}")
    return step


def _turnOf(waiting: Waiting) -> Deferred[Attempt | GaveUp]:
    turn: Deferred[Attempt | GaveUp] = Deferred(lambda _: waiting.dial.cancel())
    waiting.whenWoken(turn.callback)
    return turn

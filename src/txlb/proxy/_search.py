"""
Asking a pool for the next host, and telling it of the end. Its policy may be
anybody's, and one that raises costs the client that asked and nobody else.
"""

from __future__ import annotations

from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.pool import (
    Attempt,
    Dial,
    Failure,
    FailureKind,
    GaveUp,
    GaveUpReason,
    Lease,
    Outcome,
    Step,
)

_log = Logger()


def firstStep(dial: Dial) -> Step:
    """
    Begin a search. See L{Dial.start}.
    """
    try:
        return dial.start()
    except Exception as error:  # noqa: BLE001 - whatever a policy raises
        return _unable(error)


def nextStep(attempt: Attempt, failure: Failure, deadlines: Deadlines) -> Step:
    """
    Go on with a search. See L{Dial.failed}.

    @param deadlines: what knows how long the process has slept.
    """
    try:
        return attempt.failed(failure, deadlines.sleptSince(attempt.dial.began))
    except Exception as error:  # noqa: BLE001 - whatever a policy raises
        return _unable(error)


def _unable(error: Exception) -> GaveUp:
    _log.failure("the policy of a group could not choose a host")
    return GaveUp(GaveUpReason.LOCAL, Failure(FailureKind.LOCAL, repr(error)))


def releaseSafely(lease: Lease, outcome: Outcome) -> None:
    """
    Release a lease. See L{Lease.release}.
    """
    try:
        lease.release(outcome)
    except Exception:  # noqa: BLE001 - whatever a policy raises
        _log.failure("the policy of a group could not be told of the end of a connection")

"""
Reasons of failures, in words.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure


def reasonOf(error: BaseException | None) -> str:
    """
    Return the reason of an error of Twisted's HTTP client, which may hold several.
    """
    reasons = getattr(error, "reasons", None)
    if isinstance(reasons, Sequence) and reasons and isinstance(reasons[0], Failure):
        return reasonOf(reasons[0].value)
    if isinstance(error, CancelledError):
        # The client cancels a request whose time is over.
        return "no answer in time"
    return str(error) or type(error).__name__

"""
A check that is a Python callable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.errors import ModelError
from txlb.health._kind import CheckKind
from txlb.health._target import Target
from txlb.health._tools import Tools
from txlb.health._verdict import Verdict
from txlb.interfaces import IHealthCheck
from txlb.model.kinds import PlainKind
from txlb.model.options import Option


@implementer(IHealthCheck)
class CallCheck:
    """
    A check that calls a function with the L{Target}. The function returns whether the host is
    well, or a pair of that and the reason, or a L{Verdict}, or a Deferred of one of
    them. If it raises an error, the check fails, and the error is the reason.
    """

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._call: Callable[[Target], object] = options["call"]
        if not callable(self._call):
            raise ModelError(f"call of the python check is {self._call!r}; it is a function")

    def check(self, target: Target) -> Deferred[Verdict]:
        """
        Call the function. If the check is cancelled, so is the function's Deferred.
        """
        return maybeDeferred(self._call, target).addCallbacks(self._judge, self._failed)

    def _judge(self, answer: object) -> Verdict:
        if isinstance(answer, Verdict):
            return answer
        if isinstance(answer, bool):
            return Verdict(answer, f"it returned {answer}")
        if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], bool):
            return Verdict(answer[0], str(answer[1])[:500])
        # A function without a return statement must not pass.
        return Verdict(False, f"it returned {answer!r:.100}, neither True nor False")

    def _failed(self, reason: Failure) -> Verdict:
        if isinstance(reason.value, CancelledError):
            return Verdict(False, "no answer")
        kind = type(reason.value).__name__
        return Verdict(False, f"{kind}: {reason.getErrorMessage()}"[:500])


@dataclass(frozen=True, slots=True)
class Function(PlainKind):
    """
    A Python callable.
    """

    def describe(self) -> str:
        return "a Python function"

    def parse(self, text: str, what: str) -> Any:
        """
        Refuse every text, as no text is a function.
        """
        raise self.wrong(text, what)


PYTHON = CheckKind(
    "python",
    "Calls a Python function; only in programs.",
    CallCheck,
    (Option("call", Function(), "The function.", required=True),),
    inFiles=False,
)

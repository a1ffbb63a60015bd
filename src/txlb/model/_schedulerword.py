"""
The kind of values that name a scheduler.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb import schedulers
from txlb.errors import ModelError, UnknownName
from txlb.model._checks import MAX_NAME_LENGTH
from txlb.model.kinds import PlainKind
from txlb.model.looks import mayLook


@dataclass(frozen=True, slots=True)
class SchedulerWord(PlainKind):
    """
    The word of a scheduler, or PythonDirector's word for it.
    """

    def describe(self) -> str:
        return (
            f"one of {', '.join(schedulers.schedulerWords())}, "
            f"or PythonDirector's {', '.join(schedulers.ALIASES)}"
        )

    def check(self, value: object, what: str) -> str:
        return schedulers.canonicalWord(value)

    def parse(self, text: str, what: str) -> str:
        if len(text) > MAX_NAME_LENGTH:
            raise self.wrong(text, what)
        try:
            return schedulers.canonicalWord(text, mayLook)
        except UnknownName as error:
            raise ModelError(f"{what}: {error}") from None

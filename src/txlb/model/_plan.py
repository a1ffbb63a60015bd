"""
The changes from one configuration to another.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.model._change import Change


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """
    The changes that lead from one configuration to another. It is true if there is
    something to do, and shows itself as a line for each change.

    @ivar changes: the differences, removals before additions.
    """

    changes: tuple[Change, ...] = ()

    @property
    def lines(self) -> list[str]:
        """
        A line for each change, for people.
        """
        return [str(change) for change in self.changes]

    def asDict(self) -> dict[str, object]:
        """
        Return the plan in values that any format can hold.
        """
        return {"changes": [change.asDict() for change in self.changes]}

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(self.lines) or "nothing would change"

    def __repr__(self) -> str:
        return f"<Plan: {self}>"

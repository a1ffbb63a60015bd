"""
Conflicts of two changes of one configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from txlb.model._plain import shownValue


@dataclass(frozen=True, slots=True)
class Conflict:
    """
    One thing that both sides have changed in different ways.

    @ivar thing: C{service}, C{group} or C{host}.
    @ivar key: the names of the service, the group and the host.
    @ivar setting: the name of the setting; empty if one side has removed the thing, or if
        both have added it with different settings.
    @ivar before: the value before both changes.
    @ivar mine: the live value; L{None} if the thing does not exist.
    @ivar theirs: the value of the file, likewise.
    """

    thing: str
    key: tuple[str, ...]
    setting: str
    before: Any
    mine: Any
    theirs: Any

    def __str__(self) -> str:
        what = f"{self.thing} {'/'.join(self.key)}"
        if self.setting:
            values = f"{shownValue(self.mine)} live and {shownValue(self.theirs)} in the file"
            return f"{what}: {self.setting} is {values}; it was {shownValue(self.before)}"
        if self.mine is None:
            return f"{what} was removed live, and changed in the file"
        if self.theirs is None:
            return f"{what} was changed live, and removed in the file"
        return f"{what} was added live and in the file, and is not the same"

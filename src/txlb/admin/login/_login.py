"""
The avatar of a user.
"""

from __future__ import annotations

from dataclasses import dataclass

from zope.interface import implementer

from txlb.admin._access import LEVELS, READONLY, Caller
from txlb.admin.login._interfaces import ILogin


@implementer(ILogin)
@dataclass(frozen=True, slots=True)
class Login:
    """
    A user that has logged in, as its source knows it.

    @ivar name: the login name.
    @ivar source: the label of the source.
    @ivar groups: the groups that the source has told; empty if it has none.
    @ivar access: one of L{LEVELS}.
    @ivar lasts: seconds after which the user has to log in again; 0 for no bound.
    """

    name: str
    source: str
    groups: tuple[str, ...] = ()
    access: str = READONLY
    lasts: float = 0.0

    def caller(self, door: str) -> Caller:
        return Caller(f"{door}:{self.name}" if door else self.name, self.access)

    def covers(self, access: str) -> bool:
        """
        Whether this login has an access, or a higher one.
        """
        return LEVELS.index(self.access) >= LEVELS.index(access)

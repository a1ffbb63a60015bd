"""
Access to commands: how much a caller may do.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.errors import AccessDenied

#: The access of a caller that may look, and change nothing.
READONLY = "readonly"

#: The access of a caller that may also take hosts out, bring them back, and weigh them.
OPERATOR = "operator"

#: The access of a caller that may do everything.
FULL = "full"

#: Every access, the least one first. Each one includes those before it.
LEVELS = (READONLY, OPERATOR, FULL)


@dataclass(frozen=True, slots=True)
class Caller:
    """
    An administrator or a program that gives commands. Each door makes it from the avatar
    of an authenticated connection.

    @ivar name: its name in events and logs, such as C{ssh:admin}.
    @ivar access: one of L{LEVELS}.
    """

    name: str
    access: str

    def check(self, needed: str, purpose: str) -> None:
        """
        Refuse an action that this caller may not do.

        @param needed: the access that it takes, one of L{LEVELS}.
        @param purpose: the action, for the message.
        @raise AccessDenied: the caller has less. The message names both.
        """
        if self.access not in LEVELS or LEVELS.index(self.access) < LEVELS.index(needed):
            raise AccessDenied(
                f"{purpose} needs {needed} access, and {self.name} has {self.access} access"
            )

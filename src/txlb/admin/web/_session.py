"""
The session of a user of the console.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from txlb.admin._access import Caller
from txlb.admin.login import Session as Registered


class Stream(Protocol):
    """
    A stream of events to a page.
    """

    def end(self) -> None:
        """
        End it.
        """


@dataclass(eq=False, slots=True)
class Session:
    """
    A session. Owned by the L{txlb.admin.web._sessions.Sessions}.

    @ivar identifier: 128 random bits, as the cookie has them.
    @ivar caller: the user as a caller of commands.
    @ivar user: the name of the user.
    @ivar source: the source of the client that has logged in.
    @ivar began: when it began, in seconds of the monotonic clock.
    @ivar used: when it was last used.
    @ivar streams: the streams of events of its open pages.
    @ivar registered: its entry among the sessions of all doors.
    @ivar proof: the value that has to be the user's still; the session ends when it is not.
    """

    identifier: str = field(repr=False)
    caller: Caller
    user: str
    source: str
    began: float
    used: float
    proof: object = field(default=None, repr=False)
    streams: set[Stream] = field(default_factory=set)
    registered: Registered | None = field(default=None, repr=False)

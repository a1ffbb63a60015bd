"""
The register of those that are in.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

from txlb.admin.login._login import Login
from txlb.admin.login._refused import LoginRefused
from txlb.admin.login._session import Session
from txlb.errors import UnknownName

#: Sessions of all doors together, consoles and tokens included.
MAX_SESSIONS = 2048


class Sessions:
    """
    The sessions of all doors. A door opens one for each client that has logged in, and closes
    it when the client has gone.

    @param seconds: the monotonic clock.
    @param allowed: whether a login would be granted now, as far as that is known at once.
    """

    def __init__(
        self,
        seconds: Callable[[], float] = time.monotonic,
        allowed: Callable[[Login], bool] = lambda _: True,
    ) -> None:
        self._seconds = seconds
        self._allowed = allowed
        self._numbers = itertools.count(1)
        self._open: dict[int, Session] = {}

    def __len__(self) -> int:
        """
        Return the number of sessions.
        """
        return len(self._open)

    def __iter__(self) -> Iterator[Session]:
        """
        Iterate over the sessions, the oldest first. They may end meanwhile.
        """
        return iter(tuple(self._open.values()))

    def open(self, login: Login, door: str, address: str, end: Callable[[str], None]) -> Session:
        """
        Register a session.

        @param door: the word of the door: C{ssh}, C{control}, C{web} or C{token}.
        @param address: the address of the client, for people.
        @param end: ends the session within a second; it gets the reason, a text for the
            client. It is called at most once, and the session is registered no more then.
        @raise LoginRefused: there are too many sessions, or the access was taken away since
            the login.
        """
        if len(self._open) >= MAX_SESSIONS:
            raise LoginRefused(f"there are {MAX_SESSIONS} sessions already")
        if not self._allowed(login):
            raise LoginRefused("the access was taken away since the login was decided")
        session = Session(
            self.closed, next(self._numbers), login, door, address, end, self._seconds
        )
        self._open[session.id] = session
        return session

    def closed(self, session: Session) -> None:
        """
        Forget a session.
        """
        self._open.pop(session.id, None)

    def end(self, number: int, why: str = "an administrator ends this session") -> Session:
        """
        End a session.

        @param why: the reason, for the client.
        @return: the session.
        @raise UnknownName: there is none of this number.
        """
        session = self._open.get(number)
        if session is None:
            raise UnknownName("session", str(number), map(str, self._open))
        session.end(why)
        return session

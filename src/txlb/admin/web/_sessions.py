"""
The sessions of the console.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator

from txlb.admin._access import Caller
from txlb.admin.login import Session as Registered
from txlb.admin.web._session import Session, Stream

#: Seconds after which a session ends that was not used, and has no page open.
IDLE = 900.0

#: Seconds after which every session ends.
LONGEST = 43_200.0

#: Sessions of one user, and of all.
MOST_OF_USER = 16
MOST = 256

#: Bytes of chance in an identifier.
BYTES = 16


class Sessions:
    """
    All sessions. A session is used by a request, and by a page while it follows the events.

    @param seconds: the monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        # In the order of their last use.
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        """
        Return their number.
        """
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """
        Iterate over them, the one first whose last use is longest ago.
        """
        return iter(tuple(self._sessions.values()))

    def begin(self, caller: Caller, user: str, source: str, proof: object) -> Session:
        """
        Begin a session, with an identifier of its own.

        @param caller: the user as a caller of commands.
        @param source: the source of its client.
        @param proof: see L{Session}.
        """
        self.expire()
        now = self._seconds()
        own = [each for each in self if each.user == user]
        for each in own[: max(len(own) - MOST_OF_USER + 1, 0)]:
            self.end(each)
        while len(self._sessions) >= MOST:
            self.end(next(iter(self._sessions.values())))
        made = Session(secrets.token_urlsafe(BYTES), caller, user, source, now, now, proof)
        self._sessions[made.identifier] = made
        return made

    def register(self, session: Session, registered: Registered) -> None:
        """
        Note the entry of a session among those of all doors.
        """
        session.registered = registered

    def find(self, identifier: str) -> Session | None:
        """
        Return the session of an identifier, and note that it is used.

        @return: L{None} if there is none, or it has ended.
        """
        session = self._sessions.get(identifier)
        if session is None:
            return None
        if self._isOver(session):
            self.end(session)
            return None
        session.used = self._seconds()
        if session.registered is not None:
            session.registered.active()
        self._sessions[identifier] = self._sessions.pop(identifier)
        return session

    def _isOver(self, session: Session) -> bool:
        now = self._seconds()
        idle = not session.streams and now - session.used >= IDLE
        return idle or now - session.began >= LONGEST

    def expire(self) -> None:
        """
        End those that are over.
        """
        for each in self:
            if self._isOver(each):
                self.end(each)

    def end(self, session: Session) -> None:
        """
        End one, with its streams.
        """
        self._sessions.pop(session.identifier, None)
        registered, session.registered = session.registered, None
        if registered is not None:
            registered.close()
        streams, session.streams = session.streams, set()
        for each in streams:
            each.end()

    def leave(self, session: Session, stream: Stream) -> None:
        """
        Note that a stream of a session is gone: the session was in use until now.
        """
        if stream in session.streams:
            session.streams.discard(stream)
            session.used = self._seconds()

    def keep(self, proofs: Iterable[object]) -> None:
        """
        End the sessions of users that were removed or changed.

        @param proofs: what is true of users now.
        """
        there = list(proofs)
        for each in self:
            if each.proof not in there:
                self.end(each)

    def endAll(self) -> None:
        """
        End all.
        """
        for each in self:
            self.end(each)

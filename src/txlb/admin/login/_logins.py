"""
The one place in which all doors of a balancer let users in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from txlb.admin._log import log
from txlb.admin.login._interfaces import ILogin, ILoginSource
from txlb.admin.login._login import Login
from txlb.admin.login._order import SourceOrder
from txlb.admin.login._passwords import PasswordChecks
from txlb.admin.login._passwordthreads import PasswordThreads
from txlb.admin.login._realm import LoginRealm
from txlb.admin.login._sessions import Sessions
from txlb.admin.login._tries import PasswordTries
from txlb.admin.login._users import LABEL, Users
from txlb.admin.login._usersource import UserSource
from txlb.config import AdminUser
from txlb.deadlines import Deadlines
from txlb.errors import ModelError


class Logins:
    """
    The logins of a balancer, for all of its doors. Doors start it when they begin to let
    clients in, and stop it when they have ended.

    @param users: the users of the configuration.
    @param seconds: the monotonic clock.
    @param checks: checks passwords; by default in a thread.
    @ivar users: the users of the configuration.
    @ivar portal: gives a L{Login} for credentials, as the avatar of the interface L{ILogin}.
    @ivar sessions: the clients that are in, by all doors.
    @ivar tries: the wrong passwords, of all doors.
    """

    def __init__(
        self,
        users: Iterable[AdminUser] = (),
        *,
        seconds: Callable[[], float] = time.monotonic,
        checks: PasswordChecks | None = None,
    ) -> None:
        self.users = Users(users)
        self.tries = PasswordTries(seconds)
        self.sessions = Sessions(seconds, self._allows)
        self._checks = PasswordChecks(self._inThread) if checks is None else checks
        self._order = SourceOrder(self.tries, seconds, self._after)
        self._order.sources = (UserSource(self.users, self._checks),)
        self.portal = Portal(LoginRealm(), [self._order])
        self._seconds = seconds
        self._reactor: Any = None
        self._deadlines: Deadlines | None = None
        self._pool: PasswordThreads | None = None
        self._doors = 0
        self._usersChanged()

    # Logging in

    def login(self, credentials: Any) -> Deferred[Login]:
        """
        Let a client in, or not.

        @param credentials: such as a L{txlb.admin.login.PasswordTry}.
        @return: fires with the login. It fails with L{txlb.admin.login.LoginRefused},
            with L{txlb.admin.login.SourceUnavailable}, which is one too, if nothing was
            decided, and as L{Portal.login} does.
        """
        asked: Deferred[Any] = self.portal.login(credentials, None, ILogin)
        return asked.addCallback(lambda answer: answer[1])

    @property
    def sources(self) -> Sequence[ILoginSource]:
        """
        The sources, in their order.
        """
        return self._order.sources

    # Changing

    def setUsers(self, users: Iterable[AdminUser]) -> None:
        """
        Let only these users of the configuration in from now on. The sessions of users that
        were removed, or that have less access now, end.

        @raise DuplicateName: two have the same name; nothing has changed then.
        """
        self.users.replace(users)
        self._usersChanged()
        self._endUnallowed()
        self.warn()

    def warn(self) -> None:
        """
        Log why users can't log in that seem to be meant to.
        """
        for warning in self.users.warnings():
            log.warn("{problem}", problem=warning)

    def _usersChanged(self) -> None:
        self._checks.setModel(self.users.costliestHash())

    def _allows(self, login: Login) -> bool:
        """
        Return whether a login would be granted now, as far as that is known at once.
        """
        if login.source != LABEL:
            labels = {source.label for source in self._order.sources}
            return login.source in labels or login.source == "uid"
        return self.users.hasAccess(login.name, login.access)

    def _endUnallowed(self) -> None:
        for session in self.sessions:
            if not self._allows(session.login):
                log.info(
                    "{user}@{peer}: the session ends, as the access was taken away",
                    user=session.login.name,
                    peer=session.address,
                )
                session.end("the access of this user was taken away")

    # Life

    def start(self, reactor: Any) -> None:
        """
        Begin to decide. Each door that has started this stops it once.

        @param reactor: the reactor of the door.
        """
        self._doors += 1
        if self._doors > 1:
            return
        self._reactor = reactor
        self._deadlines = Deadlines(reactor, self._seconds)
        # One thread: a check takes 64 MiB, and a login can wait a moment.
        self._pool = PasswordThreads(0, 1, "txlb-passwords")
        self._pool.start()
        self._checks.begin()

    def stop(self) -> None:
        """
        Decide no more, if this was the last door. It waits for the password that is being
        checked, if any, which takes tens of milliseconds.
        """
        self._doors -= 1
        if self._doors or self._pool is None or self._deadlines is None:
            return
        self._checks.stop()
        self._pool.stop()
        self._deadlines.stop()
        self._pool = self._deadlines = None

    def _inThread(self, check: Callable[[], bool]) -> Deferred[bool]:
        pool: Any = self._pool
        return deferToThreadPool(self._reactor, pool, check)

    def _after(self, delay: float, action: Callable[[], object]) -> object:
        if self._deadlines is None:
            return action()
        return self._deadlines.after(delay, action)


def loginsOf(balancer: Any, users: Iterable[AdminUser] = (), given: Logins | None = None) -> Logins:
    """
    Return the logins of a balancer: those of its other doors, or new ones.

    @param users: the users that a door names; empty for those that are there.
    @param given: the logins that the door was given.
    @raise DuplicateName: two users have the same name.
    @raise ModelError: another door has named other users already.
    """
    named = Users(users)
    logins: Logins | None = given or getattr(balancer, "logins", None)
    if logins is None:
        logins = Logins(named)
    elif list(named):
        if list(logins.users) not in ([], list(named)):
            raise ModelError(
                "another door of this balancer has other users; make one Logins of all users, and "
                "give it to each door as logins="
            )
        logins.setUsers(named)
    balancer.logins = logins
    return logins

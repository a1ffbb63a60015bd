"""
The one place in which all doors of a balancer let users in.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from txlb.admin._log import log, printable
from txlb.admin._work import nothing
from txlb.admin.login._credentials import PasswordTry
from txlb.admin.login._interfaces import ILogin, ILoginSource
from txlb.admin.login._login import Login
from txlb.admin.login._made import SourceSettings, labelOf, makeSource
from txlb.admin.login._means import Means
from txlb.admin.login._order import SourceOrder
from txlb.admin.login._passwords import PasswordChecks
from txlb.admin.login._passwordthreads import PasswordThreads
from txlb.admin.login._realm import LoginRealm
from txlb.admin.login._refused import SourceUnavailable
from txlb.admin.login._session import Session
from txlb.admin.login._sessions import Sessions
from txlb.admin.login._tries import PasswordTries
from txlb.admin.login._users import LABEL, Users
from txlb.admin.login._usersource import UserSource
from txlb.config import AdminUser, RADIUSSource
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import DuplicateName, ModelError, TxlbError

#: Seconds between two looks for sessions whose access is to be checked again.
RECHECK_TICK = 1.0

#: The longest text of a source in the answer to a test of a login, in characters.
MAX_TOLD = 2000

#: Sessions about which sources are asked at a time.
MAX_RECHECKS = 4


class Logins:
    """
    The logins of a balancer, for all of its doors. Doors start it when they begin to let
    clients in, and stop it when they have ended.

    @param users: the users of the configuration.
    @param sources: other sources, in their order, such as a L{txlb.config.LDAPSource}.
    @param usersAt: how many of them are asked before the users.
    @param seconds: the monotonic clock.
    @param checks: checks passwords; by default in a thread.
    @ivar users: the users of the configuration.
    @ivar portal: gives a L{Login} for credentials, as the avatar of the interface L{ILogin}.
    @ivar sessions: the clients that are in, by all doors.
    @ivar tries: the wrong passwords, of all doors.
    @raise TxlbError: a source can't be made.
    """

    def __init__(
        self,
        users: Iterable[AdminUser] = (),
        sources: Iterable[SourceSettings] = (),
        *,
        usersAt: int = 0,
        seconds: Callable[[], float] = time.monotonic,
        checks: PasswordChecks | None = None,
    ) -> None:
        self.users = Users(users)
        self.tries = PasswordTries(seconds)
        self.sessions = Sessions(seconds, self._allows)
        self._checks = PasswordChecks(self._inThread) if checks is None else checks
        self._means = Means(self._inThread)
        self._order = SourceOrder(self.tries, seconds, self._after, self.giveWay)
        self._own = UserSource(self.users, self._checks)
        # The settings of the other sources, and their objects.
        self._made: dict[str, tuple[SourceSettings, ILoginSource]] = {}
        self.portal = Portal(LoginRealm(), [self._order])
        self._seconds = seconds
        self._pool: PasswordThreads | None = None
        self._doors = 0
        # Seconds of work of this thread for connections to which the steps gave way.
        self._given = 0.0
        self._usersAt = 0
        self._rechecks: Deadline | None = None
        self._usersChanged()
        self.setSources(sources, usersAt)

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

    def inTurn(self, step: Callable[[], object], source: str) -> None:
        """
        Do a step for a client that has not logged in, at once or in its turn: relayed connections
        have theirs between two steps.

        @param source: the source of the client, see L{txlb.admin.login.sourceOf}.
        """
        self._order.turns.do(step, source)

    def giveWay(self) -> None:
        """
        Let relayed connections go on between two parts of a step for a client, as the balancer
        does it; see L{loginsOf}.
        """
        began = time.thread_time()
        self._means.giveWay()
        self._given += time.thread_time() - began

    def spent(self) -> float:
        """
        Return the time that this thread has worked, without that of relayed connections to which
        the steps have given way, in seconds.
        """
        return time.thread_time() - self._given

    def giveWayBy(self, giveWay: Callable[[], object]) -> None:
        """
        Let relayed connections go on by this function from now on.
        """
        self._means.giveWay = giveWay

    @property
    def sources(self) -> Sequence[ILoginSource]:
        """
        The sources, in their order.
        """
        return self._order.sources

    def test(self, user: str, password: str) -> Deferred[Iterable[Mapping[str, object]]]:
        """
        Ask the sources about a user in their order, for an administrator that sets them up.

        @return: fires with a row for each source that was asked.
        """
        credentials = PasswordTry(
            user.encode("utf-8", "surrogateescape"), password.encode("utf-8", "surrogateescape")
        )
        return Deferred.fromCoroutine(self._test(credentials))

    async def _test(self, credentials: PasswordTry) -> Iterable[Mapping[str, object]]:
        rows: list[dict[str, object]] = []
        for source in self._order.sources:
            if IUsernamePassword not in source.credentialInterfaces:
                continue
            row: dict[str, object] = {"row": "source", "source": source.label, "accepts": False}
            rows.append(row)
            ask: Callable[[Any], Deferred[Any]] = source.requestAvatarId
            try:
                login: Login = await maybeDeferred(ask, credentials)
            except SourceUnavailable as error:
                told = printable(str(error), MAX_TOLD)
                row["text"] = f"{source.label}: gives no answer: {told}"
                if not source.asksNext:
                    break
            except UnauthorizedLogin as error:
                row["text"] = f"{source.label}: refuses: {printable(str(error), MAX_TOLD)}"
            else:
                shown = ", ".join(login.groups[:20]) or "none"
                row["text"] = (
                    f"{source.label}: lets {login.name} in with {login.access} access; groups or "
                    f"values: {printable(shown, MAX_TOLD)}"
                )
                row.update(accepts=True, groups=list(login.groups[:1000]), access=login.access)
                break
        return rows

    @property
    def asks(self) -> bool:
        """
        Whether a source may ask the person more than a password.
        """
        return any(isinstance(settings, RADIUSSource) for settings, _ in self._made.values())

    # Changing

    def setUsers(self, users: Iterable[AdminUser]) -> None:
        """
        Let only these users of the configuration in from now on. The sessions of users that
        were removed, or that have less access now, end.

        @raise DuplicateName: two have the same name; nothing has changed then.
        """
        self.users.replace(users)
        self._usersChanged()
        self._arrange()
        self._endUnallowed()
        self.warn()

    def setSources(self, sources: Iterable[SourceSettings], usersAt: int = 0) -> None:
        """
        Ask these sources from now on, and the users of the configuration. Sessions end whose
        sources are not there any more, or say something else.

        @param usersAt: how many of the sources are asked before the users.
        @raise TxlbError: a source can't be made; nothing has changed then.
        """
        made: dict[str, tuple[SourceSettings, ILoginSource]] = {}
        counts: Counter[type] = Counter()
        try:
            for each in sources:
                counts[type(each)] += 1
                label = labelOf(each, counts[type(each)])
                made[label] = (each, makeSource(each, label, self._means))
        except TxlbError:
            for _, source in made.values():
                source.close()
            raise
        before, self._made = self._made, made
        self._usersAt = usersAt
        self._arrange()
        for label, (settings, source) in before.items():
            source.close()
            if label not in made or made[label][0] != settings:
                self._endAll(label)
        self._beginRechecks()

    def _arrange(self) -> None:
        """
        Put the sources in their order. Without users of the configuration the others are all.
        """
        objects = [source for _, source in self._made.values()]
        own = (self._own,) if list(self.users) or not objects else ()
        at = self._usersAt
        self._order.sources = (*objects[:at], *own, *objects[at:])

    def _endAll(self, label: str) -> None:
        for session in self.sessions:
            if session.login.source == label:
                session.end("the source of this login was changed")

    def configure(
        self, users: Iterable[AdminUser], sources: Iterable[SourceSettings], usersAt: int = 0
    ) -> None:
        """
        Take over a configuration that was loaded again. A source that can't be made refuses
        logins, and the log says why: a reload has no other way at this point.
        """
        self.setUsers(users)
        try:
            self.setSources(sources, usersAt)
        except TxlbError as error:
            log.error("the sources of logins stay as they were: {error}", error=error)

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
                self._takenAway(session)

    # Life

    def start(self, reactor: Any) -> None:
        """
        Begin to decide. Each door that has started this stops it once.

        @param reactor: the reactor of the door.
        """
        self._doors += 1
        if self._doors > 1:
            return
        self._means.reactor = reactor
        self._means.deadlines = Deadlines(reactor, self._seconds)
        # One thread: a check takes 64 MiB, and a login can wait a moment.
        self._pool = PasswordThreads(0, 1, "txlb-passwords")
        self._pool.start()
        self._checks.begin()
        self._beginRechecks()

    def stop(self) -> None:
        """
        Decide no more, if this was the last door. It waits for the password that is being
        checked, if any, which takes tens of milliseconds.
        """
        self._doors -= 1
        deadlines = self._means.deadlines
        if self._doors or self._pool is None or deadlines is None:
            return
        for _, source in self._made.values():
            source.close()
        self._checks.stop()
        self._pool.stop()
        deadlines.stop()
        self._pool = self._means.deadlines = self._rechecks = None
        self._order.stop()

    def _inThread(self, function: Callable[[], Any]) -> Deferred[Any]:
        pool: Any = self._pool
        if pool is None:
            return fail(SourceUnavailable("the balancer stops"))
        return deferToThreadPool(self._means.reactor, pool, function)

    def _after(self, delay: float, action: Callable[[], object]) -> object:
        deadlines = self._means.deadlines
        return action() if deadlines is None else deadlines.after(delay, action)

    # Asking again

    def _beginRechecks(self) -> None:
        deadlines = self._means.deadlines
        if self._rechecks is None and deadlines is not None and self._made:
            self._rechecks = deadlines.after(RECHECK_TICK, self._recheck)

    def _recheck(self) -> None:
        """
        End the sessions that have lasted their time, and ask about those that are due.
        """
        self._rechecks = None
        self._beginRechecks()
        asking = sum(session.asking for session in self.sessions)
        for session in self.sessions:
            login = session.login
            if 0 < login.lasts <= session.age:
                session.end("this login is over; log in again")
            elif login.source in self._made and not session.asking and asking < MAX_RECHECKS:
                source = self._made[login.source][1]
                if 0 < source.recheck <= self._seconds() - session.checkedAt:
                    asking += 1
                    session.asking = True
                    again = maybeDeferred(source.again, login)
                    again.addCallbacks(
                        partial(self._checkedAgain, session), partial(self._notAgain, session)
                    )

    def _checkedAgain(self, session: Session, login: Login) -> None:
        session.asking = False
        session.checkedAt = self._seconds()
        if not login.covers(session.login.access):
            self._takenAway(session)

    def _notAgain(self, session: Session, failure: Failure) -> None:
        session.asking = False
        session.checkedAt = self._seconds()
        if failure.check(SourceUnavailable):
            # The person that is in may be mending this very server.
            log.warn(
                "{user}@{peer}: the access could not be checked again: {error}",
                user=session.login.name,
                peer=session.address,
                error=printable(failure.getErrorMessage(), 500),
            )
        else:
            self._takenAway(session)

    def _takenAway(self, session: Session) -> None:
        log.info(
            "{user}@{peer}: the session ends, as the access was taken away",
            user=session.login.name,
            peer=session.address,
        )
        session.end("the access of this user was taken away")


def loginsOf(
    balancer: Any,
    users: Iterable[AdminUser] = (),
    given: Logins | None = None,
    sources: Iterable[SourceSettings] = (),
) -> Logins:
    """
    Return the logins of a balancer: those of its other doors, or new ones.

    @param users: the users that a door names; empty for those that are there.
    @param given: the logins that the door was given.
    @param sources: the other sources that a door names; empty for those that are there.
    @raise DuplicateName: two users have the same name.
    @raise ModelError: another door has named other users already.
    """
    named, others = Users(users), tuple(sources)
    logins: Logins | None = given or getattr(balancer, "logins", None)
    if logins is None:
        logins = Logins(named, others)
        others = ()
    elif list(named):
        if list(logins.users) not in ([], list(named)):
            raise ModelError(
                "another door of this balancer has other users; make one Logins of all users, and "
                "give it to each door as logins="
            )
        logins.setUsers(named)
    if others:
        logins.setSources(others)
    balancer.logins = logins
    logins.giveWayBy(getattr(balancer, "giveWay", nothing))
    keep = getattr(balancer, "keep", None)
    if keep is not None:
        # Another door may have done it.
        with contextlib.suppress(DuplicateName):
            keep(logins.tries)
    return logins

"""
Logins to the console.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, NoReturn

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txlb.admin._access import Caller
from txlb.admin._log import log, printable
from txlb.admin.login import (
    Login,
    LoginRefused,
    Logins,
    PasswordTry,
    SourceUnavailable,
    peerName,
    sourceOf,
)
from txlb.admin.login._credentials import Ask
from txlb.admin.login._refused import TOLD
from txlb.admin.web._challenges import Challenges
from txlb.admin.web._problem import LOG_IN, Refusal
from txlb.admin.web._session import Session
from txlb.admin.web._sessions import Sessions
from txlb.admin.web._tokens import Tokens
from txlb.config import AdminToken

#: The cookie of a session: over TLS, and on loopback without. Browsers take the first only
#: over TLS, for this very host, and for all of its paths.
SECURE_COOKIE = "__Host-txlb"
PLAIN_COOKIE = "txlb"

#: The longest name of a user, and the longest password, in characters.
MAX_NAME = 256
MAX_PASSWORD = 1024

#: The longest continuation that is looked for, and the longest answer, in characters.
MAX_CONTINUATION = 64
MAX_ANSWER = 1024


class Authority:
    """
    Decides which user or program has sent a request. Owned by a
    L{txlb.admin.web._console.Console}.

    @param logins: decides about passwords, and has the register of all sessions.
    @param sessions: the sessions of users that have logged in.
    @param challenges: the logins that wait for an answer.
    @param tokens: those of programs.
    """

    def __init__(
        self,
        logins: Logins,
        sessions: Sessions,
        challenges: Challenges,
        tokens: Iterable[AdminToken],
    ) -> None:
        self._logins = logins
        self._challenges = challenges
        self.sessions = sessions
        self.tokens = Tokens(tokens)

    def logIn(self, request: Any, user: str, password: str) -> Deferred[Session]:
        """
        Log a user in, and begin a session. The session that the client had ends.

        @return: fires with the session. It fails with L{Refusal}, which gives no reason, or has
            a question, see L{Challenges.begin}.
        """
        source = sourceOf(request.client)
        login = self._challenges.begin(
            source, lambda ask: self._checked(source, user, password, ask)
        )
        return login.addCallback(lambda found: self._begin(request, found))

    def goOn(self, request: Any, continuation: str, answer: str) -> Deferred[Session]:
        """
        Go on with a login that has asked a question.

        @return: see L{logIn}.
        @raise Refusal: no login waits for this answer.
        """
        text = answer.encode("utf-8", "surrogatepass")
        login = self._challenges.goOn(sourceOf(request.client), continuation, text)
        login.addErrback(_wrongAnswer)
        return login.addCallback(lambda found: self._begin(request, found))

    def _checked(
        self, source: str, user: str, password: str, ask: Ask | None = None
    ) -> Deferred[Login]:
        name = user.encode("utf-8", "surrogatepass")
        credentials = PasswordTry(name, password.encode("utf-8", "surrogatepass"), source, ask)

        def refused(failure: Failure) -> NoReturn:
            failure.trap(UnauthorizedLogin)
            reason = printable(failure.getErrorMessage(), 1000)
            self._logins.giveWay()
            log.warn(
                "{user}@{source}: login to the console failed: {reason}",
                user=printable(user, 64),
                source=source,
                reason=reason,
            )
            self._logins.giveWay()
            if failure.check(SourceUnavailable):
                raise Refusal(503, TOLD, {"Retry-After": "10"})
            raise Refusal(401, "the user or the password is wrong", LOG_IN)

        return self._logins.login(credentials).addErrback(refused)

    def _begin(self, request: Any, login: Login) -> Session:
        before = self.sessionOf(request)
        if before is not None:
            self.sessions.end(before)
        source = sourceOf(request.client)
        session = self.sessions.begin(login.caller("web"), login.name, source, self.proofOf(login))
        try:
            registered = self._logins.sessions.open(
                login, "web", peerName(request.client), lambda _why: self.sessions.end(session)
            )
        except LoginRefused as error:
            self.sessions.end(session)
            raise Refusal(503, str(error)) from None
        self.sessions.register(session, registered)
        log.info("{by} has logged in from {source}", by=session.caller.name, source=source)
        return session

    def proofOf(self, login: Login) -> object:
        """
        Return the value that a login depends on: if it is another one later, the session ends.
        """
        return next((each for each in self._logins.users if each.name == login.name), None)

    def usersChanged(self) -> None:
        """
        End the sessions of users that were removed or changed, such as by another password.
        """
        self.sessions.keep([None, *self._logins.users])

    def sessionOf(self, request: Any) -> Session | None:
        """
        Return the session whose cookie a request has; L{None} if it has none.
        """
        cookie = request.getCookie(cookieName(request).encode("ascii"))
        return None if cookie is None else self.sessions.find(cookie.decode("latin-1"))

    def callerOf(self, request: Any) -> tuple[Caller, Session | None]:
        """
        Return the user or the program of a request. A token comes before a cookie.

        @return: the caller, and its session if it has one.
        @raise Refusal: there is no login, or none that is right.
        """
        values = request.requestHeaders.getRawHeaders(b"authorization")
        if values:
            scheme, _, token = values[0].decode("latin-1").partition(" ")
            caller = self.tokens.callerOf(token.strip()) if scheme.lower() == "bearer" else None
            if caller is None or len(values) > 1:
                raise Refusal(
                    401,
                    "the token is not known; make one with: txlb token",
                    {"WWW-Authenticate": 'Bearer realm="txlb", error="invalid_token"'},
                )
            return caller, None
        session = self.sessionOf(request)
        if session is None:
            raise Refusal(
                401,
                "log in at the console, or send a token: Authorization: Bearer TOKEN",
                LOG_IN,
            )
        return session.caller, session

    def basicCallerOf(self, request: Any) -> Deferred[tuple[Caller, Session | None]]:
        """
        Return the user or the program of a request that may have a user's password in it, by
        HTTP's Basic, as programs that fetch metrics send it. The password of a program is its
        token.

        @return: fires with the caller, and its session if it has one. It fails with
            L{Refusal}.
        @raise Refusal: there is no login, or none that is right.
        """
        user, password = _basicOf(request)
        if user is None or password is None:
            return succeed(self.callerOf(request))
        caller = self.tokens.callerOf(password)
        if caller is not None:
            return succeed((caller, None))
        checked = self._checked(sourceOf(request.client), user, password)
        return checked.addCallback(lambda login: (login.caller("web"), None))


def _wrongAnswer(failure: Failure) -> NoReturn:
    failure.trap(Refusal)
    error: Any = failure.value
    if error.status == 401 and not error.more:
        raise Refusal(401, "the answer is wrong; log in again", LOG_IN) from None
    failure.raiseException()


def cookieName(request: Any) -> str:
    """
    Return the name of the cookie for the connection of a request.
    """
    return SECURE_COOKIE if request.isSecure() else PLAIN_COOKIE


def setCookie(request: Any, identifier: str) -> None:
    """
    Give the client its session, or with an empty text take it away.
    """
    request.addCookie(
        cookieName(request),
        identifier,
        path="/",
        max_age=None if identifier else "0",
        secure=request.isSecure(),
        httpOnly=True,
        sameSite="strict",
    )


def _basicOf(request: Any) -> tuple[str | None, str | None]:
    values = request.requestHeaders.getRawHeaders(b"authorization") or []
    scheme, _, text = (values[0] if len(values) == 1 else b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None, None
    try:
        user, _, password = base64.b64decode(text.strip(), validate=True).partition(b":")
        name, word = user.decode("utf-8"), password.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal(401, "the login is no Basic of HTTP", LOG_IN) from None
    if len(name) > MAX_NAME or len(word) > MAX_PASSWORD:
        raise Refusal(401, "the user or the password is wrong", LOG_IN)
    return name, word

"""
Checkers of Twisted's as sources of logins.
"""

from __future__ import annotations

from typing import Any

from twisted.cred import error as crederror
from twisted.cred.checkers import FilePasswordDB
from twisted.cred.credentials import (
    ISSHPrivateKey,
    IUsernameHashedPassword,
    IUsernamePassword,
    UsernamePassword,
)
from twisted.cred.strcred import (
    InvalidAuthArgumentString,
    InvalidAuthType,
    makeChecker,
)
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.admin.login._interfaces import ILoginSource
from txlb.admin.login._login import Login
from txlb.admin.login._means import Means
from txlb.admin.login._refused import LoginRefused, SourceUnavailable
from txlb.admin.login._username import checkPassword, userName
from txlb.config import CheckerSource
from txlb.errors import TxlbError, listed

#: Checkers whose answer takes long, and that may be asked in another thread. Others are asked in
#: the reactor unless their C{blocking} says that they block, as a checker may use the reactor.
_SLOW = ("twisted.plugins.cred_unix", FilePasswordDB.__module__)


@implementer(ILoginSource)
class CredChecker:
    """
    A checker that a string names. All users that it lets in have the same access.

    @raise TxlbError: there is no such checker, or it takes neither passwords nor keys.
    """

    recheck = 0.0

    def __init__(self, settings: CheckerSource, label: str, means: Means) -> None:
        self.label = label
        self.asksNext = settings.onUnavailable == "next"
        self._access = settings.access
        self._lasts = settings.recheck
        self._means = means
        what = f"spec of <checker> is {settings.spec!r}"
        try:
            self._checker: Any = makeChecker(settings.spec)
        except InvalidAuthType:
            raise TxlbError(
                f"{what}: there is no such checker; twistd --help-auth lists them"
            ) from None
        except InvalidAuthArgumentString as error:
            raise TxlbError(f"{what}: {error}") from None
        kinds = set(self._checker.credentialInterfaces)
        self._passwords = bool(kinds & {IUsernamePassword, IUsernameHashedPassword})
        self.credentialInterfaces = tuple(
            each
            for each, there in (
                (IUsernamePassword, self._passwords),
                (ISSHPrivateKey, ISSHPrivateKey in kinds),
            )
            if there
        )
        if not self.credentialInterfaces:
            names = listed(each.__name__ for each in kinds)
            raise TxlbError(f"{what}, which takes neither passwords nor keys, but {names}")
        self._isSlow = settings.blocking or type(self._checker).__module__ in _SLOW

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Ask the checker.

        @return: fires with the login; see L{ILoginSource}.
        """
        user = userName(credentials.username)
        given = credentials
        if IUsernamePassword.providedBy(credentials):
            checkPassword(credentials.password)
            given = UsernamePassword(credentials.username, credentials.password)
        ask = self._checker.requestAvatarId
        if self._isSlow:
            asked = self._means.inThread(lambda: _answerOf(maybeDeferred(ask, given)))
        else:
            asked = maybeDeferred(ask, given)
        return asked.addCallbacks(lambda answer: self._login(user, answer), _refused)

    def _login(self, user: str, answer: object) -> Login:
        if not answer:
            # Checkers say so of anonymous users.
            raise LoginRefused("the checker tells no name")
        return Login(user, self.label, (), self._access, self._lasts)

    def again(self, login: Any) -> Deferred[Any]:
        """
        Refuse: checkers have no way to be asked about a user that is in. Logins may last a time
        instead.
        """
        raise SourceUnavailable("a checker can't be asked again")

    def close(self) -> None:
        """
        Do nothing: checkers have no end.
        """


def _answerOf(asked: Deferred[Any]) -> Any:
    """
    Return the answer of a checker that has answered at once, or raise what it has failed with.
    """
    answers: list[Any] = []
    asked.addBoth(answers.append)
    if not answers:
        raise SourceUnavailable(
            "the checker does not answer in its thread, as it waits for the reactor; without "
            'blocking="yes" it is asked in the reactor'
        )
    if isinstance(answers[0], Failure):
        answers[0].raiseException()
    return answers[0]


def _refused(failure: Failure) -> Any:
    failure.trap(crederror.UnauthorizedLogin, crederror.LoginFailed, Exception)
    if failure.check(SourceUnavailable):
        # The checker was not asked.
        return failure
    if failure.check(crederror.LoginFailed):
        raise LoginRefused("the checker refuses") from None
    raise SourceUnavailable(f"the checker failed: {type(failure.value).__name__}") from None

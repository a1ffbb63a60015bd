"""
The passwords of the users of the configuration.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.admin.login._clientsource import LOCAL
from txlb.admin.login._credentials import PasswordTry
from txlb.admin.login._login import Login
from txlb.admin.login._passwords import PasswordChecks, TooManyChecks, isUsableHash
from txlb.admin.login._refused import LoginRefused
from txlb.admin.login._users import Users, loginOf
from txlb.config import AdminUser


@implementer(ICredentialsChecker)
class PasswordChecker:
    """
    A checker of passwords.

    The answer takes as long as a check also if the user does not exist or has no password.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, users: Users, checks: PasswordChecks) -> None:
        self._users = users
        self._checks = checks

    def requestAvatarId(self, credentials: UsernamePassword) -> Deferred[Any]:
        """
        Check a password.

        @return: fires with the login of the user; fails with L{LoginRefused}.
        """
        name = credentials.username
        source = credentials.source if isinstance(credentials, PasswordTry) else LOCAL
        refusal: LoginRefused | None = None
        user: AdminUser | None = None
        stored: str | None = None
        try:
            user = self._users.named(name)
            stored = _usableHash(user)
        except LoginRefused as error:
            refusal = error

        def decide(matched: bool) -> Login:
            if refusal is not None:
                raise refusal
            if user is None or not matched:
                raise LoginRefused("the password is wrong")
            if self._users.named(name) != user:
                raise LoginRefused("the user was changed while the password was checked")
            return loginOf(user)

        checked = self._checks.matches(stored, credentials.password, source)
        return checked.addCallbacks(decide, _refused)


def _refused(failure: Failure) -> Failure:
    failure.trap(TooManyChecks)
    raise LoginRefused(failure.getErrorMessage()) from None


def _usableHash(user: AdminUser) -> str:
    if user.password is None:
        raise LoginRefused("this user has no password")
    if not isUsableHash(user.password):
        raise LoginRefused("the password of this user is kept as no argon2id hash")
    return user.password

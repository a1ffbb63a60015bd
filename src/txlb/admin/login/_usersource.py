"""
The users of the configuration as a source of logins.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.credentials import ISSHPrivateKey, IUsernamePassword, SSHPrivateKey
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txlb.admin.login._interfaces import ILoginSource
from txlb.admin.login._keychecker import KeyChecker
from txlb.admin.login._login import Login
from txlb.admin.login._passwordchecker import PasswordChecker
from txlb.admin.login._passwords import PasswordChecks
from txlb.admin.login._users import LABEL, Users, loginOf


@implementer(ILoginSource)
class UserSource:
    """
    The users of the configuration, by their passwords and keys.
    """

    label = LABEL
    asksNext = False
    recheck = 0.0
    credentialInterfaces = (IUsernamePassword, ISSHPrivateKey)

    def __init__(self, users: Users, checks: PasswordChecks) -> None:
        self._users = users
        self._passwords = PasswordChecker(users, checks)
        self._keys = KeyChecker(users)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        if isinstance(credentials, SSHPrivateKey):
            return self._keys.requestAvatarId(credentials)
        return self._passwords.requestAvatarId(credentials)

    def again(self, login: Any) -> Deferred[Login]:
        """
        Look for a user again, as its access may be another one.

        @raise LoginRefused: there is no such user any more.
        """
        return succeed(loginOf(self._users.named(login.name.encode("utf-8"))))

    def close(self) -> None:
        """
        Do nothing: there is no connection.
        """

"""
The keys of the users of the configuration.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey, SSHPrivateKey
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txlb.admin.login._authorized import AuthorizedKeysError, KeyFiles
from txlb.admin.login._refused import LoginRefused
from txlb.admin.login._signatures import checkAlgorithm, checkSignature
from txlb.admin.login._users import Users, loginOf
from txlb.config import AdminUser


@implementer(ICredentialsChecker)
class KeyChecker:
    """
    A checker of signatures by one of the user's keys. The file of keys is looked at for each
    try, so that a key can be added or removed at any time.

    The answer takes as long if the user does not exist or has no keys: the file of another
    user is looked at then.
    """

    credentialInterfaces = (ISSHPrivateKey,)

    def __init__(self, users: Users) -> None:
        self._users = users
        self._files = KeyFiles()

    def requestAvatarId(self, credentials: SSHPrivateKey) -> Deferred[Any]:
        """
        Check a key and its signature.

        @return: fires with the login of the user.
        @raise ValidPublicKey: there is no signature, and the key is right.
        @raise LoginRefused: the key or the signature is wrong.
        """
        user = self._authorized(credentials)
        checkSignature(credentials)
        return succeed(loginOf(user))

    def _authorized(self, credentials: SSHPrivateKey) -> AdminUser:
        """
        Return the user whose key it is.
        """
        checkAlgorithm(credentials.algName)
        refusal: LoginRefused | None = None
        user: AdminUser | None = None
        try:
            user = self._users.named(credentials.username)
        except LoginRefused as error:
            refusal = error
        if user is not None and user.authorizedKeys is None:
            refusal = LoginRefused("this user has no authorizedKeys")
        if user is None or user.authorizedKeys is None:
            user = self._users.standIn(credentials.username)
        try:
            found = self._isIn(user, credentials.blob)
        except AuthorizedKeysError as error:
            raise refusal or LoginRefused(str(error)) from None
        if refusal is not None:
            raise refusal
        if not found or user is None:
            raise LoginRefused("the key is not in authorizedKeys")
        return user

    def _isIn(self, user: AdminUser | None, blob: bytes) -> bool:
        path = None if user is None else user.authorizedKeys
        return path is not None and self._files.holds(path, blob)

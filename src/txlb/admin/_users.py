"""
The users of the manhole, and the checks of their passwords and keys.

The checks prove a user's name. The avatar has the access of the user, see
L{txlb.admin._administrator.Administrator}.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator

from twisted.conch.error import ValidPublicKey
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.common import getNS
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import (
    ISSHPrivateKey,
    IUsernamePassword,
    SSHPrivateKey,
    UsernamePassword,
)
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from txlb.admin._authorized import AuthorizedKeysError, KeyFiles, publicKey
from txlb.admin._passwords import PasswordChecks, TooManyChecks, hashCost, isOldHash, isUsableHash
from txlb.admin._securitykey import SECURITY_KEYS, SecurityKeyError, signedBySecurityKey
from txlb.admin._source import LOCAL
from txlb.admin._tries import PasswordTries, TooManyTries
from txlb.config import AdminUser
from txlb.errors import DuplicateName
from txlb.model import checkItems

#: The algorithms of signatures that are accepted; SHA-1 is not among them.
SIGNATURE_ALGORITHMS = (
    b"ssh-ed25519",
    b"sk-ssh-ed25519@openssh.com",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
)

#: Algorithms of signatures for a kind of key, if those differ from the kind: RFC 8332.
_ALGORITHMS = {b"ssh-rsa": {b"rsa-sha2-512", b"rsa-sha2-256"}}


class LoginRefused(UnauthorizedLogin):
    """
    A login that is refused. The message is for the log; clients get no reason.
    """


class Users:
    """
    The users by name.

    @raise DuplicateName: two have the same name.
    """

    def __init__(self, users: Iterable[AdminUser]) -> None:
        self._users: dict[str, AdminUser] = {}
        self._secret = secrets.token_bytes(16)
        self.replace(users)

    def replace(self, users: Iterable[AdminUser]) -> None:
        """
        Replace the users.

        @raise DuplicateName: two have the same name; the old ones stay then.
        @raise ModelError: something among them is no user; likewise.
        """
        named: dict[str, AdminUser] = {}
        for user in checkItems(users, AdminUser, "users"):
            if user.name in named:
                raise DuplicateName(f"there are two users {user.name!r}; each needs its own name")
            named[user.name] = user
        self._users = named

    def __iter__(self) -> Iterator[AdminUser]:
        """
        Iterate over the users, in the order in which they were given.
        """
        return iter(self._users.values())

    def named(self, name: bytes) -> AdminUser:
        """
        Return the user of a name.

        @raise LoginRefused: there is no such user.
        """
        try:
            return self._users[name.decode("utf-8")]
        except (KeyError, UnicodeDecodeError):
            raise LoginRefused("there is no such user") from None

    def standIn(self, name: bytes) -> AdminUser | None:
        """
        Return the user whose file of keys is looked at in place of a user without keys, so
        that clients can't find out which users exist. For one name it is the same each time.

        @return: L{None} if no user has keys.
        """
        withKeys = [user for user in self if user.authorizedKeys is not None]
        if not withKeys:
            return None
        digest = hashlib.blake2b(name, key=self._secret, digest_size=8).digest()
        return withKeys[int.from_bytes(digest, "big") % len(withKeys)]

    def costliestHash(self) -> str | None:
        """
        Return the hash of a user whose check takes the longest; L{None} if no user has a
        usable one.
        """
        hashes = [user.password for user in self if user.password is not None]
        return max(filter(isUsableHash, hashes), key=hashCost, default=None)

    def warnings(self) -> list[str]:
        """
        Return the reasons why users can't log in that seem to be meant to, each with its
        remedy.
        """
        return [warning for user in self if (warning := _warning(user)) is not None]


def _warning(user: AdminUser) -> str | None:
    if user.password is not None and isOldHash(user.password):
        return (
            f"user {user.name!r} can't log in with the password: it is kept as an old crypt(3) "
            "hash; make a new one with: txlb passwd"
        )
    if user.password is not None and not isUsableHash(user.password):
        return (
            f"user {user.name!r} can't log in with the password: the file has no argon2id "
            "hash; make one with: txlb passwd"
        )
    if user.password is None and user.authorizedKeys is None:
        return f"user {user.name!r} can't log in: there is neither a password nor authorizedKeys"
    return None


class PasswordTry(UsernamePassword):
    """
    A password, with its source.

    @ivar source: see L{txlb.admin._source.sourceOf}.
    """

    def __init__(self, username: bytes, password: bytes, source: str = LOCAL) -> None:
        super().__init__(username, password)
        self.source = source


@implementer(ICredentialsChecker)
class PasswordChecker:
    """
    A checker of passwords.

    The answer takes as long as a check also if the user does not exist or has no password.

    @param seconds: the monotonic clock, by which wrong passwords are forgotten.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self, users: Users, checks: PasswordChecks, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._users = users
        self._checks = checks
        self._tries = PasswordTries(seconds)

    def requestAvatarId(self, credentials: UsernamePassword) -> Deferred[bytes | tuple[()]]:
        """
        Check a password.

        @return: fires with the name of the user; fails with L{LoginRefused}.
        """
        name = credentials.username
        source = credentials.source if isinstance(credentials, PasswordTry) else LOCAL
        refusal: LoginRefused | None = None
        user: AdminUser | None = None
        stored: str | None = None
        try:
            self._tries.begin(source, name)
        except TooManyTries as error:
            raise LoginRefused(str(error)) from None
        try:
            user = self._users.named(name)
            stored = _usableHash(user)
        except LoginRefused as error:
            refusal = error

        def decide(matched: bool) -> bytes | tuple[()]:
            if refusal is not None:
                raise refusal
            if user is None or not matched:
                raise LoginRefused("the password is wrong")
            self._tries.wasRight(source, name)
            if self._users.named(name) != user:
                raise LoginRefused("the user was changed while the password was checked")
            return name

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

    def requestAvatarId(self, credentials: SSHPrivateKey) -> Deferred[bytes | tuple[()]]:
        """
        Check a key and its signature.

        @return: fires with the name of the user.
        @raise ValidPublicKey: there is no signature, and the key is right.
        @raise LoginRefused: the key or the signature is wrong.
        """
        name = self._authorized(credentials)
        if not credentials.signature:
            raise ValidPublicKey
        # A key verifies by the algorithm that the signature names. That has to be the one
        # that was offered and allowed.
        if _signedWith(credentials.signature) != credentials.algName:
            raise LoginRefused("the signature is wrong")
        try:
            message = _signed(credentials)
        except SecurityKeyError as error:
            raise LoginRefused(str(error)) from None
        if not _verified(credentials, message):
            raise LoginRefused("the signature is wrong")
        return succeed(name)

    def _authorized(self, credentials: SSHPrivateKey) -> bytes:
        """
        Return the name of the user whose key it is.
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
        if not found:
            raise LoginRefused("the key is not in authorizedKeys")
        name: bytes = credentials.username
        return name

    def _isIn(self, user: AdminUser | None, blob: bytes) -> bool:
        path = None if user is None else user.authorizedKeys
        return path is not None and self._files.holds(path, blob)


def checkAlgorithm(name: bytes) -> None:
    """
    Check the algorithm of a signature.

    @raise LoginRefused: signatures by it are not accepted.
    """
    if name not in SIGNATURE_ALGORITHMS:
        shown = name.decode("ascii", "backslashreplace")[:64]
        raise LoginRefused(f"signatures by {shown} are not accepted")


def _signedWith(signature: bytes) -> bytes:
    try:
        name: bytes = getNS(signature)[0]
    except Exception:  # noqa: BLE001 - if Conch's parser raises, it is no signature
        return b""
    return name


def _signed(credentials: SSHPrivateKey) -> bytes:
    """
    Return the bytes that have to have been signed.
    """
    kind: bytes = getNS(credentials.blob)[0]
    if credentials.algName not in _ALGORITHMS.get(kind, {kind}):
        raise LoginRefused("the signature is not of the kind of the key")
    if kind not in SECURITY_KEYS:
        message: bytes = credentials.sigData
        return message
    # The kind and the point, which on NIST's curve has the curve before it.
    fields = getNS(credentials.blob, 4 if b"ecdsa" in kind else 3)
    return signedBySecurityKey(fields[-2], credentials.sigData, credentials.signature)


def _verified(credentials: SSHPrivateKey, message: bytes) -> bool:
    try:
        return bool(publicKey(credentials.blob).verify(credentials.signature, message))
    except Exception:  # noqa: BLE001 - if verifying raises, it is no signature
        return False


@implementer(IRealm)
class Realm:
    """
    Makes the avatars of users that have proved their names. An avatar has the access
    of its user.

    @param makeUser: makes the L{IConchUser} of a user.
    """

    def __init__(self, users: Users, makeUser: Callable[[AdminUser], object]) -> None:
        self._users = users
        self._makeUser = makeUser

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        """
        Make the avatar of a user.

        @raise LoginRefused: the user was removed since the credentials were checked.
        @raise NotImplementedError: an avatar is wanted that is not a named ssh user.
        """
        if IConchUser not in interfaces or not isinstance(avatarId, bytes):
            raise NotImplementedError("there are ssh users only")
        return IConchUser, self._makeUser(self._users.named(avatarId)), lambda: None

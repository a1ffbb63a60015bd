"""
Who may log in, and why somebody may not.

A prompt can do everything that the process can, so there is no half of it to
give away: only users with full access get in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from twisted.conch.error import ValidPublicKey
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.keys import Key
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
from zope.interface import Interface, implementer

from txlb.admin._authorized import AuthorizedKeysError, readAuthorizedKeys
from txlb.admin._log import log
from txlb.admin._passwords import PasswordChecks, TooManyChecks, hashCost, isOldHash, isUsableHash
from txlb.config import AdminUser
from txlb.errors import DuplicateName

#: What a public key may be signed with; SHA-1 is not among it.
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


class LoginRefused(UnauthorizedLogin):
    """
    Somebody was not let in. The message is for the log; clients are told
    nothing.
    """


class Users:
    """
    The users by name.

    @raise DuplicateName: two have the same name.
    """

    def __init__(self, users: Iterable[AdminUser]) -> None:
        self._users: dict[str, AdminUser] = {}
        self.replace(users)

    def replace(self, users: Iterable[AdminUser]) -> None:
        """
        These are the users from now on.

        @raise DuplicateName: two have the same name; the old ones stay then.
        """
        named: dict[str, AdminUser] = {}
        for user in users:
            if user.name in named:
                raise DuplicateName(f"there are two users {user.name!r}; each needs its own name")
            named[user.name] = user
        self._users = named

    def __iter__(self) -> Iterator[AdminUser]:
        """
        The users, in the order in which they were given.
        """
        return iter(self._users.values())

    def named(self, name: bytes) -> AdminUser:
        """
        @raise LoginRefused: there is no such user.
        """
        try:
            return self._users[name.decode("utf-8")]
        except (KeyError, UnicodeDecodeError):
            raise LoginRefused("there is no such user") from None

    def costliestHash(self) -> str | None:
        """
        The hash of a user whose check takes the longest; L{None} where no user
        has a usable one.
        """
        hashes = [user.password for user in self if user.password is not None]
        return max(filter(isUsableHash, hashes), key=hashCost, default=None)

    def warnings(self) -> list[str]:
        """
        What is wrong with users who can't log in although that seems to be
        meant, and how to mend it.
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
            f"user {user.name!r} can't log in with the password: what is kept is no argon2id "
            "hash; make one with: txlb passwd"
        )
    if user.password is None and user.authorizedKeys is None:
        return f"user {user.name!r} can't log in: there is neither a password nor authorizedKeys"
    return None


def _checkAccess(user: AdminUser) -> bytes:
    if user.access != "full":
        raise LoginRefused(
            f"the access of this user is {user.access}; a Python prompt can't be restricted, so "
            "only users with full access get in"
        )
    return user.name.encode("utf-8")


@implementer(ICredentialsChecker)
class PasswordChecker:
    """
    Lets in who knows the password.

    Whatever is wrong with the user, the answer takes as long as a check does.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, users: Users, checks: PasswordChecks) -> None:
        self._users = users
        self._checks = checks

    def requestAvatarId(self, credentials: UsernamePassword) -> Deferred[bytes | tuple[()]]:
        """
        See L{ICredentialsChecker}. It fails with L{LoginRefused}.
        """
        refusal: LoginRefused | None = None
        user: AdminUser | None = None
        stored: str | None = None
        try:
            user = self._users.named(credentials.username)
            stored = _usableHash(user)
        except LoginRefused as error:
            refusal = error
        try:
            checked = self._checks.matches(stored, credentials.password)
        except TooManyChecks as error:
            raise LoginRefused(str(error)) from None

        def decide(matched: bool) -> bytes | tuple[()]:
            if refusal is not None:
                raise refusal
            if user is None or not matched:
                raise LoginRefused("the password is wrong")
            if self._users.named(credentials.username) != user:
                raise LoginRefused("the user was changed while the password was checked")
            return _checkAccess(user)

        return checked.addCallback(decide)


def _usableHash(user: AdminUser) -> str:
    if user.password is None:
        raise LoginRefused("this user has no password")
    if not isUsableHash(user.password):
        raise LoginRefused("what is kept of this user's password is no argon2id hash")
    return user.password


@implementer(ICredentialsChecker)
class KeyChecker:
    """
    Lets in who has the private key to one of the user's public keys. The file is
    read at each login, so that a key can be added or removed at any time.
    """

    credentialInterfaces = (ISSHPrivateKey,)

    def __init__(self, users: Users) -> None:
        self._users = users

    def requestAvatarId(self, credentials: SSHPrivateKey) -> Deferred[bytes | tuple[()]]:
        """
        See L{ICredentialsChecker}.

        @raise ValidPublicKey: the key would do, if it had signed.
        @raise LoginRefused: it won't do.
        """
        user = self._users.named(credentials.username)
        key = self._authorized(user, credentials)
        name = _checkAccess(user)
        if not credentials.signature:
            raise ValidPublicKey
        # Conch verifies by the algorithm that the signature names, which has to
        # be the one that was offered and allowed.
        if _signedWith(credentials.signature) != credentials.algName or not _verified(
            key, credentials
        ):
            raise LoginRefused("the signature is wrong")
        return succeed(name)

    def _authorized(self, user: AdminUser, credentials: SSHPrivateKey) -> Key:
        if user.authorizedKeys is None:
            raise LoginRefused("this user has no authorizedKeys")
        checkAlgorithm(credentials.algName)
        try:
            keys, problems = readAuthorizedKeys(user.authorizedKeys)
        except AuthorizedKeysError as error:
            raise LoginRefused(str(error)) from None
        for problem in problems:
            log.warn("{problem}", problem=problem)
        for key in keys:
            if key.blob() == credentials.blob:
                return key
        raise LoginRefused("the key is not in authorizedKeys")


def checkAlgorithm(name: bytes) -> None:
    """
    @raise LoginRefused: signatures of this kind are not good enough.
    """
    if name not in SIGNATURE_ALGORITHMS:
        shown = name.decode("ascii", "backslashreplace")[:64]
        raise LoginRefused(f"signatures by {shown} are not accepted")


def _signedWith(signature: bytes) -> bytes:
    try:
        name: bytes = getNS(signature)[0]
    except Exception:  # noqa: BLE001 - whatever Conch's parser does, it is no signature
        return b""
    return name


def _verified(key: Key, credentials: SSHPrivateKey) -> bool:
    try:
        return bool(key.verify(credentials.signature, credentials.sigData))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no signature
        return False


@implementer(IRealm)
class Realm:
    """
    Gives everybody who was let in what they came for.

    @param makeUser: makes the L{IConchUser} of a name.
    """

    def __init__(self, makeUser: Callable[[str], object]) -> None:
        self._makeUser = makeUser

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        """
        See L{IRealm}.

        @raise NotImplementedError: something else than a named ssh user is wanted.
        """
        if IConchUser not in interfaces or not isinstance(avatarId, bytes):
            raise NotImplementedError("there are ssh users only")
        return IConchUser, self._makeUser(avatarId.decode("utf-8")), lambda: None

"""
The users of the configuration.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator

from txlb.admin.login._login import Login
from txlb.admin.login._passwords import hashCost, isOldHash, isUsableHash
from txlb.admin.login._refused import LoginRefused
from txlb.config import AdminUser
from txlb.errors import DuplicateName
from txlb.model import checkItems

#: The label of the source.
LABEL = "user"


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

    def hasAccess(self, name: str, access: str) -> bool:
        """
        Return whether there is a user of a name with an access, or a higher one.
        """
        user = self._users.get(name)
        return user is not None and loginOf(user).covers(access)

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


def loginOf(user: AdminUser) -> Login:
    """
    Return the avatar of a user that has proved its name.
    """
    return Login(user.name, LABEL, (), user.access)

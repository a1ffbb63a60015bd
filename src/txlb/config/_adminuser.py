"""
A user of the administration.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.config._passwordhash import PasswordHash
from txlb.model.kinds import Name, Path, Word
from txlb.model.settings import Since, setting, settingField

#: The rights that a user can have.
ACCESS_WORDS = ("full", "operator", "readonly")


@dataclass(frozen=True, slots=True)
class AdminUser:
    """
    A user that may log in.

    @ivar password: a hash as C{txlb passwd} prints it, or an old crypt(3) hash, with which
        no login succeeds; L{None} for none.
    @ivar authorizedKeys: an absolute path; L{None} for none.
    """

    name: str = field(
        metadata=setting(
            Name("user"), "Its name, the only one of its kind in the file.", since=Since.OLD
        )
    )
    password: str | None = field(
        default=None,
        repr=False,
        metadata=setting(
            PasswordHash(),
            "The hash of the password. No login succeeds with a crypt(3) hash of an old file.",
            defaultDoc="no password",
            since=Since.OLD,
        ),
    )
    authorizedKeys: str | None = settingField(
        None,
        Path(),
        "A file of public keys, as in OpenSSH's ``authorized_keys``.",
        defaultDoc="no keys",
    )
    access: str = settingField(
        "full",
        Word(ACCESS_WORDS),
        "What the user may do: with ``readonly`` look, with ``operator`` also drain hosts, "
        "bring them back and weigh them, with ``full`` everything. Only ``full`` opens the "
        "Python prompt, as nothing can be forbidden there.",
        since=Since.OLD,
    )

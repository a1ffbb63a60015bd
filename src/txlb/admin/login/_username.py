"""
Login names that go to servers.
"""

from __future__ import annotations

from txlb.admin.login._refused import LoginRefused

#: The longest name that is asked for, in characters.
MAX_NAME = 128


def userName(name: bytes) -> str:
    """
    Read a login name before a server is asked.

    @raise LoginRefused: no account has such a name: it is empty, too long, no UTF-8, has a
        character that can't be seen, or begins or ends with a space.
    """
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise LoginRefused("there is no such user") from None
    if not 0 < len(text) <= MAX_NAME or not text.isprintable() or text != text.strip():
        raise LoginRefused("there is no such user")
    return text


def checkPassword(password: bytes) -> None:
    """
    Check a password before a server is asked. A directory takes an empty one for a client that
    wants to be anonymous, and says yes.

    @raise LoginRefused: it is empty, or too long.
    """
    if not password or password.strip(b"\0") == b"":
        raise LoginRefused("the password is empty")
    if len(password) > 1024:
        raise LoginRefused("the password is too long")

"""
Addresses of UNIX sockets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.model.kinds import Account, Mode
from txlb.model.settings import setting

#: Permissions by which only the owner, and root, can connect to a UNIX socket.
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class UNIXAddress:
    """
    A stream socket in the file system. Its mode, user and group are for listeners; the
    address of a host has none.

    @ivar path: at most 107 bytes of printable characters, as the kernel wants it.
    @ivar mode: the permissions of the socket's file, 0 to C{0o777}. To connect takes
        the permission to write.
    @ivar user: the name or the number of the owner of the file; L{None} for
        the user of the process.
    @ivar group: the name or the number of its group; L{None} for the group that a new
        file of the process has there.
    """

    path: str
    mode: int = field(
        default=PRIVATE,
        kw_only=True,
        metadata=setting(Mode(), "The permissions of the socket. Clients need the one to write."),
    )
    user: str | None = field(
        default=None,
        kw_only=True,
        metadata=setting(
            Account("user"),
            "The owner of the socket. Only root can give it to another user.",
            defaultDoc="the user of the process",
        ),
    )
    group: str | None = field(
        default=None,
        kw_only=True,
        metadata=setting(
            Account("group"),
            "The group of the socket. A user other than root can give it only to the user's own "
            "groups.",
            defaultDoc="the group that a new file has there",
        ),
    )

    @property
    def isLiteral(self) -> bool:
        """
        Always: there is nothing to resolve.
        """
        return True

    def __str__(self) -> str:
        return f"unix:{self.path}"

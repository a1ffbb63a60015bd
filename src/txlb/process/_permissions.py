"""
The owner and the mode of a listening UNIX socket's file.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator

from txlb.errors import ListenError
from txlb.model import UNIXAddress

#: The value that keeps an owner or a group.
KEPT = -1

#: The number that no user or group has: C{KEPT} as an unsigned number.
NO_ID = 0xFFFFFFFF


def giveSocket(address: UNIXAddress) -> None:
    """
    Give the file of a bound socket to its user and group. Call this before the socket
    listens: until then no client can connect to it.

    @raise ListenError: the user or group does not exist, the process may not give the
        file to them, or another file has taken its place.
    """
    uid, gid = _ids(address)
    if (uid, gid) == (KEPT, KEPT):
        return
    with _file(address) as where:
        status = os.stat(where)
        if status.st_uid != os.geteuid() or status.st_nlink != 1:
            raise ListenError(str(address), "another file has come into the place of its own")
        try:
            with _fullRights():
                os.chown(where, uid, gid)
        except OSError as error:
            raise _cantGive(address, error) from error


def changeSocket(before: UNIXAddress, after: UNIXAddress) -> None:
    """
    Change the file of a listening socket from the owner and mode of one address to
    those of another. At no moment can a user connect that could connect neither before
    nor after.

    @raise ListenError: the file or the user or group does not exist, or the process may
        not change it. The call with the addresses exchanged undoes a part that was
        done.
    """
    uid, gid = _ids(after)
    with _file(after) as where:
        try:
            if (before.user, before.group) != (after.user, after.group):
                os.chmod(where, before.mode & after.mode)
                try:
                    os.chown(
                        where,
                        os.geteuid() if uid == KEPT and before.user is not None else uid,
                        _usualGroup(after.path)
                        if gid == KEPT and before.group is not None
                        else gid,
                    )
                except OSError as error:
                    raise _cantGive(after, error) from error
            os.chmod(where, after.mode)
        except OSError as error:
            raise ListenError(
                str(after),
                f"its mode can't be changed ({error.strerror}); only root and the file's owner can",
            ) from error


@contextlib.contextmanager
def _file(address: UNIXAddress) -> Iterator[str]:
    """
    Open the file of a socket within the C{with} statement, as a path that still names
    it if another file takes its place. A descriptor that only stands for a file accepts
    neither chmod nor chown itself (open(2)).

    @raise ListenError: the file does not exist, or is no socket.
    """
    with contextlib.ExitStack() as closing:
        try:
            if hasattr(os, "O_PATH"):
                file = os.open(address.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
                closing.callback(os.close, file)
                where, status = f"/proc/self/fd/{file}", os.fstat(file)
            else:
                where, status = address.path, os.lstat(address.path)
        except OSError as error:
            raise ListenError(
                str(address), f"its file can't be changed: {error.strerror}"
            ) from error
        if not stat.S_ISSOCK(status.st_mode):
            raise ListenError(str(address), "there is a file of this name that is no socket")
        yield where


@contextlib.contextmanager
def _fullRights() -> Iterator[None]:
    """
    Take root's rights within the C{with} statement, if the process has only set them
    aside: a socket is made with the rights of the process's later user (see
    L{Owner.rights}), and that user can't give it to another user.
    """
    user = os.geteuid()
    if not user or not hasattr(os, "getresuid") or os.getresuid()[2]:
        yield
        return
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(user)


def _usualGroup(path: str) -> int:
    """
    Return the group that a new file gets there.
    """
    folder = os.stat(os.path.dirname(path) or ".")
    return folder.st_gid if folder.st_mode & stat.S_ISGID else os.getegid()


def _ids(address: UNIXAddress) -> tuple[int, int]:
    """
    Return the numbers of user and group.
    """
    return (
        _id("user", address, address.user, lambda name: pwd.getpwnam(name).pw_uid),
        _id("group", address, address.group, lambda name: grp.getgrnam(name).gr_gid),
    )


def _id(kind: str, address: UNIXAddress, name: str | None, find: Callable[[str], int]) -> int:
    if name is None:
        return KEPT
    try:
        return find(name)
    except KeyError:
        if name.isascii() and name.isdigit() and int(name) < NO_ID:
            return int(name)
        raise ListenError(str(address), f"this machine has no {kind} {name!r}") from None


def _cantGive(address: UNIXAddress, error: OSError) -> ListenError:
    receiver = " and ".join(
        f"{kind} {name!r}"
        for kind, name in (("user", address.user), ("group", address.group))
        if name is not None
    )
    return ListenError(
        str(address),
        f"its file can't be given to {receiver or 'the process'} ({error.strerror}); only root can "
        "give it to another user, and others only to a group that they are in",
    )

"""
Whose the file of a listening UNIX socket is, and who may connect to it.
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

#: What leaves an owner or a group as it is.
KEPT = -1

#: The number that no user or group has, as it is what C{KEPT} becomes.
NO_ID = 0xFFFFFFFF


def giveSocket(address: UNIXAddress) -> None:
    """
    Give the file of a socket that was just bound to its user and group. Do it before
    the socket listens: until then nobody can connect to it.

    @raise ListenError: there is no such user or group, the process may not give it, or
        another file has come into its place.
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
    Change the file of a socket that listens, which is as one address says, to be as
    another one says. At no moment a user can connect who could neither before nor
    after.

    @raise ListenError: it is not there, there is no such user or group, or the process
        may not do it. What was done by then is undone by the call with the addresses
        the other way round.
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
                f"its mode can't be changed ({error.strerror}); only root and the user whom its "
                "file belongs to can",
            ) from error


@contextlib.contextmanager
def _file(address: UNIXAddress) -> Iterator[str]:
    """
    The file of a socket within the C{with} statement, by a path that means it even if
    something else comes into its place. A descriptor that only stands for a file takes
    neither chmod nor chown itself (open(2)).

    @raise ListenError: it is not there, or no socket.
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
    Have root's rights within the C{with} statement, if the process has only laid them
    aside: a socket is made with the rights of the user that the process will be (see
    L{Owner.rights}), and that user could give it to nobody.
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
    The group that a new file has there.
    """
    folder = os.stat(os.path.dirname(path) or ".")
    return folder.st_gid if folder.st_mode & stat.S_ISGID else os.getegid()


def _ids(address: UNIXAddress) -> tuple[int, int]:
    """
    The numbers of user and group.
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
    whom = " and ".join(
        f"{kind} {name!r}"
        for kind, name in (("user", address.user), ("group", address.group))
        if name is not None
    )
    return ListenError(
        str(address),
        f"its file can't be given to {whom or 'the process'} ({error.strerror}); only root can "
        "give it to another user, and others only to a group that they are in",
    )

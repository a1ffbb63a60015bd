"""
Sockets that listen already when the process begins, passed on by systemd's protocol.

Source: sd_listen_fds(3). Twisted's C{systemd:} endpoints are not used: they know one socket
for each name, and they don't say what is wrong with a socket.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import MutableMapping, Sequence

from txlb.errors import ListenError
from txlb.model import InheritedAddress

#: The first of the descriptors (C{SD_LISTEN_FDS_START}).
FIRST = 3

#: The highest number of descriptors that is believed; no unit has so many.
MOST = 4096

#: The environment that this process was started with.
FIRST_ENVIRONMENT = "/proc/self/environ"

#: The name of sockets without a name, as in sd_listen_fds_with_names(3).
NAMELESS = "unknown"

_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


class InheritedSockets:
    """
    The sockets that this process was given. They stay open as long as it lives, because
    systemd keeps them open as well. Listeners get copies.

    @param sockets: pairs of a name and a descriptor, which belongs to this object from here.
    @param why: the reason, if there is none.
    """

    def __init__(self, sockets: Sequence[tuple[str, int]], why: str = "") -> None:
        self._descriptors = list(sockets)
        self._why = why
        self._taken: set[str] = set()
        for _, descriptor in self._descriptors:
            os.set_inheritable(descriptor, False)

    @classmethod
    def fromEnvironment(
        cls, environ: MutableMapping[str, str], first: int = FIRST
    ) -> InheritedSockets:
        """
        Find the sockets that were passed on, and remove the variables from the environment,
        so that no program that this process starts takes the sockets for its own.

        @param environ: the environment.
        @param first: the first descriptor.
        """
        count, pid, names, _ = [environ.pop(name, None) for name in _VARIABLES]
        if count is None or pid is None:
            return cls([], "this process was not started by a socket unit")
        if pid != str(os.getpid()):
            return cls(
                [], f"LISTEN_PID says that they are for process {pid}, and this is {os.getpid()}"
            )
        number = int(count) if count.isascii() and count.isdecimal() and len(count) < 6 else -1
        if not 0 <= number <= MOST:
            return cls([], f"LISTEN_FDS is {count!r}, which is no number of sockets")
        given = names.split(":") if names else []
        if given and len(given) != number:
            return cls(
                [], f"LISTEN_FDS says {number} sockets, and LISTEN_FDNAMES has {len(given)} names"
            )
        given = given or [NAMELESS] * number
        return cls(list(zip(given, range(first, first + number), strict=True)))

    @property
    def names(self) -> list[str]:
        """
        The names of the sockets, each once.
        """
        return list(dict.fromkeys(name for name, _ in self._descriptors))

    @property
    def unused(self) -> list[str]:
        """
        The names of the sockets that no listener has taken.
        """
        return [name for name in self.names if name not in self._taken]

    @property
    def descriptors(self) -> list[tuple[str, int]]:
        """
        Pairs of a name and a descriptor, which stay this object's.
        """
        return list(self._descriptors)

    def take(self, address: InheritedAddress) -> list[socket.socket]:
        """
        Copy the sockets of a name.

        @return: non-blocking, close-on-exec sockets, at least one.
        @raise ListenError: there is no socket of this name, or one does not listen for
            streams.
        """
        found = [number for name, number in self._descriptors if name == address.name]
        if not found:
            raise ListenError(
                str(address), f"systemd has given no socket of this name; {self._there}"
            )
        with contextlib.ExitStack() as copies:
            sockets = [copies.enter_context(_copy(address, number)) for number in found]
            copies.pop_all()
        self._taken.add(address.name)
        return sockets

    @property
    def _there(self) -> str:
        if self.names:
            return f"there are: {', '.join(self.names)}"
        return self._why or "it has given none at all"

    def close(self) -> None:
        """
        Close the sockets.
        """
        for _, descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()


def _copy(address: InheritedAddress, descriptor: int) -> socket.socket:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise ListenError(str(address), f"descriptor {descriptor} is no socket")
        # dup() makes it close-on-exec.
        sock = socket.socket(fileno=os.dup(descriptor))
    except OSError as error:
        raise ListenError(
            str(address), f"descriptor {descriptor} can't be used: {error.strerror}"
        ) from error
    wrong = _problem(sock)
    if wrong:
        sock.close()
        raise ListenError(str(address), f"descriptor {descriptor} {wrong}")
    sock.setblocking(False)
    return sock


def _problem(sock: socket.socket) -> str:
    if sock.type != socket.SOCK_STREAM:
        return "is no stream socket; ListenStream= makes one"
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "is a connection and does not listen; say Accept=no"
    if sock.family not in {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX}:
        return f"is of the family {sock.family}; txlb has clients by IP and in the file system"
    if sock.family == socket.AF_UNIX and not _path(sock).isprintable():
        # The path goes into logs, as the address of each client.
        return f"listens on {_path(sock)!r}, which has characters that can't be printed"
    return ""


def _path(sock: socket.socket) -> str:
    """
    Find the path of a UNIX socket, or its name if it is in no file system.
    """
    return os.fsdecode(sock.getsockname()).removeprefix("\0")


#: The sockets that this process was given; L{None} before they are first asked for.
_inherited: InheritedSockets | None = None


def inheritedSockets() -> InheritedSockets:
    """
    Find the sockets that this process was given. The first call takes them from the
    environment.
    """
    global _inherited  # noqa: PLW0603 - descriptors are the process's as well
    if _inherited is None:
        _inherited = InheritedSockets.fromEnvironment(_environment())
        for name in _VARIABLES:
            os.environ.pop(name, None)
    return _inherited


def inheritFrom(sockets: Sequence[tuple[str, int]]) -> None:
    """
    Take the sockets that the predecessor of this process was given by systemd.

    @param sockets: pairs of a name and a descriptor, which are this process's from here.
    """
    global _inherited  # noqa: PLW0603 - as above
    _inherited = InheritedSockets(sockets, "its predecessor had none")


def _environment() -> dict[str, str]:
    """
    Read the environment as it was when the process began: Twisted removes some of these
    variables when its endpoints are imported.
    """
    found = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    try:
        with open(FIRST_ENVIRONMENT, "rb") as file:
            first = file.read()
    except OSError:
        return found
    for entry in first.split(b"\0"):
        name, _, value = os.fsdecode(entry).partition("=")
        if name in _VARIABLES:
            found.setdefault(name, value)
    return found

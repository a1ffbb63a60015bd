"""
Listening sockets that another process of the application has.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from txlb.cloning._identity import Birth
from txlb.cloning._link import Link, closeAll
from txlb.cloning._rendezvous import CloningError, connectTo
from txlb.process import SocketFile, UntrustedPath
from txlb.wire import GRANTS_VERSION, GrantsError, Hello, Welcome

#: Makes a listening socket. It does not block.
MakeSocket = Callable[[], socket.socket]

#: Seconds to wait for the manager's answer, before the reactor runs.
ANSWER = 2.0


class Inherited:
    """
    The listening sockets that a process gets: from the manager that started it; from the
    manager that is there, if it was started otherwise; or, if it is the first process of
    the application, from nowhere: then they are made. A L{CloneGroup} owns it.

    @param folder: the application's folder.
    @param birth: what the manager told that started this process.
    """

    def __init__(self, folder: str, birth: Birth | None) -> None:
        self._folder = folder
        self._descriptors: dict[str, int] = dict(birth.listeners) if birth else {}
        self._errors = birth.errors if birth else -1
        self._start = birth.start if birth else -1
        if self._start >= 0:
            os.set_inheritable(self._start, False)
        self._asks = birth is None
        self._files: list[SocketFile] = []
        self._names: tuple[str, ...] = ()

    def take(self, name: str, make: MakeSocket, own: bool = True) -> socket.socket:
        """
        Get a socket.

        @param make: makes it, if there is none.
        @param own: whether the file of a UNIX socket is the application's.
        @raise CannotListenError: its address can't be listened on.
        """
        found = self.taken(name)
        sock = make() if found is None else found
        path = sock.getsockname()
        if own and sock.family == socket.AF_UNIX and isinstance(path, str) and path:
            self._files.append(SocketFile(path))
        return sock

    def taken(self, name: str) -> socket.socket | None:
        """
        Get a socket that another process has; L{None} if there is none of this name.
        """
        descriptor = self._descriptors.pop(name, None)
        if descriptor is None:
            return None
        os.set_inheritable(descriptor, False)
        sock = socket.socket(fileno=descriptor)
        sock.setblocking(False)
        return sock

    def ask(self, reactor: object) -> None:
        """
        Ask the manager for them, if there is one and this process was not started by it.

        @raise CloningError: it gives none, or the folder is another user's.
        """
        if not self._asks:
            return
        self._asks = False
        try:
            link = Link(connectTo(self._folder), reactor)
        except (OSError, UntrustedPath):
            return  # this is the first process, or start() tells what is wrong
        try:
            self._descriptors = _askFor(link)
            self._names = tuple(self._descriptors)
        except (OSError, GrantsError) as problem:
            raise CloningError(
                f"folder {self._folder}: process {link.pid} manages there, and gives no "
                f"listening sockets: {problem}"
            ) from None
        finally:
            link.close()

    def check(self, names: tuple[str, ...]) -> None:
        """
        Check that the manager's listeners are those of this process.

        @param names: of the latter.
        @raise CloningError: another application is in the folder.
        """
        if self._names and self._names != names:
            raise CloningError(
                f"folder {self._folder} is in use by an application with the listeners "
                f"{', '.join(self._names)}, and this one has {', '.join(names)}: give each "
                "application a folder of its own"
            )

    def started(self) -> None:
        """
        Close the sockets that no listener of this process wants, and write to the
        standard error of the application from now on.
        """
        self.closeUnused()
        errors, self._errors = self._errors, -1
        if errors >= 0:
            os.dup2(errors, 2)
            os.close(errors)

    def joined(self) -> None:
        """
        Let the start of this process be over: the manager knows it, or it manages.
        """
        start, self._start = self._start, -1
        if start >= 0:
            os.close(start)

    def closeUnused(self) -> None:
        """
        Close the sockets that no listener of this process wants.
        """
        closeAll(list(self._descriptors.values()))
        self._descriptors.clear()

    def close(self, own: bool) -> None:
        """
        Let go of everything.

        @param own: whether to remove the files of UNIX sockets that this process made.
        """
        self.closeUnused()
        self.joined()
        if own:
            for file in self._files:
                with contextlib.suppress(OSError):
                    file.remove()


def _askFor(link: Link) -> dict[str, int]:
    hello = Hello(GRANTS_VERSION, -1, 0, needsSockets=True)
    if link.uid != os.geteuid() or not link.send(hello):
        raise GrantsError(f"it is user {link.uid}'s, or reads nothing")
    message, descriptors = link.receive(ANSWER)
    if isinstance(message, Welcome) and len(descriptors) == len(message.listeners):
        return dict(zip(message.listeners, descriptors, strict=True))
    closeAll(descriptors)
    raise GrantsError(getattr(message, "reason", "the manager gives no sockets"))

"""
The parts of a manhole that live from its start to its stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from twisted.conch.ssh.keys import Key
from twisted.internet.defer import Deferred

from txlb.admin._acceptor import Acceptor
from txlb.admin._channel import Surroundings
from txlb.admin._factory import ManholeFactory
from txlb.admin.login import Logins
from txlb.deadlines import Deadlines

if TYPE_CHECKING:
    import socket

    from txlb.admin._access import Caller


class Running:
    """
    The running parts of a manhole. Owned by a L{txlb.admin.ManholeService}.

    @param namespace: given a function that shows a text, and the caller, makes the names
        that are bound in a session.
    @param acting: given the name of a caller, makes the context in which each of its lines
        runs.
    @ivar factory: makes a protocol for each client.
    """

    def __init__(
        self,
        logins: Logins,
        key: Key,
        namespace: Callable[[Callable[[str], None], Caller], Mapping[str, object]],
        reactor: Any,
        acting: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._deadlines = Deadlines(reactor, time.monotonic)
        surroundings = Surroundings(namespace, self._deadlines, acting)
        self._logins = logins
        logins.start(reactor)
        self.factory = ManholeFactory(logins, surroundings, key, reactor, self._deadlines)
        self._reactor = reactor
        self._acceptors: list[Acceptor] = []

    def accept(self, sockets: Iterable[socket.socket]) -> None:
        """
        Accept clients on listening sockets, and close these sockets at the end.
        """
        for sock in sockets:
            acceptor = Acceptor(sock, self._reactor, self._deadlines, self.factory)
            self._acceptors.append(acceptor)
            acceptor.start()

    def letGo(self) -> None:
        """
        Accept no more. Connections go on.
        """
        acceptors, self._acceptors = self._acceptors, []
        for acceptor in acceptors:
            acceptor.stop()

    def shutDown(self) -> Deferred[None]:
        """
        Accept no more, and close every connection.

        @return: fires with L{None} when all are gone, after three seconds or
            little more. It does not fail.
        """
        self.letGo()
        return self.factory.shutDown()

    def stop(self) -> None:
        """
        End the logins, unless another door needs them, and the timers.
        """
        self._logins.stop()
        self._deadlines.stop()

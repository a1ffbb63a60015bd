"""
The parts of a manhole that live from its start to its stop.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from twisted.conch.ssh.keys import Key
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from txlb.admin._acceptor import Acceptor
from txlb.admin._administrator import Administrator
from txlb.admin._channel import Surroundings
from txlb.admin._factory import ManholeFactory
from txlb.admin._passwords import PasswordChecks
from txlb.admin._users import KeyChecker, PasswordChecker, Realm, Users
from txlb.deadlines import Deadlines

if TYPE_CHECKING:
    import socket

    from txlb.admin._access import Caller

#: The nice value of the thread in which passwords are checked. Clients before their login
#: make it work, and relayed connections must not wait for it.
NICE = 10


class PasswordThread(threading.Thread):
    """
    A thread of low priority. It does not keep a process from ending if the manhole was not
    stopped.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.daemon = True

    def run(self) -> None:
        # On other systems than Linux this changes the whole process. The threads that argon2
        # starts inherit the value.
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        super().run()


class PasswordThreads(ThreadPool):
    """
    A pool of such threads.
    """

    threadFactory = PasswordThread


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
        users: Users,
        key: Key,
        namespace: Callable[[Callable[[str], None], Caller], Mapping[str, object]],
        reactor: Any,
        acting: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._deadlines = Deadlines(reactor, time.monotonic)
        surroundings = Surroundings(namespace, self._deadlines, acting)
        # One thread: a check takes 64 MiB, and a login can wait a moment.
        self._pool = pool = PasswordThreads(0, 1, "txlb-passwords")
        pool.start()
        self._checks = PasswordChecks(
            lambda check: deferToThreadPool(reactor, pool, check), users.costliestHash()
        )
        portal = Portal(
            Realm(users, lambda user: Administrator(user.name, user.access, surroundings)),
            [PasswordChecker(users, self._checks, time.monotonic), KeyChecker(users)],
        )
        self.factory = ManholeFactory(portal, key, reactor, self._deadlines)
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

    def shutDown(self) -> Deferred[None]:
        """
        Accept no more, and close every connection.

        @return: fires with L{None} when all are gone, after three seconds or
            little more. It does not fail.
        """
        acceptors, self._acceptors = self._acceptors, []
        for acceptor in acceptors:
            acceptor.stop()
        return self.factory.shutDown()

    def usersChanged(self, users: Users) -> None:
        """
        Take the cost of a check from other users.
        """
        self._checks.setModel(users.costliestHash())

    def stop(self) -> None:
        """
        End the thread and the timers. It waits for the password that is being
        checked, if any, which takes tens of milliseconds.
        """
        self._checks.stop()
        self._pool.stop()
        self._deadlines.stop()

"""
The signals of a process of a cloned application, and its logs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txlb.cloning._identity import Identity, Role
from txlb.cloning._logfiles import reopenMoved
from txlb.cloning._manager import CloneManager
from txlb.cloning._rendezvous import CloningError

_log = Logger()


class Signalled(Protocol):
    """
    The L{CloneGroup<txlb.cloning.CloneGroup>}, as its signals see it. Its attributes are described
    there.
    """

    manager: CloneManager | None
    identity: Identity

    def roll(self) -> Deferred[int]:
        """
        Replace the clones one by one.
        """
        ...

    def replaceManager(self) -> Deferred[int]:
        """
        Let a fresh process manage.
        """
        ...


class Signals:
    """
    Answers SIGHUP (roll), SIGUSR1 (logs) and SIGUSR2 (a new manager) in a process of a cloned
    application. A L{CloneGroup} owns it.

    @param group: the owner.
    """

    def __init__(self, group: Signalled) -> None:
        self._group = group
        self._reactor: Any = None
        # The handlers that were there before.
        self._handlers: dict[int, Any] = {}

    def start(self, reactor: Any) -> None:
        """
        Answer signals from now on.
        """
        self._reactor = reactor
        group = self._group
        before = signal.getsignal(signal.SIGUSR1)
        self._handlers[signal.SIGUSR1] = before
        signal.signal(signal.SIGUSR1, self._answer(partial(self.reopenLogs, before)))
        for number, call in ((signal.SIGHUP, group.roll), (signal.SIGUSR2, group.replaceManager)):
            self._handlers[number] = signal.signal(number, self._answer(partial(self.ask, call)))

    def _answer(self, call: Callable[[], object]) -> Callable[[int, FrameType | None], object]:
        def handle(_number: int, _frame: FrameType | None) -> None:
            self._reactor.callFromThread(call)

        return handle

    def reopenLogs(self, before: Any) -> None:
        """
        Open logs anew that were moved; or let the handler that was there before rotate them.
        The manager lets the clones do so too. A process that stands by has the manager's log.

        @param before: the handler.
        """
        group = self._group
        if not reopenMoved() and callable(before) and group.identity.role is not Role.STANDBY:
            before(signal.SIGUSR1, None)
        if group.manager is not None:
            # twistd's handler rotates in the next turn.
            self._reactor.callLater(0, self._pass, signal.SIGUSR1)

    def _pass(self, number: int) -> None:
        if self._group.manager is not None:
            self._group.manager.signalAll(number)

    def ask(self, call: Callable[[], Deferred[int]]) -> None:
        """
        Do what a signal asks for. A process that does not manage does nothing. Failures are
        in the log already.
        """
        if self._group.manager is not None:
            try:
                call().addErrback(lambda _: None)
            except CloningError as problem:
                _log.warn("{problem}", problem=problem)

    def stop(self) -> None:
        """
        Leave signals to the handlers that were there before.
        """
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

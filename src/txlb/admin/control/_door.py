"""
Administrators of a cloned application.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from txlb.admin._cloned import ClonedBalancer
from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.admin.control._clients import Clients
from txlb.admin.login import Logins
from txlb.deadlines import Deadlines
from txlb.interfaces import IClones, IControlClients

#: Seconds in which clients have to read their answers when the process ends.
PATIENCE = 0.5


@implementer(IControlClients)
class ClonesDoor:
    """
    The clients of the control socket of a cloned application, which has accepted them. They
    give the commands of the one list, L{txlb.admin.COMMANDS}.

    @param clones: the processes.
    @param reactor: adopts the sockets of the clients.
    @ivar history: the events of the clones.
    """

    def __init__(self, clones: IClones, reactor: Any) -> None:
        self.history = history = History()
        for when, event in clones.past:
            history.add(when, event)
        self._unsubscribe = clones.manager.subscribe(history)
        self._deadlines = deadlines = Deadlines(reactor, time.monotonic)
        target = Target(ClonedBalancer(clones), None, history, deadlines, clones, Logins())
        self._clients = Clients(target, reactor, deadlines)

    def accepted(self, descriptor: int) -> None:
        self._clients.take(descriptor)

    def close(self) -> Deferred[None]:
        self._unsubscribe()
        return self._clients.finish(PATIENCE).addCallback(lambda _: self._deadlines.stop())

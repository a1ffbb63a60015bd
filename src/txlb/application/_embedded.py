"""
The upgrade of a balancer that is a part of another application.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb._reactor import opensSockets, stopReactor
from txlb.application._handedchanges import handedChanges, withChanges
from txlb.application._upgradable import Upgradable
from txlb.application._upgrading import Upgrading
from txlb.cloning import appendToLogs
from txlb.config import Configuration, parseConfiguration
from txlb.deadlines import Deadlines
from txlb.errors import ConfigurationError, TxlbError
from txlb.model import HostMapper, ProxyService, ownedByPeople
from txlb.pool import Event
from txlb.process import OtherPidFile, Supervisor
from txlb.upgrade import ENVIRONMENT, Successor, UpgradeCheck, Upgraded

#: Seconds between two looks whether the process before has ended.
LOOK = 0.1

#: The name of the application in errors.
APPLICATION = "the application"

#: A file to write services into.
_FILE = b"""<config><service name="a"><listen ip="127.0.0.1:1"/><group name="a" enable="yes">
<host name="a" ip="127.0.0.1:1"/></group></service></config>"""

_log = Logger()


class EmbeddingBalancer(Upgradable, Protocol):
    """
    A L{txlb.application.service.LoadBalancedService} in another application.
    """

    def apply(self, services: Iterable[HostMapper | ProxyService]) -> tuple[Event, ...]:
        """
        Make these the services.
        """
        ...


class EmbeddedUpgrading:
    """
    The part for upgrades of a balancer in an application, such as a C{.tac}. SIGUSR2 begins one,
    if the application has no handler for it. The successor is the same application: its balancer
    takes over, and everything else of it begins anew. Owned by the balancer.

    @param balancer: the owner.
    @param reactor: the reactor of the process.
    """

    #: Those of this process that run.
    inProcess: list[EmbeddedUpgrading] = []  # noqa: RUF012 - one list for the process

    def __init__(self, balancer: EmbeddingBalancer, reactor: Any) -> None:
        self._balancer = balancer
        self._reactor = reactor
        self._given: tuple[ProxyService, ...] = tuple(balancer.manager.services.values())
        self._successor: Successor | None = None
        self._pidFile = OtherPidFile()
        # The process whose connections this one takes over.
        self._before = os.getppid()
        self._upgrading: Upgrading | None = None
        self._deadlines: Deadlines | None = None
        self._handler: Any = None
        self._hook: Any = None
        self._whenTakenOver: Callable[[], object] = _nothing

    @staticmethod
    def isSuccessor() -> bool:
        """
        Tell whether this process was started to take over from another one.
        """
        return ENVIRONMENT in os.environ

    @staticmethod
    def isPossible(reactor: Any) -> bool:
        """
        Tell whether a reactor is that of the process.
        """
        return sys.modules.get("twisted.internet.reactor") is reactor and opensSockets(reactor)

    # Life

    def begin(self) -> bool:
        """
        Find the process before, if there is one, before anything is listened on.

        @return: whether there is one.
        @raise TxlbError: it is gone, or speaks another version.
        """
        self._successor = Successor.fromEnvironment(os.environ)
        if self._successor is None:
            return False
        appendToLogs()
        # The rest of the application may fail as well.
        self._hook, sys.excepthook = sys.excepthook, self._failed
        self._balancer.socketsTaken = self._successor.socketsAt
        return True

    def _failed(self, kind: Any, error: Any, traceback: Any) -> None:
        """
        Tell the process before which exception ends this one.
        """
        self.decline(str(error) or kind.__name__)
        self._hook(kind, error, traceback)

    def takeChanges(self) -> None:
        """
        Change the services as they were changed live in the process before.

        @raise txlb.errors.ConfigurationConflict: the application contradicts that.
        """
        successor = self._successor
        if successor is not None and successor.changes:
            changes, successor.changes = successor.changes, {}
            now = tuple(self._balancer.manager.services.values())
            self._balancer.apply(withChanges(_configured(now), changes))

    def start(self, whenTakenOver: Callable[[], object]) -> None:
        """
        Be ready for upgrades, or take over.

        @param whenTakenOver: is called when the connections are here.
        """
        self._whenTakenOver = whenTakenOver
        self._deadlines = Deadlines(self._reactor, self._balancer.manager.seconds)
        # The variables stay, as they are the application's.
        supervisor = Supervisor.fromEnvironment(dict(os.environ))
        self._upgrading = Upgrading(
            self._balancer,
            self._balancer.doors,
            self._pidFile,
            supervisor,
            self._successor,
            self._reactor,
        )
        self._upgrading.leaver = self
        self._upgrading.startService()
        self.inProcess.append(self)
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL:
                self._handler = signal.signal(signal.SIGUSR2, self._usr2)

    def stop(self) -> None:
        """
        Call an upgrade off that is under way, and begin no other one.
        """
        if self._upgrading is not None:
            self._upgrading.stopService()
            self._upgrading = None
            self.inProcess.remove(self)
        if self._deadlines is not None:
            self._deadlines.stop()
            self._deadlines = None
        if self._handler is not None:
            signal.signal(signal.SIGUSR2, self._handler)
            self._handler = None
        self._pidFile.remove()

    def decline(self, reason: str) -> None:
        """
        Tell the process before why this one ends.
        """
        if self._successor is not None:
            self._successor.decline(reason)

    # For the process that has the connections

    def _usr2(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._upgradeBySignal)

    def _upgradeBySignal(self) -> None:
        _log.info("SIGUSR2: another process is to take over")
        with self._balancer.manager.by("signal:SIGUSR2"):
            self.upgrade().addErrback(_tell)

    def upgrade(self) -> Deferred[Upgraded]:
        """
        Let another process of the same command line take over.

        @return: fires and fails as L{Upgrading.upgrade} does.
        """
        upgrading, whyNot = self._upgrading, self._whyNot
        if upgrading is None or whyNot:
            return fail(TxlbError(whyNot))
        # Both processes write to the same files.
        appendToLogs()
        return upgrading.upgrade()

    def check(self) -> UpgradeCheck:
        """
        Tell what would move.

        @raise TxlbError: there can be no upgrade.
        """
        upgrading, whyNot = self._upgrading, self._whyNot
        if upgrading is None or whyNot:
            raise TxlbError(whyNot)
        return upgrading.check()

    @property
    def _whyNot(self) -> str:
        if self._upgrading is None:
            return "the balancer does not run, so it can't be upgraded"
        if len(self.inProcess) > 1:
            return (
                f"{len(self.inProcess)} balancers run in this process, and only a process of one "
                "can be upgraded: give it one balancer with the services of all"
            )
        others = self._otherPorts()
        if others:
            return (
                f"the application itself listens on {', '.join(others)}, which can't be handed "
                "over: let another process serve that, or start the application again instead"
            )
        return ""

    def _otherPorts(self) -> list[str]:
        """
        List where the application listens besides the balancer and its doors.
        """
        own = {sock.fileno() for door in self._balancer.doors for sock in door.listening()[1]}
        readers: list[Any] = self._reactor.getReaders()
        ports: list[Any] = [each for each in readers if IListeningPort.providedBy(each)]
        return sorted(_named(each) for each in ports if each.fileno() not in own)

    def handedChanges(self) -> Deferred[dict[str, object]]:
        """
        Find what was changed live, as C{txlb.application._handedchanges} writes it.

        @return: fires with plain values. It fails with L{TxlbError} if a file can't say it.
        """
        return maybeDeferred(self._changes)

    def _changes(self) -> dict[str, object]:
        running = tuple(self._balancer.manager.services.values())
        if ownedByPeople(running) == ownedByPeople(self._given):
            return {}
        try:
            given = _anyConfiguration().edited(self._given)
        except ConfigurationError as error:
            raise TxlbError(
                "what was changed live can't be handed over, as the application has what a file "
                f"can't say: {error}; change that back, or start the application again instead"
            ) from None
        return handedChanges(given, running)

    def leave(self) -> None:
        """
        End the process, as another one serves. The application stops in its order.
        """
        self._pidFile.leave()
        stopReactor(self._reactor)

    # For the process that takes over

    def takenOver(self) -> None:
        """
        Serve.
        """
        sys.excepthook = self._hook
        self._whenTakenOver()

    def predecessorGone(self) -> None:
        """
        Write the pid file when the process before has ended, as twistd removes it there.
        """
        if self._deadlines is not None and self._pidFile.isWanted:
            if os.getppid() == self._before:
                self._deadlines.after(LOOK, self.predecessorGone)
            else:
                self._pidFile.write()


def _nothing() -> None:
    """
    Do nothing.
    """


def _tell(failure: Failure) -> None:
    failure.trap(TxlbError)
    _log.warn("no upgrade: {problem}", problem=failure.getErrorMessage())


def _named(port: Any) -> str:
    host = port.getHost()
    where = getattr(host, "host", None)
    return str(getattr(host, "name", host)) if where is None else f"{where}:{host.port}"


@functools.cache
def _anyConfiguration() -> Configuration:
    return parseConfiguration(_FILE, APPLICATION, files=False)


def _configured(services: Sequence[ProxyService]) -> Configuration:
    """
    Make a configuration of an application's services.
    """
    return replace(_anyConfiguration(), services=tuple(services))

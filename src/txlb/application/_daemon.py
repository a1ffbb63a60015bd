"""
A balancer with a process of its own, as under C{twistd txlb}.
"""

from __future__ import annotations

import functools
import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb._begin import earlySignals
from txlb._reactor import pickedReactor, stopReactor
from txlb.application._file import dropLogged
from txlb.application._noupgrades import NoUpgrades
from txlb.application._upgrading import Upgrading
from txlb.application.service import LoadBalancedService
from txlb.deadlines import Deadlines
from txlb.errors import TxlbError
from txlb.process import Supervisor

_log = Logger()

_NO_UPGRADES = "this process is not made for upgrades: start it again instead"

#: Signals from a terminal and a supervisor.
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Daemon(MultiService):
    """
    A balancer with its services, and the answer to signals. The first SIGTERM or SIGINT
    begins the graceful stop, after which the process ends with status 0; a second one
    resets every connection. SIGHUP loads the configuration file and the certificates again.
    Without a file,
    SIGHUP means that the terminal was closed, and stops the balancer too. SIGUSR1 does
    nothing here: the owners of log files open them anew.

    @param balancer: the balancer.
    @param before: services that are started before it and stopped after it.
    @param after: services that are started after it and stopped when it has stopped,
        and before C{before}: those by which it is watched and changed.
    @param reactor: by default the global one, from when the service starts.
    @param upgrading: does upgrades, on SIGUSR2 as well; by default there are none.
    @param supervisor: is notified when the balancer serves and when it stops; by
        default none.
    """

    def __init__(
        self,
        balancer: LoadBalancedService,
        before: Sequence[Any] = (),
        after: Sequence[Any] = (),
        reactor: Any = None,
        *,
        supervisor: Supervisor | None = None,
        upgrading: Upgrading | None = None,
    ) -> None:
        super().__init__()
        self._upgrading = upgrading
        self._isLeft = False
        self.supervisor = Supervisor() if supervisor is None else supervisor
        self._deadlines: Deadlines | None = None
        self.balancer = balancer
        self._reactor = reactor
        self._before = list(before)
        self._after = list(after)
        self._signals = 0
        # The state that the supervisor was told last, whether it was ever told that clients
        # are served, and whether it waits for the end of a reload.
        self._told = ""
        self._wasReady = False
        self._reloading = False
        # Whether the file is being loaded, and whether it is loaded once more after that.
        self._loading = self._loadAgain = False
        self._restore: list[Callable[[], object]] = []
        for service in (*self._before, balancer, *self._after):
            service.setServiceParent(self)
        if upgrading is not None:
            upgrading.leaver = self
            balancer.upgrader = upgrading
        elif balancer.upgrader is None:
            balancer.upgrader = NoUpgrades(_NO_UPGRADES)

    def startService(self) -> None:
        """
        Start everything, and answer signals from now on.
        """
        self._reactor = pickedReactor(self._reactor)
        self._takeSignals()
        takesOver = self._upgrading is not None and self._upgrading.takesOver
        if takesOver:
            Service.startService(self)
            for service in self._before:
                service.startService()
            self.balancer.startTakingOver()
        else:
            super().startService()
        self._deadlines = Deadlines(self._reactor, time.monotonic)
        self._told, self._wasReady = "", False
        self.balancer.engine.readiness.follow(self._tellState)
        if not takesOver:
            self._supervise()
        if self._upgrading is not None:
            self._upgrading.startService()
        # The reactor sets handlers of its own when it begins to run.
        self._reactor.callWhenRunning(self._takeSignals)
        self._reactor.callWhenRunning(self.balancer.slices.collector.own)

    def _supervise(self) -> None:
        if self._deadlines is not None:
            self.supervisor.startWatchdog(self._deadlines)
        self._tellState()

    # Upgrades

    def takenOver(self) -> None:
        """
        Serve, as the connections of another process are here.
        """
        self.balancer.tookOver()
        for service in self._after:
            service.startService()

    def predecessorGone(self) -> None:
        """
        Tell the supervisor that this process serves. It has been told by the other one that it
        is the main process.
        """
        self._supervise()

    def leave(self) -> None:
        """
        End, as another process serves. Connections that could not move have the grace time.
        """
        self._isLeft = True
        stopReactor(self._reactor)

    def _upgrade(self) -> None:
        """
        Begin an upgrade, because SIGUSR2 has come. The log tells how it ends.
        """
        _log.info("SIGUSR2: another process is to take over")
        with self.balancer.manager.by("signal:SIGUSR2"):
            self.balancer.upgrade().addErrback(_tellOfUpgrade)

    def _tellState(self) -> None:
        """
        Tell the supervisor that clients are served, or which of them are not, if it has not
        been told so.
        """
        if not self.running or self._loading:
            return
        if self._upgrading is not None and self._upgrading.takesOver:
            return
        whyNot = self.balancer.engine.readiness.whyNot
        reasons = {name: whyNot(name) for name in self.balancer.manager.services}
        waiting = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
        state = f"serving {', '.join(self.balancer.getProxyNames())}"
        if waiting:
            state = f"accepting no clients of {'; '.join(waiting)}"
        if state == self._told:
            return
        self._told = state
        if not waiting or self._reloading:
            # The end of a reload is reported in the same way as readiness.
            self._wasReady = True
            self.supervisor.ready(state)
        else:
            self.supervisor.waiting(state)

    def _takeSignals(self) -> None:
        handlers = dict.fromkeys((*SIGNALS, signal.SIGHUP), self._signal)
        if self.balancer.configuration is not None:
            handlers[signal.SIGHUP] = self._hangup
        if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
            handlers[signal.SIGUSR1] = _ignore
        if self._upgrading is not None:
            handlers[signal.SIGUSR2] = self._usr2
        for number, handler in handlers.items():
            before = signal.signal(number, handler)
            if before != handler:
                self._restore.insert(0, functools.partial(signal.signal, number, before))
        if signal.SIGHUP in earlySignals.came:
            # The signal came when the file had perhaps been read already.
            earlySignals.came.discard(signal.SIGHUP)
            handlers[signal.SIGHUP](signal.SIGHUP, None)

    def _signal(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self.signalled, signal.Signals(number).name)

    def _usr2(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._upgrade)

    def _hangup(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self.reload)

    def reload(self) -> None:
        """
        Load the configuration file again, because SIGHUP has come. If it has an error,
        the log has the error and nothing has changed. If it is being loaded, it is
        loaded once more after that, because it may have been read before it was
        changed.
        """
        if not self.running:
            return
        if self._loading:
            self._loadAgain = True
            return
        _log.info("SIGHUP: loading the configuration file again")
        # A balancer that was not ready before can't become ready again.
        if self._wasReady:
            self.supervisor.reloading()
        self._loading = True
        with self.balancer.manager.by("signal:SIGHUP"):
            loaded = self.balancer.reload()
        # The code of clones may be new as well.
        loaded.addCallback(lambda _: self._roll())
        loaded.addErrback(dropLogged)
        loaded.addBoth(self._reloaded)
        # Also if the file has not changed, or has a fault.
        self.balancer.certificates.reload()

    def _roll(self) -> None:
        """
        Replace the clones. Clients are served meanwhile, so the reload does not wait for it.
        """
        self.balancer.clones.roll().addErrback(_tellOfRoll)

    def _reloaded(self, result: Any) -> Any:
        self._loading = False
        self._told, self._reloading = "", self._wasReady
        self._tellState()
        self._reloading = False
        if self._loadAgain:
            self._loadAgain = False
            self.reload()
        return result

    def signalled(self, name: str) -> None:
        """
        Stop, because a signal to end has come. If the balancer is stopping already,
        also for another reason, end the grace time.

        @param name: the signal's name, such as C{SIGTERM}.
        """
        self._signals += 1
        if self._signals == 1 and self.running:
            _log.info("{name}: stopping; once more closes all connections", name=name)
            self._reactor.stop()
        else:
            _log.warn("{name} while stopping: closing all connections", name=name)
            self.balancer.abortConnections()

    def stopService(self) -> Deferred[None]:
        """
        Stop the balancer, then the services by which it is watched, then the rest.

        @return: fires with L{None} when all have stopped. It fails as the first of them
            does.
        """
        self.running = 0
        if self._upgrading is not None:
            self._upgrading.stopService()
        if not self._isLeft:
            self.supervisor.stopping("letting connections end")
        stopped: Deferred[Any] = maybeDeferred(self.balancer.stopService)
        stopped.addCallback(lambda _: _stopAll(self._after))
        stopped.addCallback(lambda _: _stopAll(self._before))
        stopped.addCallback(lambda _: None)
        return stopped.addBoth(self._release)

    def _release(self, result: Any) -> Any:
        for restore in self._restore:
            restore()
        self._restore.clear()
        self.supervisor.stopWatchdog()
        self.balancer.slices.collector.leave()
        if self._deadlines is not None:
            self._deadlines.stop()
            self._deadlines = None
        return result


def _tellOfRoll(failure: Failure) -> None:
    failure.trap(TxlbError)
    _log.warn("{problem}", problem=failure.getErrorMessage())


def _tellOfUpgrade(failure: Failure) -> None:
    failure.trap(TxlbError)
    _log.warn("no upgrade: {problem}", problem=failure.getErrorMessage())


def _ignore(number: int, frame: FrameType | None) -> None:
    """
    Do nothing. The default would kill the process.
    """


def _stopAll(services: Sequence[IService]) -> Deferred[Any]:
    stopping = [maybeDeferred(service.stopService) for service in services]
    return gatherResults(stopping, consumeErrors=True)

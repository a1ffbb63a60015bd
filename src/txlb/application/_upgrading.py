"""
The upgrade of a balancer with a process of its own.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from txlb._reactor import pickedReactor
from txlb.application._upgradable import Door, Upgradable
from txlb.deadlines import Deadlines
from txlb.errors import TxlbError
from txlb.process import Collector, OtherPidFile, PidFile, Supervisor
from txlb.proxy import Frontend, Loop, inheritedSockets
from txlb.upgrade import (
    BEGINNING,
    SESSIONS,
    Predecessor,
    Successor,
    UpgradeCheck,
    Upgraded,
)

#: Seconds between two looks whether sessions have ended.
LOOK = 0.2

_log = Logger()


class Leaver(Protocol):
    """
    The service of the process.
    """

    def leave(self) -> None:
        """
        End the process, as another one serves.
        """

    def takenOver(self) -> None:
        """
        Start the rest, as the connections are here.
        """

    def predecessorGone(self) -> None:
        """
        Tell the supervisor that this process serves.
        """


class Upgrading(Service):
    """
    The part of a process in an upgrade: it gives the balancer away, or takes one over. Owned by
    the L{txlb.application.Daemon}.

    @param balancer: the balancer.
    @param doors: the services with listeners of their own.
    @param pidFile: the pid file; L{None} for none.
    @param supervisor: its variables are given to the successor.
    @param successor: what takes over; L{None} if this process has no predecessor.

    @ivar leaver: the service of the process, which sets this.
    """

    name = "upgrading"

    def __init__(
        self,
        balancer: Upgradable,
        doors: Sequence[Door] = (),
        pidFile: PidFile | OtherPidFile | None = None,
        supervisor: Supervisor | None = None,
        successor: Successor | None = None,
        reactor: Any = None,
    ) -> None:
        self._balancer = balancer
        self._doors = doors
        self._pidFile = pidFile
        self._supervisor = Supervisor() if supervisor is None else supervisor
        self._successor = successor
        self._reactor = reactor
        self._deadlines: Deadlines | None = None
        self._predecessor: Predecessor | None = None
        self._isReady = False
        self._until: float | None = None
        self._changes: Mapping[str, Any] = {}
        self.leaver: Leaver | None = None

    @property
    def takesOver(self) -> bool:
        """
        Whether another process still has the connections.
        """
        return self._successor is not None

    # Both

    @property
    def loop(self) -> Loop | None:
        return self._balancer.engine.loop

    def startService(self) -> None:
        """
        Begin.
        """
        super().startService()
        self._reactor = pickedReactor(self._reactor)
        self._deadlines = Deadlines(self._reactor, time.monotonic)
        self._predecessor = Predecessor(self, self._reactor, self._deadlines)
        if self._successor is not None:
            self._balancer.engine.readiness.follow(self._look)
            self._reactor.callWhenRunning(self._look)

    def stopService(self) -> None:
        """
        Call an upgrade off that is under way.
        """
        super().stopService()
        if self._predecessor is not None:
            self._predecessor.stop()
            self._predecessor = None
        if self._deadlines is not None:
            self._deadlines.stop()
            self._deadlines = None

    # Giving

    def upgrade(self) -> Deferred[Upgraded]:
        """
        Let another process of the same command line take over. See L{Predecessor.begin}.

        @return: fires and fails as that does. It fails with L{TxlbError} if that can't begin now.
        """
        predecessor, whyNot = self._predecessor, self._whyNot
        if predecessor is None or whyNot:
            return fail(TxlbError(whyNot))
        if predecessor.isUnderWay:
            return predecessor.begin()
        return Deferred.fromCoroutine(self._upgrade(predecessor))

    async def _upgrade(self, predecessor: Predecessor) -> Upgraded:
        """
        Hand everything over. What is changed meanwhile would be lost, so that changes are refused.
        """
        release = self._balancer.hold()
        try:
            self._changes = await self._balancer.handedChanges()
            return await predecessor.begin()
        except BaseException:
            release()
            raise

    @property
    def _whyNot(self) -> str:
        """
        The reason why no upgrade can begin; empty if one can.
        """
        if self._predecessor is None or not self.running:
            return "the process does not serve, so nothing can be upgraded"
        if self._successor is not None:
            return "an upgrade is under way already: this process takes over"
        if self._balancer.clones.isRolling:
            return "clones are being replaced; wait for the end of that"
        return ""

    def check(self) -> UpgradeCheck:
        """
        Tell what would move if this process were upgraded now, and what could not.

        @raise TxlbError: it can't be upgraded.
        """
        if self._whyNot:
            raise TxlbError(self._whyNot)
        moves, stays = 0, dict[str, int]()
        for frontend in self.frontends:
            if frontend.beginning:
                stays[BEGINNING] = stays.get(BEGINNING, 0) + frontend.beginning
            for _, connection in frontend.moving.connections():
                if connection.whyStays:
                    stays[connection.whyStays] = stays.get(connection.whyStays, 0) + 1
                else:
                    moves += 1
        if self.sessions:
            stays[SESSIONS] = self.sessions
        return UpgradeCheck([address for address, _ in self.listening()], moves, stays)

    @property
    def sessions(self) -> int:
        return sum(door.sessions for door in self._doors)

    @property
    def pidFile(self) -> str:
        return "" if self._pidFile is None else self._pidFile.path

    @property
    def frontends(self) -> Sequence[Frontend]:
        return self._balancer.engine.allFrontends

    @property
    def collector(self) -> Collector:
        return self._balancer.slices.collector

    @property
    def environment(self) -> Mapping[str, str]:
        return self._supervisor.environment

    def listening(self) -> Sequence[tuple[str, Sequence[socket.socket]]]:
        doors = [door.listening() for door in self._doors]
        return [*self._balancer.listening(), *(each for each in doors if each[1])]

    def inherited(self) -> Sequence[tuple[str, int]]:
        return inheritedSockets().descriptors

    @property
    def changes(self) -> Mapping[str, Any]:
        return self._changes

    def keptAhead(self) -> Iterator[Mapping[str, Any]]:
        return self._balancer.keptAhead()

    def keptRest(self) -> Mapping[str, Any]:
        return self._balancer.keptRest()

    def handedOver(self, pid: int, listeners: Collection[str]) -> None:
        self._balancer.letGo(listeners)
        self._balancer.clones.letGo()
        for door in self._doors:
            address = door.listening()[0]
            # The successor was given the sockets from systemd in another way.
            if not address or address in listeners:
                door.letGo()
        if self._pidFile is not None:
            self._pidFile.leave()
        self._supervisor.mainProcess(pid)
        self._supervisor.leave()

    def leave(self) -> None:
        """
        Leave when the sessions have ended, after the grace time at the latest.
        """
        deadlines = self._deadlines
        if deadlines is None or self.leaver is None:
            return
        if self._until is None:
            self._until = deadlines.seconds() + self._balancer.graceTime
        if not self.sessions or deadlines.seconds() >= self._until:
            self.leaver.leave()
        else:
            deadlines.after(LOOK, self.leave)

    # Taking

    def _look(self) -> None:
        """
        Tell the predecessor once that this process could serve.
        """
        successor, readiness = self._successor, self._balancer.engine.readiness
        if successor is None or self._isReady or not self._reactor.running:
            return
        if all(readiness.accepts(name) for name in self._balancer.manager.services):
            self._isReady = True
            successor.ready(self, self._reactor)

    @property
    def services(self) -> Sequence[str]:
        return list(self._balancer.manager.services)

    def frontendOf(self, serviceName: str) -> Frontend | None:
        return self._balancer.engine.frontendOf(serviceName)

    def restoreState(self, state: Mapping[str, Any]) -> None:
        self._balancer.restoreState(state)

    def restored(self) -> None:
        self._balancer.restored()

    def serve(self) -> None:
        if self.leaver is not None:
            self.leaver.takenOver()

    def predecessorGone(self) -> None:
        successor, self._successor = self._successor, None
        if successor is not None and successor.pidFile and self._pidFile is not None:
            self._pidFile.takeOver(successor.pidFile)
        if self.leaver is not None:
            self.leaver.predecessorGone()

"""
The clones of one group of a balancer.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txlb._reactor import stopReactor
from txlb.cloning._balancerhosts import BalancerHosts
from txlb.cloning._granter import TakeConnection
from txlb.cloning._identity import Told
from txlb.cloning._inheritedsockets import placeNamed
from txlb.cloning._link import Link, closeAll
from txlb.cloning._listener import SharedListener
from txlb.cloning._listenersettings import ADMISSION, ListenerSettings
from txlb.cloning._manager import CloneManager
from txlb.cloning._passing import PassedClient
from txlb.cloning._processrows import ProcessRow, processRows
from txlb.cloning._rendezvous import CloningError, Rendezvous
from txlb.cloning._settings import CloneSettings, processCount
from txlb.cloning._sharing import Sharing, sharingNamed
from txlb.cloning._spawner import Spawner
from txlb.manager import ProxyManager
from txlb.model import CloneSet, ProxyGroup, ProxyService
from txlb.process import sameCommand
from txlb.wire import GRANTS_VERSION, Hello, Message, Quit, Refused, Take

#: The option of C{twistd txlb} by which a process becomes a clone.
OPTION = "--clone"

#: The program of a clone, if the balancer was not started as C{twistd txlb}.
_TWISTD = "from twisted.scripts.twistd import run; run()"

#: Seconds between two tries to find the process that manages.
RETRY = 0.01

#: Seconds in which clones of a balancer that died may come to the new one.
REUNION = 2.0

#: Seconds in which another process of the balancer comes to manage the clones, in an upgrade.
HAND_OVER = 10.0

#: Seconds between two looks whether the last clone has ended, and seconds more than the grace
#: time after which those that have not are killed.
LOOK = 0.05
LAST = 1.0

_log = Logger()


@dataclass(frozen=True)
class FleetPlace:
    """
    Where clones belong.

    @ivar folder: the path of the folder where they meet.
    @ivar service: the name of the service.
    @ivar group: the name of its group.
    @ivar tac: the absolute path of the application.
    @ivar passed: the names of the listening sockets whose connections the balancer accepts, and
        passes, as it reads what clients send first.
    @ivar sharing: how they share the connections, the word of the setting.
    @ivar heir: whether clones start the balancer anew if it dies; one group of a balancer is
        enough for that.
    @ivar log: the log file of the balancer; empty if clones write to its standard output.
    """

    folder: str
    service: str
    group: str
    tac: str
    heir: bool = False
    log: str = ""
    sharing: str = "grants"
    passed: frozenset[str] = frozenset()

    def beside(self, number: int) -> FleetPlace:
        """
        Make the place of clones that come before former ones have ended.
        """
        return replace(self, folder=f"{self.folder}.{number}")


class Fleet:
    """
    The clones of one group of a balancer: processes of one application, which accept the
    connections of the group's service. The process of the balancer manages them, as a
    L{CloneManager}. If it dies, they accept by themselves, one of them manages for a while,
    and starts the balancer again; see L{Told}.

    @param place: where they belong.
    @param sockets: the listening sockets, with the name of each; they stay the caller's.
    @param pools: the manager of the balancer.
    @param take: takes connections of hosts that are no clones.
    @param reactor: runs.
    @param seconds: a monotonic clock.
    @param makeRendezvous: opens the folder.
    @param makeSpawner: makes what starts processes, of a reactor and a way to make their
        command lines.
    @ivar manager: manages the clones; L{None} before it does.
    @ivar whenManages: is called when it does.
    """

    def __init__(
        self,
        place: FleetPlace,
        sockets: Sequence[tuple[str, socket.socket]],
        pools: ProxyManager,
        take: TakeConnection,
        reactor: Any,
        seconds: Callable[[], float] = time.monotonic,
        makeRendezvous: Callable[[str], Rendezvous] = Rendezvous,
        makeSpawner: Callable[..., Spawner] = Spawner,
    ) -> None:
        self.place = place
        self.manager: CloneManager | None = None
        self.whenManages: Callable[[], object] = _nothing
        self._pools = pools
        self._hosts = BalancerHosts(pools, place.service, place.group)
        self._take = take
        self._reactor = reactor
        self._seconds = seconds
        self._makeRendezvous = makeRendezvous
        self._spawner = makeSpawner(reactor, self._command)
        self._rendezvous: Rendezvous | None = None
        self._call: Any = None
        self._over: Deferred[None] | None = None
        self._deadline = 0.0
        self._settings = self._settingsNow()
        self._listeners = [
            SharedListener(name, sock.dup(), Factory(), reactor, self._listening(name))
            for name, sock in sockets
        ]
        for each in self._listeners:
            each.sock.setblocking(False)

    # What is configured

    @property
    def _service(self) -> ProxyService:
        return self._pools.getService(self.place.service)

    @property
    def _group(self) -> ProxyGroup:
        return self._pools.getGroup(self.place.service, self.place.group)

    def _clones(self) -> CloneSet:
        clones = self._group.clones
        if clones is None:
            raise CloningError(f"group {self.place.group} of {self.place.service} has no clones")
        return clones

    def _settingsNow(self) -> CloneSettings:
        clones = self._clones()
        return CloneSettings(processCount(clones.processes), clones.graceTime, standby=False)

    def _listening(self, name: str) -> ListenerSettings:
        sharing = sharingNamed(self.place.sharing)
        if name in self.place.passed:
            sharing = Sharing.PASSED
        return ListenerSettings(self._group, self._service, self._clones().maxConnections, sharing)

    def _told(self) -> Told:
        service = self._service
        return Told(
            sameCommand(sys.argv, sys.orig_argv) if self.place.heir else [],
            {
                "processes": self._settings.processes,
                "graceTime": self._settings.graceTime,
                "scheduler": self._group.scheduler,
                "maxConnections": self._clones().maxConnections,
                "sharing": self.place.sharing,
                "passed": sorted(self.place.passed),
                "admission": {name: getattr(service, name) for name in ADMISSION},
            },
        )

    def _command(self, arguments: list[str], original: list[str], name: str) -> list[str]:
        if "txlb" in arguments:
            # Without what this process was told to balance.
            end = arguments.index("txlb")
            rest = len(arguments) - end
            head = sameCommand(arguments[:end], original[: len(original) - rest], name)
        else:
            head = [sys.executable, "-c", _TWISTD, "--nodaemon", "--pidfile="]
        if self.place.log and not any(each.startswith("--logfile=") for each in head):
            head.append(f"--logfile={self.place.log}.{name}")
        return [*head, "txlb", f"{OPTION}={self.place.tac}"]

    # Life

    def start(self) -> None:
        """
        Manage the clones that are there, and start those that are missing.

        @raise CloningError: the folder can't be used.
        """
        self._rendezvous = self._makeRendezvous(self.place.folder)
        self._find()

    def _find(self) -> None:
        """
        Manage, if no process does; or take over from the clone that does.
        """
        self._call = None
        rendezvous = self._rendezvous
        if rendezvous is None:
            return
        if rendezvous.tryLock():
            rendezvous.begin()
            self._manage(0.0)
            return
        try:
            link = Link(rendezvous.connect(), self._reactor)
        except OSError:
            self._call = self._reactor.callLater(RETRY, self._find)
            return
        if link.uid != os.geteuid():
            link.close()
            self._call = self._reactor.callLater(RETRY, self._find)
            return

        def received(message: Message, descriptors: list[int]) -> None:
            closeAll(descriptors)
            if isinstance(message, Take):
                self._takeOver(link)
            elif isinstance(message, (Quit, Refused)):
                link.close()
                self._refused(link.pid)

        link.start(received, self._again)
        names = tuple(each.name for each in self._listeners)
        link.send(Hello(GRANTS_VERSION, -1, 0, True, listeners=names))

    def _again(self) -> None:
        if self._over is None and self._call is None:
            self._call = self._reactor.callLater(RETRY, self._find)

    def _refused(self, pid: int) -> None:
        _log.error(
            "folder {folder}: process {pid} manages these clones; this process ends",
            folder=self.place.folder,
            pid=pid,
        )
        stopReactor(self._reactor)

    def _takeOver(self, link: Link) -> None:
        rendezvous = self._rendezvous
        if rendezvous is not None and rendezvous.tryLock():
            self._manage(REUNION)
            # The former manager lets go of its clones if this connection ends.
            link.close()
        else:
            link.close()
            self._again()

    def _manage(self, patience: float, generation: int = 0) -> None:
        rendezvous = self._rendezvous
        if rendezvous is None:
            return
        self.manager = CloneManager(
            rendezvous,
            self._listeners,
            self._settings,
            self._spawner,
            generation,
            self._reactor,
            self._seconds,
            self._hosts,
            self._take,
            self._told(),
        )
        self.manager.start(patience)
        self.whenManages()
        _log.info(
            "process {pid} manages {count} clones of {service}/{group}: {tac}",
            pid=os.getpid(),
            count=self._settings.processes,
            service=self.place.service,
            group=self.place.group,
            tac=self.place.tac,
        )

    def isAt(self, place: FleetPlace, names: Sequence[str]) -> bool:
        """
        Tell whether these are the clones for a place, and for listening sockets of these
        names.
        """
        own = replace(self.place, folder=place.folder, heir=place.heir)
        return own == place and [each.name for each in self._listeners] == list(names)

    def follow(self) -> None:
        """
        Be as the group is configured now.
        """
        settings, manager = self._settingsNow(), self.manager
        before = self._listeners[0].settings
        for each in self._listeners:
            each.settings = self._listening(each.name)
        same = _shown(before) == _shown(self._listeners[0].settings)
        changed, self._settings = settings != self._settings, settings
        if manager is None:
            return
        if same and changed:
            manager.follow(settings)
        elif not same:
            # The clones come to the new one. They accept by themselves meanwhile.
            waiting = manager.takeWaiting()
            manager.stop()
            manager.forget()
            manager.close()
            self._manage(REUNION, manager.generation)
            if self.manager is not None:
                self.manager.follow(settings)
                for number, client in waiting:
                    self.manager.passOn(number, client)

    def roll(self) -> Deferred[int]:
        """
        Replace the clones one by one by ones that run what the application's files say now.

        @return: fires with the new generation. It fails with a L{CloningError} if a new clone
            does not start, if this process does not manage them, or if that is under way
            already.
        """
        return Deferred.fromCoroutine(self._roll())

    async def _roll(self) -> int:
        # Clones of a former manager are replaced as well: they may be on their way.
        ends = self._seconds() + 2 * REUNION
        while not self._isComplete and self._seconds() < ends:
            await deferLater(self._reactor, LOOK)
        if self.manager is None:
            raise CloningError("another process still manages the clones; try it again")
        return await self.manager.roll().wait()

    @property
    def _isComplete(self) -> bool:
        return self._over is not None or (self.manager is not None and self.manager.isComplete)

    def passOn(self, place: str, client: PassedClient) -> bool:
        """
        Pass on a connection that the balancer has accepted and that is admitted.

        @param place: the address of the listener where it came in.
        @return: whether it is taken. If not, it is still the balancer's.
        """
        if self.manager is None:
            return False
        places = [placeNamed(each.name) for each in self._listeners]
        number = places.index(place) if place in places else 0
        return self.manager.passOn(number, client)

    @property
    def whyPassed(self) -> str | None:
        """
        The reason why this process accepts the connections of clones and passes them; empty
        if clones accept by permits; L{None} if this process does not manage them yet.
        """
        if self.manager is None:
            return None
        # All listeners have the settings of their service.
        return next(iter(self.manager.passed.values()), "")

    def processes(self) -> Iterator[ProcessRow]:
        """
        Yield a row for each process, with the names of its service and group; none if this
        process does not manage them yet.
        """
        if self.manager is not None:
            for row in processRows(self.manager):
                yield {**row, "service": self.place.service, "group": self.place.group}

    @property
    def isRolling(self) -> bool:
        """
        Whether the clones are being replaced.
        """
        return self.manager is not None and self.manager.isRolling

    def letGo(self) -> Deferred[None]:
        """
        Let the next process of the balancer manage the clones, which is about to come for them.
        Until then this one manages. If none comes within L{HAND_OVER} seconds, as the next one does
        not want these clones, they finish what they have, and end.

        @return: fires with L{None} when another process manages them, or they have ended. It does
            not fail.
        """
        manager = self.manager
        if manager is None or self._over is not None:
            return self.stop()
        over = self._over = Deferred()
        self._call = self._reactor.callLater(HAND_OVER, self._noneCame)
        manager.whenHeir = partial(self._heirCame, manager)
        manager.starts.awaitHeir()
        return over

    def _noneCame(self) -> None:
        self._call = None
        _log.info(
            "no process has come for the clones of {service}/{group}, so they end",
            service=self.place.service,
            group=self.place.group,
        )
        self._end()

    def _heirCame(self, manager: CloneManager, link: Link) -> None:
        if self._call is None:
            link.close()
            return
        self._call.cancel()
        self._call = None
        # Of connections that wait for a clone with room the next process knows nothing.
        waiting = manager.takeWaiting()
        for _, client in waiting:
            os.close(client.fd)
        if waiting:
            _log.warn(
                "{count} connections that waited for a clone of {service}/{group} with room are "
                "closed, as another process manages",
                count=len(waiting),
                service=self.place.service,
                group=self.place.group,
            )
        manager.handOver(link, partial(self._handedOver, manager))

    def _handedOver(self, manager: CloneManager) -> None:
        """
        Let the clones look for the next process, which manages now.
        """
        manager.forget()
        manager.close()
        for each in self._listeners:
            each.close()
        self._gone()

    def stop(self) -> Deferred[None]:
        """
        Let the clones finish what they have, and end.

        @return: fires with L{None} when they have, or were killed after the grace time. It
            does not fail.
        """
        over = self._over
        if over is None:
            over = self._over = Deferred()
            if self._call is not None:
                self._call.cancel()
                self._call = None
            self._end()
        return over

    def _end(self) -> None:
        self._deadline = self._seconds() + self._settings.graceTime
        if self._rendezvous is not None and self.manager is not None:
            self._rendezvous.end()
            self.manager.quit()
        for each in self._listeners:
            each.close()
        self._look()

    def _look(self) -> None:
        self._call = None
        manager, now = self.manager, self._seconds()
        if manager is not None and manager.records and now < self._deadline + 2 * LAST:
            if now >= self._deadline + LAST:
                manager.killAll()
            self._call = self._reactor.callLater(LOOK, self._look)
            return
        if manager is not None:
            manager.forget()
            manager.close()
        self._hosts.clear()
        self._gone()

    def _gone(self) -> None:
        rendezvous, self._rendezvous = self._rendezvous, None
        if rendezvous is not None:
            rendezvous.close()
        if self._over is not None:
            self._over.callback(None)


def _nothing() -> None:
    pass


def _shown(settings: ListenerSettings) -> tuple[object, ...]:
    """
    Tell what of the settings the manager of clones was made with.
    """
    admission = tuple(getattr(settings.service, name) for name in ADMISSION)
    return settings.whyPassed, admission, settings.maxConnections

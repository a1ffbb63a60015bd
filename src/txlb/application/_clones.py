"""
The clones of a balancer's groups.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.logger import Logger

from txlb.cloning import (
    MOST_WAITING,
    CloningError,
    Fleet,
    FleetPlace,
    InheritedSockets,
    PassedClient,
    Wanted,
    placeNamed,
    residentMemory,
    socketName,
)
from txlb.errors import UnknownName
from txlb.model import ListenAddress, ProxyGroup, ProxyService, placeOf
from txlb.pool import Event, HostPool, Lease, Outcome
from txlb.proxy import ClientConnection, Frontend, SocketListener

if TYPE_CHECKING:
    from txlb.application._listener import ProxyListener
    from txlb.application._runs import Runs

#: The folder of the folders in which clones meet, if the system has given none.
RUN = "run"

#: Seconds after which clones are tried again whose folder could not be used.
PAUSE = 5.0

_log = Logger()


@dataclass(frozen=True)
class Rolled:
    """
    Clones that were replaced.

    @ivar service: the name of their service.
    @ivar group: the name of its group.
    @ivar generation: the release of the application that serves now, counted from 0.
    """

    service: str
    group: str
    generation: int


class ClonesService(Service):
    """
    Has a L{Fleet} for each service whose serving group has clones. The listeners of such a
    service leave their connections to the fleet. Owned by its balancer.

    Relative paths of applications begin at the folder of the configuration file; without one,
    at the working directory.
    """

    def __init__(self, balancer: Runs) -> None:
        self._balancer = balancer
        self._fleets: dict[str, Fleet] = {}
        # Former ones, whose clones finish what they have.
        self._ending: dict[Fleet, Deferred[None]] = {}
        self._rolling: Deferred[list[Rolled]] | None = None
        self._count = 0
        # Whether another process of the balancer manages them, or is about to.
        self._isLeft = False
        # When services whose clones could not be started are tried again.
        self._notBefore: dict[str, float] = {}
        self._call: Any = None
        self._unsubscribe: Any = None
        self._inherited: InheritedSockets | None = None

    # What is configured

    @property
    def _services(self) -> list[tuple[ProxyService, ProxyGroup]]:
        """
        The services whose serving group has clones, and these groups.
        """
        manager = self._balancer.manager
        found = ((each, manager.servingGroup(each.name)) for each in manager.services.values())
        return [(service, group) for service, group in found if group.clones is not None]

    def _base(self) -> str:
        file = self._balancer.configuration
        return os.getcwd() if file is None else os.path.dirname(file.path)

    def _folderOf(self, service: str, group: str) -> str:
        run = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        return os.path.join(run or os.path.join(self._base(), RUN), f"{service}-{group}")

    def _placeOf(self, service: ProxyService, group: ProxyGroup, heir: bool) -> FleetPlace:
        tac = "" if group.clones is None else group.clones.tac
        file = self._balancer.configuration
        log = None if file is None else file.logging
        return FleetPlace(
            self._folderOf(service.name, group.name),
            service.name,
            group.name,
            os.path.join(self._base(), tac),
            heir,
            "" if log is None else log.file,
            "grants" if group.clones is None else group.clones.sharing,
            frozenset(
                socketName(each.configured.place, number)
                for each, listener in self._socketListeners(service.name)
                if self._readsFirst(each)
                for number, _ in enumerate(listener.sockets)
            ),
        )

    def _readsFirst(self, listener: ProxyListener) -> bool:
        """
        Tell whether something is read of a connection of a listener before it is known where it
        goes: by its own settings, or as another service has a listener at the same place.
        """
        configured = listener.configured
        services = self._balancer.manager.services.values()
        places = [each.place for service in services for each in service.listeners]
        return configured.hasPreface or places.count(configured.place) > 1

    # Sockets of clones that are there

    def socketsAt(self, address: ListenAddress) -> Sequence[socket.socket]:
        """
        Get the listening sockets at an address from clones that serve there, as a former
        process of the balancer has ended without them.

        @return: none if there are no such clones.
        @raise CloningError: another balancer manages them.
        """
        if self._inherited is None:
            folders = [self._folderOf(each.name, group.name) for each, group in self._services]
            self._inherited = InheritedSockets(folders, self._balancer.engine.reactor)
        return self._inherited.take(placeOf(address))

    # Life

    def startService(self) -> None:
        """
        Start the clones.
        """
        super().startService()
        self._isLeft = False
        if self._inherited is not None:
            self._inherited.close()
        self._unsubscribe = self._balancer.manager.subscribe(self._happened)
        self._review()

    def _happened(self, _event: Event) -> None:
        self.changed()

    def changed(self) -> None:
        """
        Look soon whether other clones are wanted.
        """
        if self.running and self._call is None and not self._isLeft:
            self._call = self._balancer.engine.deadlines.after(0.0, self._review)

    def _review(self) -> None:
        self._call = None
        if not self.running or self._isLeft:
            return
        wanted = {service.name: (service, group) for service, group in self._services}
        for name in [each for each in self._fleets if each not in wanted]:
            self._end(name)
            self._share(name, False)
            self._passFor(name, None)
        for number, (name, (service, group)) in enumerate(wanted.items()):
            sockets = list(self._socketsOf(name))
            place = self._placeOf(service, group, not number)
            if name in self._fleets:
                fleet = self._fleets[name]
                if fleet.isAt(place, [each for each, _ in sockets]):
                    fleet.follow()
                    continue
                self._end(name)
            now = self._balancer.manager.seconds()
            if sockets and now >= self._notBefore.get(name, now):
                self._share(name, True)
                self._start(place, sockets)

    def _start(self, place: FleetPlace, sockets: list[tuple[str, socket.socket]]) -> None:
        if self._ending:
            # The former clones are still there, in their folder.
            self._count += 1
            place = place.beside(self._count)
        fleet = Fleet(
            place,
            sockets,
            self._balancer.manager,
            partial(self._take, place.service, [name for name, _ in sockets]),
            self._balancer.engine.reactor,
            self._balancer.manager.seconds,
        )
        fleet.whenManages = partial(self._share, place.service, True)
        self._fleets[place.service] = fleet
        try:
            fleet.start()
        except CloningError as problem:
            _log.error("{problem}", problem=problem)
            self._notBefore[place.service] = self._balancer.manager.seconds() + PAUSE
            # The hosts beside the clones are served.
            del self._fleets[place.service]
            self._share(place.service, False)
            self._balancer.engine.deadlines.after(PAUSE, self.changed)
            return
        self._passFor(place.service, fleet)

    def _passFor(self, service: str, fleet: Fleet | None) -> None:
        """
        Let connections whose first bytes this process has read go to the clones of a fleet; or to
        hosts again, if there is none.
        """
        frontend = self._balancer.engine.frontendOf(service)
        if frontend is not None:
            frontend.passOn = None if fleet is None else partial(self._passOn, fleet, frontend)

    def _passOn(
        self, fleet: Fleet, frontend: Frontend, client: ClientConnection, pool: HostPool
    ) -> bool:
        """
        Pass on a connection to a clone or a host.

        @return: whether it has left the frontend. If the clones have no room, it is closed.
        """
        if pool.group != fleet.place.group or client.accepted is not None:
            return False
        found = client.found
        passed = PassedClient(
            client.fd,
            client.peer,
            client.clientAddr,
            _told(client.sourceAddress) if found is not None else None,
            _told(client.destinationAddress) if found is not None and found.header else None,
            client.leftover,
            lambda lease: frontend.acceptedFor(lease, client),
        )
        if not fleet.passOn(str(client.listener.place), passed):
            frontend.turnAway(client, f"{MOST_WAITING} wait for a clone with room")
        return True

    def _end(self, name: str) -> None:
        fleet = self._fleets.pop(name)
        self._ending[fleet] = ended = fleet.stop()
        ended.addCallback(lambda _: self._forget(fleet))

    def letGo(self) -> None:
        """
        Let another process of the balancer manage the clones. See L{Fleet.letGo}.
        """
        self._isLeft = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        for name in tuple(self._fleets):
            fleet = self._fleets.pop(name)
            self._ending[fleet] = ended = fleet.letGo()
            ended.addCallback(partial(self._left, fleet))

    def _left(self, fleet: Fleet, _result: object) -> None:
        self._forget(fleet)

    @property
    def isRolling(self) -> bool:
        """
        Whether clones are being replaced.
        """
        return self._rolling is not None or any(each.isRolling for each in self._fleets.values())

    def _forget(self, fleet: Fleet) -> None:
        self._ending.pop(fleet, None)

    def _listeners(self, service: str) -> Iterator[ProxyListener]:
        listeners: Any = self._balancer.proxies
        for each in listeners:
            if each.serviceName == service:
                yield each

    def _socketListeners(self, service: str) -> Iterator[tuple[ProxyListener, SocketListener]]:
        for each in self._listeners(service):
            listener = None if each.listener is None else each.listener.shared.listener
            if isinstance(listener, SocketListener):
                yield each, listener

    def _socketsOf(self, service: str) -> Iterator[tuple[str, socket.socket]]:
        for each, listener in self._socketListeners(service):
            for number, sock in enumerate(listener.sockets):
                yield socketName(each.configured.place, number), sock

    def _share(self, service: str, shared: bool) -> None:
        """
        Leave the connections of a service to the clones, or accept them again. This process
        accepts those of which it reads something first.
        """
        fleet = self._fleets.get(service)
        manages = fleet is not None and fleet.manager is not None
        for each, listener in self._socketListeners(service):
            # Until this process manages the clones, clients wait in the backlog.
            listener.share(shared and not (manages and self._readsFirst(each)))
        for each in self._listeners(service):
            each.acceptOrNot()

    def _take(
        self, service: str, names: list[str], number: int, fd: int, peer: Any, lease: Lease
    ) -> None:
        """
        Relay a connection to the host of a lease.
        """
        frontend = self._balancer.engine.frontendOf(service)
        place = placeNamed(names[number])
        try:
            configured = next(
                each
                for each in self._balancer.manager.getService(service).listeners
                if str(each.place) == place
            )
        except (StopIteration, UnknownName):
            configured = None
        if frontend is None or configured is None:
            lease.release(Outcome.NOT_CONNECTED)
            os.close(fd)
            return
        frontend.acceptedFor(lease, ClientConnection(fd, peer, configured))

    # What administrators see and want

    def whyPassed(self, service: str) -> str | None:
        """
        Tell why this process accepts the connections of a service's clones and passes them.

        @return: the reason; an empty text if clones accept by permits; L{None} if it has none.
        """
        fleet = self._fleets.get(service)
        return None if fleet is None else fleet.whyPassed

    def processes(self, service: str = "") -> list[Mapping[str, object]]:
        """
        Return a row for this process, and for each of the clones, also of those that finish
        what they have; none if there are no clones. See
        L{txlb.interfaces.IClones.processes}. Those of clones have the names of their
        C{service} and C{group} besides.

        @param service: the name of a service, to leave the clones of others out; empty for
            all.
        """
        fleets = [
            each
            for each in (*self._fleets.values(), *self._ending)
            if service in {"", each.place.service}
        ]
        if not fleets:
            return []
        managers = [each.manager for each in fleets if each.manager is not None]
        manager = self._balancer.manager
        own: Mapping[str, object] = {
            "name": "manager",
            "role": "manager",
            "pid": os.getpid(),
            "slot": -1,
            "generation": max((each.generation for each in managers), default=0),
            "state": "manages" if self.running else "stops",
            "connections": sum(manager.getCounters(name).active for name in manager.services),
            "lag": max((each.lag for each in managers), default=None),
            "memory": residentMemory() * 1024,
        }
        return [own, *(row for each in fleets for row in each.processes())]

    def add(self, service: str, group: str, name: str) -> int:
        """
        Start one more clone of a group, until the file says another number of them or the balancer
        ends. See L{txlb.interfaces.IClones.add}.

        @return: how many clones of the group are wanted now.
        @raise CloningError: this process does not manage the group's clones, the name is none of a
            free place, or there are too many.
        """
        wanted = self._wantedOf(service, group)
        wanted.add(name)
        return wanted.processes

    def remove(
        self,
        service: str,
        group: str,
        name: str,
        deadline: float | None = None,
        force: bool = False,
    ) -> int:
        """
        Let a clone of a group finish what it has, and end, likewise. See
        L{txlb.interfaces.IClones.remove}.

        @return: how many clones of the group are wanted now.
        @raise CloningError: this process does not manage the group's clones, or it is the last
            one.
        @raise UnknownName: there is no such clone.
        """
        wanted = self._wantedOf(service, group)
        wanted.remove(name, deadline, force)
        return wanted.processes

    def _wantedOf(self, service: str, group: str) -> Wanted:
        fleet = self._fleets.get(service)
        if fleet is None or fleet.place.group != group or fleet.manager is None:
            raise CloningError(
                f"this process does not manage clones of {service}/{group} now; txlb status shows "
                "the groups and their clones"
            )
        return fleet.manager.wanted

    def roll(self) -> Deferred[list[Rolled]]:
        """
        Replace the clones one by one by ones that run what their files say now: first those
        of one group, then those of the next. Groups whose new clones don't start keep the
        clones that they have, and the others are rolled nevertheless.

        @return: fires with what was replaced; an empty list if there are no clones. It fails
            with a L{CloningError}, which names the groups that have failed, and why; or with
            one if that is under way already. If it is cancelled, the clones are replaced
            nevertheless.
        """
        if self._rolling is not None:
            return fail(CloningError("a rolling restart is under way; wait for its end"))
        answer: Deferred[list[Rolled]] = Deferred()
        self._rolling = answer
        if self._call is not None:
            # What has changed comes first: it may begin with a new manager.
            self._call.cancel()
            self._review()
        Deferred.fromCoroutine(self._rollAll()).addBoth(self._rolled)
        return answer

    async def _rollAll(self) -> list[Rolled]:
        done: list[Rolled] = []
        problems: list[str] = []
        for fleet in tuple(self._fleets.values()):
            if fleet not in self._fleets.values():
                continue  # its clones have been told to end meanwhile
            place = fleet.place
            try:
                generation = await fleet.roll()
            except CloningError as problem:
                problems.append(f"{place.service}/{place.group}: {problem}")
            else:
                done.append(Rolled(place.service, place.group, generation))
        if problems:
            others = [f"{each.service}/{each.group} is rolled" for each in done]
            raise CloningError("; ".join((*problems, *others)))
        return done

    def _rolled(self, result: Any) -> None:
        answer, self._rolling = self._rolling, None
        if answer is not None:
            answer.callback(result)

    def stopService(self) -> Deferred[Any]:
        """
        Let all clones finish what they have, and end.

        @return: fires when they have. It does not fail.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._call is not None:
            self._call.cancel()
            self._call = None
        for name in tuple(self._fleets):
            self._end(name)
        if self._inherited is not None:
            self._inherited.close()
            self._inherited = None
        return gatherResults([_following(each) for each in self._ending.values()])


def _told(address: Any) -> tuple[str, int] | None:
    """
    Take an address that a preface has told, if it is one of IP.
    """
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None


def _following(deferred: Deferred[None]) -> Deferred[None]:
    other: Deferred[None] = Deferred()
    deferred.addCallback(lambda _: other.callback(None))
    return other

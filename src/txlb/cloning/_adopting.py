"""
A clone of a balancer: an application that gets the listening sockets of a service.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

from twisted.application.service import IServiceCollection, MultiService, loadApplication
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory

from txlb._reactor import pickedReactor
from txlb.cloning._group import CloneGroup
from txlb.cloning._groups import begin, end, groupAt
from txlb.cloning._identity import Birth
from txlb.cloning._inheritedsockets import placeNamed
from txlb.cloning._listenersettings import ListenerSettings, listenerSettings
from txlb.cloning._reactor import SharedPort, SharingReactor
from txlb.cloning._rendezvous import CloningError
from txlb.cloning._service import CloningService, LateReactor, takeServices
from txlb.cloning._settings import CloneSettings
from txlb.cloning._sharing import Sharing, sharingNamed


class AdoptingReactor(SharingReactor):
    """
    Stands for the reactor of an application that a balancer has started. What the
    application listens on gets the listening sockets of the balancer's service: all of them,
    if it listens on one thing; otherwise those with the same port or path.

    @param names: of the sockets, such as C{127.0.0.1:8080#0}.
    @param alone: whether the application listens on one thing.
    @param passed: the names of the sockets whose connections the balancer passes.
    """

    def __init__(
        self,
        reactor: Any,
        group: CloneGroup,
        settings: ListenerSettings,
        names: list[str],
        alone: bool,
        passed: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(reactor, group, settings)
        self._passed = passed
        self._names = names
        self._alone = alone

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> SharedPort:
        return self._adopt(f":{port}", port, factory)

    def listenUNIX(
        self,
        address: str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o600,
        wantPID: int = 0,
    ) -> SharedPort:
        return self._adopt(f"unix:{os.path.abspath(address)}", address, factory)

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> SharedPort:
        return self._adopt(" ", f"descriptor {fileDescriptor}", factory)

    def settingsOf(self, name: str) -> ListenerSettings | None:
        settings = super().settingsOf(name)
        if settings is None or name not in self._passed:
            return settings
        return replace(settings, sharing=Sharing.PASSED)

    def _adopt(self, ending: str, place: object, factory: IProtocolFactory) -> SharedPort:
        wanted = [name for name in self._names if self._alone or placeNamed(name).endswith(ending)]
        if not wanted:
            raise CannotListenError(
                "",
                place,
                OSError(
                    "it is none of the addresses of the balancer's service: "
                    f"{', '.join(map(placeNamed, self._names))}"
                ),
            )
        self.count += 1
        ports = [self._share(name, _none, factory) for name in wanted]
        return ports[0]


class BalancedClone(MultiService):
    """
    The services of an application, as a clone of a balancer.

    @param application: as L{twisted.application.service.Application} makes it.
    @param birth: what the balancer has told.
    @raise CloningError: the application listens on nothing that can be cloned.
    """

    def __init__(self, application: Any, birth: Birth) -> None:
        super().__init__()
        told = birth.told.settings
        self._birth = birth
        self._late = LateReactor()
        self._group: CloneGroup | None = None
        self._settings = CloneSettings(told["processes"], told["graceTime"], standby=False)
        self._listening = replace(
            listenerSettings(told["scheduler"], told["maxConnections"], told["admission"]),
            sharing=sharingNamed(told.get("sharing", Sharing.GRANTS.value)),
        )
        collection: Any = IServiceCollection(application)
        self._count = takeServices(collection, self._late)
        for child in _all(collection):
            if isinstance(child, CloningService):
                # It does not clone itself.
                child.sharing = self._late
                self._count += 1
        if not self._count:
            raise CloningError(
                "the application listens on nothing that can be cloned: it needs a TCPServer, "
                "SSLServer, UNIXServer, StreamServerEndpointService or CloningService"
            )
        for child in tuple(collection):
            child.disownServiceParent()
            child.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """
        Be ready before the services listen.
        """
        names = list(self._birth.listeners)
        self._group = group = groupAt(self._birth.folder, self._settings)
        self._late.found = AdoptingReactor(
            pickedReactor(),
            group,
            self._listening,
            names,
            self._count == 1,
            frozenset(self._birth.told.settings.get("passed", ())),
        )
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Begin, when the reactor runs and the services listen.
        """
        super().startService()
        if self._group is not None:
            self._group.arrange(list(self._birth.listeners))
            begin(self._group)

    def stopService(self) -> Deferred[None]:
        """
        Finish what there is.

        @return: fires when the connections have ended, or the grace time is over.
        """
        group, self._group = self._group, None
        stopped: Deferred[Any] = super().stopService()
        if group is not None:
            stopped.addBoth(lambda _: end(group))
        return stopped


def balancedClone(path: str) -> BalancedClone:
    """
    Make the service of a process that a balancer has started.

    @param path: of the application's file.
    @raise CloningError: no balancer has started this process, or the application listens on
        nothing that can be cloned.
    @raise Exception: the file raises.
    """
    birth = Birth.look()
    if birth is None or not birth.told.settings:
        raise CloningError("--clone is for processes that a balancer starts: see <clones>")
    return BalancedClone(loadApplication(path, "python"), birth)


def _all(collection: Any) -> Any:
    for child in collection:
        yield child
        if IServiceCollection.providedBy(child):
            yield from _all(child)


def _none() -> socket.socket:
    raise CannotListenError("", "", OSError("the balancer has given this socket to another one"))

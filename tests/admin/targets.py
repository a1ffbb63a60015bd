"""
A balancer for commands to work on, without sockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from tests.admin.fakes import FakeCertificates, FakeFleets, FakeServing
from txlb.admin import FULL, Caller
from txlb.application._drift import Drift
from txlb.errors import UnknownConnection, UnknownName
from txlb.interfaces import IClones
from txlb.manager import ProxyManager, proxyManagerFactory
from txlb.model import (
    Address,
    Plan,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    TCPAddress,
    changesBetween,
    ownedByPeople,
)
from txlb.pool import Event

#: A caller that may do everything.
ANNA = Caller("ssh:anna", FULL)


class FakeListener:
    def __init__(self, serviceName: str, *addresses: Address) -> None:
        self.serviceName = serviceName
        self.addresses: Sequence[Address] = addresses
        self.whyPassed: str | None = None


class FakeFile:
    """
    What commands ask of a configuration file.

    @ivar calls: what they have asked for.
    """

    path = "/etc/txlb.xml"

    def __init__(self, balancer: FakeBalancer) -> None:
        self._balancer = balancer
        self.services = self._loaded = tuple(balancer.manager.services.values())
        self.calls: list[tuple[object, ...]] = []
        self.inFile = Plan()
        self.edited = False
        self.kept: str | None = "/etc/txlb.xml-20261124000000"

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        return changesBetween(self._loaded, ownedByPeople(services)).lines

    def unsaved(self) -> Plan:
        running = self._balancer.manager.services.values()
        return changesBetween(self._loaded, ownedByPeople(running))

    def look(self) -> Deferred[bool]:
        return succeed(self.edited)

    def drift(self) -> Deferred[Drift]:
        self.calls.append(("drift",))
        running = tuple(self._balancer.manager.services.values())
        found = changesBetween(ownedByPeople(running), running)
        return succeed(Drift(self.inFile, self.unsaved(), found))

    def plan(self, source: str | None = None, *, discard: bool = False) -> Deferred[Plan]:
        self.calls.append(("plan", source, discard))
        return succeed(self.unsaved())

    def reload(self, *, discard: bool = False) -> Deferred[Plan]:
        self.calls.append(("reload", discard))
        return succeed(self.unsaved())

    def save(self, *, overwrite: bool = False) -> Deferred[str | None]:
        self.calls.append(("save", overwrite))
        return succeed(self.kept)


@implementer(IClones)
class FakeClones:
    """
    What commands ask of a cloned application.

    @ivar calls: what they have asked for, each with what fires when it is done.
    @ivar changed: the clones that were added or removed.
    """

    service = "clones"

    def __init__(self) -> None:
        hosts = [ProxyHost.at(f"clone{n}", f"unix:clone{n}") for n in range(2)]
        group = ProxyGroup("tcp-8080", "leastc", True, hosts)
        service = ProxyService("clones", [("0.0.0.0", 8080)], [group])
        self.manager: ProxyManager = proxyManagerFactory([service], seconds=lambda: 5.0)
        self.listeners: Mapping[str, str] = {"tcp-8080": "0.0.0.0:8080"}
        self.passed: Mapping[str, str] = {}
        self.past: Sequence[tuple[float, Event]] = ()
        self.calls: list[tuple[str, Deferred[int]]] = []
        self.changed: list[tuple[object, ...]] = []

    def processes(self) -> Sequence[Mapping[str, object]]:
        return (
            {
                "name": "manager",
                "role": "manager",
                "pid": 100,
                "slot": -1,
                "generation": 3,
                "state": "manages",
                "connections": 0,
                "lag": 0.00125,
                "memory": 52_000_000,
            },
            {
                "name": "clone0",
                "role": "clone",
                "pid": 101,
                "slot": 0,
                "generation": 3,
                "state": "starts",
                "connections": 12,
                "lag": None,
                "memory": None,
            },
        )

    def add(self, name: str) -> int:
        self.changed.append((name,))
        return 3

    def remove(self, name: str, deadline: float | None = None, force: bool = False) -> int:
        self.changed.append((name, deadline, force))
        return 1

    def roll(self) -> Deferred[int]:
        return self._called("roll")

    def upgrade(self) -> Deferred[int]:
        return self._called("upgrade")

    def _called(self, name: str) -> Deferred[int]:
        done: Deferred[int] = Deferred()
        self.calls.append((name, done))
        return done


class FakeBalancer:
    """
    What commands ask of a balancer.

    @ivar known: the clients of connections, by what is asked.
    @ivar questions: how often was asked for one.
    """

    def __init__(self, hosts: int = 2) -> None:
        production = [ProxyHost(f"h{n}", "127.0.0.1", 7001 + n) for n in range(hosts)]
        groups = [
            ProxyGroup("prod", "roundr", True, production),
            ProxyGroup("test", "leastc", False, []),
        ]
        web = ProxyService("web", [("127.0.0.1", 8080)], groups)
        self.manager: ProxyManager = proxyManagerFactory([web], seconds=lambda: 5.0)
        self.listeners = {"web": FakeListener("web", TCPAddress("127.0.0.1", 8080))}
        self.known: dict[tuple[object, ...], tuple[str, int]] = {}
        self.questions = 0
        self.clones = FakeFleets()
        self.certificates = FakeCertificates()
        self.serving = FakeServing()
        self.configuration: FakeFile | None = FakeFile(self)

    def plan(self, source: str) -> Deferred[Plan]:
        return succeed(Plan())

    def getProxyNames(self) -> list[str]:
        return list(self.listeners)

    def getProxyService(self, name: str) -> FakeListener:
        try:
            return self.listeners[name]
        except KeyError:
            raise UnknownName("listener", name, self.listeners) from None

    def setScheduler(
        self, service: str, group: str, word: str, **settings: object
    ) -> Deferred[tuple[Event, ...]]:
        return execute(self.manager.setScheduler, service, group, word, **settings)

    def switchPort(self, name: str, address: str) -> Sequence[Address]:
        listener = self.getProxyService(name)
        listener.addresses = (TCPAddress("127.0.0.1", int(address)),)
        return listener.addresses

    def getClientAddress(
        self, host: str, port: int, serverHost: str | None, serverPort: int | None
    ) -> tuple[str, int]:
        self.questions += 1
        try:
            return self.known[host, port, serverHost, serverPort]
        except KeyError:
            raise UnknownConnection(f"no connection comes from {host} port {port}") from None

"""
A balancer as a flat list, one line a host: the shortest way to write one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from txlb import schedulers
from txlb.errors import ModelError
from txlb.model._addresses import ListenAddress, isOneAddress
from txlb.model._checks import checkName
from txlb.model._groups import ProxyGroup
from txlb.model._health import CheckLike
from txlb.model._hosts import ProxyHost
from txlb.model._hosttls import HostTLS, HostTLSLike
from txlb.model._listeners import Listener, ListenerLike, listenerOf
from txlb.model._made import Made, given
from txlb.model._services import ProxyService
from txlb.model.kinds import Boolean


@dataclass(frozen=True, slots=True)
class HostMapper:
    """
    One host, and with it the group and the service that it belongs to.

    Mappers of the same C{proxyName} make one service, those of the same
    C{groupName} in it one group.

    @ivar proxyName: the service's name.
    @ivar proxy: the address of the service's listener, C{host:port}, or a L{Listener}, or a list
        of such.
    @ivar groupName: the group's name.
    @ivar lbType: the word for the group's scheduler.
    @ivar host: the host's name.
    @ivar address: the host's address, C{host:port}.
    @ivar enabled: whether the group is the one that gets the connections.
    @ivar weight: the host's weight, 0 to 65535.
    @ivar check: how the host is checked: a function, the word for a kind of check, or
        a L{HealthCheck}; L{None} for not at all.
    @ivar tls: how TLS is spoken to the host; L{None} for not at all.
    """

    proxyName: str = "proxy1"
    proxy: ListenerLike | Sequence[ListenerLike] = ""
    groupName: str = "group1"
    lbType: str = schedulers.leastc
    host: str = ""
    address: str = ""
    enabled: bool = True
    weight: int = 1
    check: CheckLike = field(default=None, kw_only=True)
    tls: Made[HostTLS | None, HostTLSLike] = field(default=given(None), kw_only=True)

    def __post_init__(self) -> None:
        if not self.proxy:
            raise ModelError(
                f"the HostMapper of host {self.host!r} has no proxy; say where the service "
                "listens, as in proxy='127.0.0.1:8080'"
            )
        if not _isOne(self.proxy):
            object.__setattr__(self, "proxy", tuple(self.proxy))  # type: ignore[arg-type]
        checkName("service", self.proxyName)
        checkName("group", self.groupName)
        Boolean().check(self.enabled, f"enabled of the HostMapper of host {self.host!r}")
        self.listeners()
        object.__setattr__(self, "lbType", schedulers.canonicalWord(self.lbType))
        self.proxyHost()

    def listeners(self) -> tuple[Listener, ...]:
        """
        Where the service listens.
        """
        values: Any = [self.proxy] if _isOne(self.proxy) else self.proxy
        return tuple(listenerOf(value) for value in values)

    def listenAddresses(self) -> tuple[ListenAddress, ...]:
        """
        List the addresses where the service listens.
        """
        return tuple(each.address for each in self.listeners())

    def proxyHost(self) -> ProxyHost:
        """
        Make the host.
        """
        return ProxyHost.at(self.host, self.address, self.weight, check=self.check, tls=self.tls)


def convertMapperToModel(listOfMappers: Iterable[HostMapper]) -> list[ProxyService]:
    """
    Put mappers together to services, in the order in which they first come up.

    @raise ModelError: two of them contradict each other, a name is used twice,
        or a service would not have exactly one enabled group.
    """
    services: dict[str, dict[str, list[HostMapper]]] = {}
    for mapper in listOfMappers:
        groups = services.setdefault(mapper.proxyName, {})
        groups.setdefault(mapper.groupName, []).append(mapper)
    return [
        ProxyService(
            name,
            _listeners(mapper for mappers in groups.values() for mapper in mappers),
            [_group(name, groupName, mappers) for groupName, mappers in groups.items()],
        )
        for name, groups in services.items()
    ]


def _isOne(value: object) -> bool:
    return isinstance(value, Listener) or isOneAddress(value)


def _listeners(mappers: Iterable[HostMapper]) -> list[Listener]:
    found: dict[Listener, None] = {}
    for mapper in mappers:
        found.update(dict.fromkeys(mapper.listeners()))
    return list(found)


def _group(serviceName: str, groupName: str, mappers: Sequence[HostMapper]) -> ProxyGroup:
    first = mappers[0]
    for mapper in mappers[1:]:
        for setting in ("lbType", "enabled"):
            mine, theirs = getattr(first, setting), getattr(mapper, setting)
            if mine != theirs:
                raise ModelError(
                    f"hosts {first.host!r} and {mapper.host!r} of {serviceName}/{groupName} "
                    f"say {setting}={mine!r} and {theirs!r}; it is one setting of the group"
                )
    hosts = [mapper.proxyHost() for mapper in mappers]
    return ProxyGroup(groupName, first.lbType, first.enabled, hosts)

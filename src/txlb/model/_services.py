"""
Services, groups and hosts, as configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from txlb import schedulers
from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.model._addresses import (
    Address,
    AddressLike,
    TCPAddress,
    UNIXAddress,
    parseHostAddress,
    parseListenAddress,
)
from txlb.model._checks import checkName, checkSeconds, checkWeight, checkWhole, checkWord

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class ProxyHost:
    """
    A host that does the work.

    @ivar name: its name, the only one in its group.
    @ivar ipOrHost: an IP address, a host name, or C{unix:/path}.
    @ivar port: 1 to 65535; 0 with a UNIX socket.
    @ivar weight: its share beside the others' weights, 0 to 65535; 0 means that
        it gets nothing new.
    @ivar maxConnections: how many connections it takes at once, at least 1;
        L{None} for no limit.
    """

    name: str
    ipOrHost: str
    port: int = 0
    weight: int = 1
    maxConnections: int | None = None

    def __post_init__(self) -> None:
        checkName("host", self.name)
        address = parseHostAddress((self.ipOrHost, self.port))
        if isinstance(address, TCPAddress):
            object.__setattr__(self, "ipOrHost", address.host)
        else:
            object.__setattr__(self, "port", 0)
        checkWeight(self.weight, f"host {self.name!r}")
        if self.maxConnections is not None:
            checkWhole(self.maxConnections, f"maxConnections of host {self.name!r}", 1, 10**9)

    @classmethod
    def at(
        cls, name: str, address: object, weight: int = 1, maxConnections: int | None = None
    ) -> ProxyHost:
        """
        A host from its address in one piece, as in a configuration file.

        @param address: C{host:port}, C{[::1]:port} or C{unix:/path}.
        @raise ModelError: something of it breaks a rule.
        """
        parsed = parseHostAddress(address)
        if isinstance(parsed, UNIXAddress):
            return cls(name, str(parsed), 0, weight, maxConnections)
        return cls(name, parsed.host, parsed.port, weight, maxConnections)

    @property
    def address(self) -> Address:
        """
        Where it is reached.
        """
        return parseHostAddress((self.ipOrHost, self.port))


@dataclass(frozen=True, slots=True)
class ProxyGroup:
    """
    Hosts that do the same work, and how one of them is chosen.

    @ivar name: its name, the only one in its service.
    @ivar scheduler: the word for the policy.
    @ivar enabled: whether it is the one that gets its service's connections.
    @ivar hosts: in the order of the configuration.
    @ivar passiveFall: failures to connect in a row that put a host out, 1 to 100.
    @ivar whenAllDown: with all hosts marked, C{try} them all the same, or
        C{close} the client at once.
    @ivar sendProxy: tell the host the client's address in a PROXY header of this
        version, C{v1} or C{v2}; L{None} for no header.
    """

    name: str
    scheduler: str = schedulers.leastc
    enabled: bool = False
    hosts: Sequence[ProxyHost] = ()
    passiveFall: int = field(default=1, kw_only=True)
    whenAllDown: str = field(default="try", kw_only=True)
    sendProxy: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        checkName("group", self.name)
        object.__setattr__(self, "scheduler", schedulers.canonicalWord(self.scheduler))
        if not isinstance(self.enabled, bool):
            raise ModelError(
                f"enabled of group {self.name!r} is {self.enabled!r}, not True or False"
            )
        object.__setattr__(self, "hosts", tuple(self.hosts))
        _checkUnique("host", (host.name for host in self.hosts), f"group {self.name!r}")
        checkWhole(self.passiveFall, f"passiveFall of group {self.name!r}", 1, 100)
        checkWord(self.whenAllDown, f"whenAllDown of group {self.name!r}", ("try", "close"))
        if self.sendProxy is not None:
            checkWord(self.sendProxy, f"sendProxy of group {self.name!r}", ("v1", "v2"))

    def getHost(self, name: str) -> ProxyHost:
        """
        @raise UnknownName: the group has no such host.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        raise UnknownName(f"host of group {self.name!r}", name, (host.name for host in self.hosts))


@dataclass(frozen=True, slots=True)
class ProxyService:
    """
    One thing that clients connect to: where it listens, and who may serve it.

    @ivar name: its name, the only one in its balancer.
    @ivar addresses: where it listens; pairs of host and port, texts or addresses.
    @ivar groups: exactly one of them is enabled.
    @ivar maxConnections: how many connections it has at once, 1 to 1,000,000;
        more are closed.
    @ivar connectTimeout: seconds that one host has to accept, 0.01 to 3600.
    @ivar dialTimeout: seconds that the search for a host takes at most, 0.01 to
        3600.
    @ivar retries: how many other hosts are tried where one can't be reached, 0
        to 100.
    @ivar idleTimeout: seconds without a byte in either direction after which a
        connection is closed, at most a week; 0 for never.
    @ivar finTimeout: the same once one side has finished sending, at most a
        week; 0 for never.
    @ivar resolveInterval: seconds between two look-ups of a host's name, 1 to a
        day.
    @ivar relay: which relay moves the bytes: C{fast}, C{portable}, or C{auto}
        for the fast one where it can be used.
    @ivar enabledGroup: the group that gets the connections; found once, as each
        of them wants it.
    """

    name: str
    addresses: tuple[Address, ...] = ()
    groups: tuple[ProxyGroup, ...] = ()
    maxConnections: int = field(default=10_000, kw_only=True)
    connectTimeout: float = field(default=5.0, kw_only=True)
    dialTimeout: float = field(default=10.0, kw_only=True)
    retries: int = field(default=3, kw_only=True)
    idleTimeout: float = field(default=3600.0, kw_only=True)
    finTimeout: float = field(default=60.0, kw_only=True)
    resolveInterval: float = field(default=30.0, kw_only=True)
    relay: str = field(default="auto", kw_only=True)
    enabledGroup: ProxyGroup = field(init=False, repr=False, compare=False)

    if TYPE_CHECKING:
        # What it is made from is wider than what it holds.
        def __init__(
            self,
            name: str,
            addresses: Iterable[AddressLike] = ...,
            groups: Iterable[ProxyGroup] = ...,
            *,
            maxConnections: int = ...,
            connectTimeout: float = ...,
            dialTimeout: float = ...,
            retries: int = ...,
            idleTimeout: float = ...,
            finTimeout: float = ...,
            resolveInterval: float = ...,
            relay: str = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        checkName("service", self.name)
        whose = f"service {self.name!r}"
        addresses = tuple(parseListenAddress(each) for each in self.addresses)
        object.__setattr__(self, "addresses", addresses)
        object.__setattr__(self, "groups", tuple(self.groups))
        if not addresses:
            raise ModelError(f"{whose} listens nowhere; give it at least one address")
        fixed = [str(a) for a in addresses if isinstance(a, UNIXAddress) or a.port]
        _checkUnique("address", fixed, whose)
        _checkUnique("group", (group.name for group in self.groups), whose)
        enabled = [group for group in self.groups if group.enabled]
        if len(enabled) != 1:
            found = " and ".join(repr(group.name) for group in enabled) or "none"
            raise ModelError(
                f"{whose} has {found} enabled; of its groups exactly one is, as only one can "
                "get the connections"
            )
        object.__setattr__(self, "enabledGroup", enabled[0])
        checkWhole(self.maxConnections, f"maxConnections of {whose}", 1, 1_000_000)
        checkWhole(self.retries, f"retries of {whose}", 0, 100)
        for setting, least, most in _SECONDS:
            value = checkSeconds(getattr(self, setting), f"{setting} of {whose}", least, most)
            object.__setattr__(self, setting, value)
        checkWord(self.relay, f"relay of {whose}", ("auto", "fast", "portable"))

    def getGroup(self, name: str) -> ProxyGroup:
        """
        @raise UnknownName: the service has no such group.
        """
        for group in self.groups:
            if group.name == name:
                return group
        raise UnknownName(f"group of service {self.name!r}", name, (g.name for g in self.groups))


#: The settings of a service that are seconds, with their ranges.
_SECONDS = (
    ("connectTimeout", 0.01, 3600.0),
    ("dialTimeout", 0.01, 3600.0),
    ("idleTimeout", 0.0, 7 * DAY),
    ("finTimeout", 0.0, 7 * DAY),
    ("resolveInterval", 1.0, DAY),
)


def _checkUnique(kind: str, names: Iterable[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DuplicateName(f"{where} has two of the {kind} {name!r}; each needs its own")
        seen.add(name)

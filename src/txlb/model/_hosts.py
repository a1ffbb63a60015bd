"""
Hosts, as configured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from txlb.model._addresses import Address, TCPAddress, UNIXAddress, parseHostAddress
from txlb.model._checks import checkBoolean, checkName, checkWeight, checkWhole, checkWord
from txlb.model._health import CheckLike, HealthCheck, healthCheckOf

#: What people can want of a host.
HOST_STATES = ("ready", "drain", "maintenance")


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
    @ivar state: what people want of it: C{ready}; C{drain}, with which it gets
        nothing new; or C{maintenance}, with which it isn't checked either.
    @ivar backup: whether it gets clients only while too few of the others are up.
    @ivar check: how it is checked; L{None} for as its group says. It can be given as
        a function or a word: see L{HealthCheck}.
    @ivar address: where it is reached; made once from C{ipOrHost} and C{port}.
    """

    name: str
    ipOrHost: str
    port: int = 0
    weight: int = 1
    maxConnections: int | None = None
    state: str = field(default="ready", kw_only=True)
    backup: bool = field(default=False, kw_only=True)
    check: HealthCheck | None = field(default=None, kw_only=True)
    address: Address = field(init=False, repr=False, compare=False)

    if TYPE_CHECKING:
        # What it is made from is wider than what it holds.
        def __init__(
            self,
            name: str,
            ipOrHost: str,
            port: int = ...,
            weight: int = ...,
            maxConnections: int | None = ...,
            *,
            state: str = ...,
            backup: bool = ...,
            check: CheckLike = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        checkName("host", self.name)
        address = parseHostAddress((self.ipOrHost, self.port))
        if isinstance(address, TCPAddress):
            object.__setattr__(self, "ipOrHost", address.host)
        else:
            object.__setattr__(self, "port", 0)
        object.__setattr__(self, "address", address)
        checkWeight(self.weight, f"host {self.name!r}")
        if self.maxConnections is not None:
            checkWhole(self.maxConnections, f"maxConnections of host {self.name!r}", 1, 10**9)
        checkWord(self.state, f"state of host {self.name!r}", HOST_STATES)
        checkBoolean(self.backup, f"backup of host {self.name!r}")
        check = healthCheckOf(self.check, f"host {self.name!r}")
        object.__setattr__(self, "check", check)

    @classmethod
    def at(
        cls,
        name: str,
        address: object,
        weight: int = 1,
        maxConnections: int | None = None,
        **settings: Any,
    ) -> ProxyHost:
        """
        A host from its address in one piece, as in a configuration file.

        @param address: C{host:port}, C{[::1]:port} or C{unix:/path}.
        @param settings: the others, by name.
        @raise ModelError: something of it breaks a rule.
        """
        parsed = parseHostAddress(address)
        if isinstance(parsed, UNIXAddress):
            return cls(name, str(parsed), 0, weight, maxConnections, **settings)
        return cls(name, parsed.host, parsed.port, weight, maxConnections, **settings)

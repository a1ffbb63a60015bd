"""
Hosts, as configured.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from txlb.errors import ModelError
from txlb.model._addresses import Address, parseHostAddress
from txlb.model._addresskinds import HOST_ADDRESS
from txlb.model._checks import MAX_NAME_LENGTH, shown
from txlb.model._health import CheckLike, HealthCheck, healthCheckOf
from txlb.model._hosttls import HostTLS, HostTLSLike, hostTLSOf
from txlb.model._made import Made, given
from txlb.model._tcpaddress import TCPAddress
from txlb.model._unixaddress import UNIXAddress
from txlb.model.kinds import Boolean, Name, Whole, Word
from txlb.model.settings import Since, checkSettings, setting, settingField

MAX_WEIGHT = 65535

#: The words of the status for the origin of hosts that people own: the configuration file
#: has the host, or only the running balancer has it.
PEOPLE = ("file", "live")

#: The states that an administrator can want of a host.
HOST_STATES = ("ready", "drain", "maintenance")


@dataclass(frozen=True, slots=True)
class ProxyHost:
    """
    A host that does the work. Its settings are described where they are declared, and in the
    reference of the configuration file.

    @ivar ipOrHost: an IP address, a host name, or C{unix:/path}.
    @ivar port: 1 to 65535; 0 with a UNIX socket.
    @ivar maxConnections: L{None} for no limit.
    @ivar check: how it is checked; L{None} for as its group says. It can be given as
        a function or a word: see L{HealthCheck}.
    @ivar tls: how TLS is spoken to it; L{None} for as its group says.
    @ivar origin: the name of the source that has found it, such as C{dns:web.example}, 1 to
        255 printable characters; empty for a host that people own, be it in the
        configuration file or not.
    @ivar address: the address made of C{ipOrHost} and C{port}.
    """

    name: str = field(
        metadata=setting(
            Name("host"),
            "Its name, the only one of its kind in the group.",
            defaultDoc="``host.1``, ``host.2`` and so on, whichever is free",
            since=Since.OLD,
        )
    )
    ipOrHost: str
    port: int = 0
    address: Address = field(
        init=False,
        repr=False,
        compare=False,
        metadata=setting(HOST_ADDRESS, "Where it is reached.", word="ip", since=Since.OLD),
    )
    weight: int = settingField(
        1,
        Whole(0, MAX_WEIGHT),
        "Its share of the connections beside the other hosts' weights, for the schedulers "
        "that weigh. With 0 it gets nothing new.",
        since=Since.OLD,
    )
    maxConnections: int | None = settingField(
        None, Whole(1, 10**9), "How many connections it takes at once.", defaultDoc="no limit"
    )
    _: KW_ONLY
    state: str = settingField(
        "ready",
        Word(HOST_STATES),
        "The state that is wanted. With ``drain`` it gets nothing new, with ``maintenance`` it "
        "is not checked either.",
    )
    backup: bool = settingField(
        False,
        Boolean(),
        "Whether it gets clients only while fewer than the group's ``minimumUp`` of the "
        "others are up.",
    )
    check: Made[HealthCheck | None, CheckLike] = field(default=given(None))
    tls: Made[HostTLS | None, HostTLSLike] = field(default=given(None))
    origin: str = ""

    def __post_init__(self) -> None:
        whose = f"host {self.name!r}"
        checkSettings(self, whose)
        address = parseHostAddress((self.ipOrHost, self.port))
        if isinstance(address, TCPAddress):
            object.__setattr__(self, "ipOrHost", address.host)
        else:
            object.__setattr__(self, "port", 0)
        object.__setattr__(self, "address", address)
        object.__setattr__(self, "check", healthCheckOf(self.check, whose))
        if self.tls is not None:
            object.__setattr__(self, "tls", hostTLSOf(self.tls, whose))
        if self.origin != "":
            _checkOrigin(self.origin, whose)

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
        Make a host from its address in one piece, as in a configuration file.

        @param address: C{host:port}, C{[::1]:port} or C{unix:/path}.
        @param settings: the others, by name.
        @raise ModelError: something of it breaks a rule.
        """
        parsed = parseHostAddress(address)
        if isinstance(parsed, UNIXAddress):
            return cls(name, str(parsed), 0, weight, maxConnections, **settings)
        return cls(name, parsed.host, parsed.port, weight, maxConnections, **settings)


def _checkOrigin(origin: object, whose: str) -> None:
    if origin in PEOPLE:
        raise ModelError(
            f"origin of {whose} is {origin!r}, which the status says of hosts that people own; "
            "leave it out for such a host"
        )
    if not (isinstance(origin, str) and len(origin) <= MAX_NAME_LENGTH and origin.isprintable()):
        raise ModelError(
            f"origin of {whose} is {shown(origin)}; it is the name of a source, 1 to "
            f"{MAX_NAME_LENGTH} printable characters"
        )

"""
Services, as configured.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from txlb.errors import DuplicateName, ModelError, UnknownName, listed
from txlb.model._addresses import ListenAddress, isOneAddress
from txlb.model._checks import (
    checkItems,
    checkName,
    checkNumber,
    checkSeconds,
    checkUnique,
    checkWhole,
    checkWord,
    firstTwice,
    shown,
)
from txlb.model._groups import ProxyGroup
from txlb.model._listeners import Listener, ListenerLike, listenerOf
from txlb.model._networks import checkNetworks

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class ProxyService:
    """
    One thing that clients connect to: its listeners, and the groups of hosts that
    serve it.

    It can be made with C{addresses} in the place of C{listeners}: pairs of host and
    port, texts or addresses, of which each makes a listener. If both are given
    C{addresses} counts, as it does for L{dataclasses.replace}.

    @ivar name: its name, the only one in its balancer.
    @ivar listeners: where it listens; at least one.
    @ivar groups: exactly one of them is enabled.
    @ivar maxConnections: how many connections it has at once, 1 to 1,000,000;
        more are closed.
    @ivar connectTimeout: seconds that one host has to accept, 0.01 to 3600; each
        address of its name has so many.
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
    @ivar allow: networks of clients that may come in, as L{parseNetwork} reads
        them. Of all networks here and in C{deny} the most specific one that
        holds a client decides; where none does, clients may come in if C{allow}
        is empty.
    @ivar deny: networks of clients that may not.
    @ivar maxConnectionsPerClient: how many connections one client has at once, 1
        to 1,000,000; L{None} for no limit. A client is an IPv4 address or an IPv6
        network of 64 bits; those of UNIX sockets have no limits.
    @ivar ratePerClient: how many new connections a second one client gets, 0.001
        to 1,000,000; L{None} for no limit.
    @ivar burstPerClient: how many of them at once before the rate counts, 1 to
        1,000,000; L{None} for those of a second.
    @ivar enabledGroup: the group that gets the connections; found once, as each
        of them wants it.
    """

    name: str
    listeners: tuple[Listener, ...] = ()
    groups: tuple[ProxyGroup, ...] = ()
    maxConnections: int = field(default=10_000, kw_only=True)
    connectTimeout: float = field(default=5.0, kw_only=True)
    dialTimeout: float = field(default=10.0, kw_only=True)
    retries: int = field(default=3, kw_only=True)
    idleTimeout: float = field(default=3600.0, kw_only=True)
    finTimeout: float = field(default=60.0, kw_only=True)
    resolveInterval: float = field(default=30.0, kw_only=True)
    relay: str = field(default="auto", kw_only=True)
    allow: tuple[str, ...] = field(default=(), kw_only=True)
    deny: tuple[str, ...] = field(default=(), kw_only=True)
    maxConnectionsPerClient: int | None = field(default=None, kw_only=True)
    ratePerClient: float | None = field(default=None, kw_only=True)
    burstPerClient: int | None = field(default=None, kw_only=True)
    enabledGroup: ProxyGroup = field(init=False, repr=False, compare=False)

    if TYPE_CHECKING:
        # What it is made from is wider than what it holds.
        def __init__(
            self,
            name: str,
            addresses: Iterable[ListenerLike] = ...,
            groups: Iterable[ProxyGroup] = ...,
            *,
            listeners: Iterable[ListenerLike] = ...,
            maxConnections: int = ...,
            connectTimeout: float = ...,
            dialTimeout: float = ...,
            retries: int = ...,
            idleTimeout: float = ...,
            finTimeout: float = ...,
            resolveInterval: float = ...,
            relay: str = ...,
            allow: Iterable[str] = ...,
            deny: Iterable[str] = ...,
            maxConnectionsPerClient: int | None = ...,
            ratePerClient: float | None = ...,
            burstPerClient: int | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        checkName("service", self.name)
        whose = f"service {self.name!r}"
        if isOneAddress(self.listeners):
            raise ModelError(
                f"addresses of {whose} is {shown(self.listeners)}; it is a list of addresses, as "
                "in ['127.0.0.1:8080']"
            )
        listeners = tuple(listenerOf(each) for each in self.listeners)
        object.__setattr__(self, "listeners", listeners)
        groups = checkItems(self.groups, ProxyGroup, f"groups of {whose}")
        object.__setattr__(self, "groups", groups)
        if not listeners:
            raise ModelError(f"{whose} listens nowhere; give it at least one address")
        twice = firstTwice([str(each.place) for each in listeners if each.isFixed])
        if twice is not None:
            raise DuplicateName(
                f"{whose} listens twice on {twice}; each listener needs an address of its own"
            )
        checkUnique("group", (group.name for group in self.groups), whose)
        object.__setattr__(self, "enabledGroup", _enabledOf(groups, whose))
        checkWhole(self.maxConnections, f"maxConnections of {whose}", 1, 1_000_000)
        checkWhole(self.retries, f"retries of {whose}", 0, 100)
        for setting, least, most in _SECONDS:
            value = checkSeconds(getattr(self, setting), f"{setting} of {whose}", least, most)
            object.__setattr__(self, setting, value)
        checkWord(self.relay, f"relay of {whose}", ("auto", "fast", "portable"))
        self._checkAdmission(whose)

    def _checkAdmission(self, whose: str) -> None:
        allow, deny = checkNetworks(whose, self.allow, self.deny)
        object.__setattr__(self, "allow", allow)
        object.__setattr__(self, "deny", deny)
        for setting in ("maxConnectionsPerClient", "burstPerClient"):
            value = getattr(self, setting)
            if value is not None:
                checkWhole(value, f"{setting} of {whose}", 1, 1_000_000)
        if self.ratePerClient is not None:
            rate = checkNumber(self.ratePerClient, f"ratePerClient of {whose}", 0.001, 1e6)
            object.__setattr__(self, "ratePerClient", rate)

    @property
    def addresses(self) -> tuple[ListenAddress, ...]:
        """
        The addresses of the listeners.
        """
        return tuple(each.address for each in self.listeners)

    def getGroup(self, name: str) -> ProxyGroup:
        """
        Return the group of a name.

        @raise UnknownName: the service has no such group.
        """
        for group in self.groups:
            if group.name == name:
                return group
        raise UnknownName(f"group of service {self.name!r}", name, (g.name for g in self.groups))


def _takeAddresses(service: Any) -> None:
    """
    Let C{addresses} stand for C{listeners} when a service is made.

    The dataclass names the arguments of C{__init__} after its fields. The second one
    has been C{addresses} since 1.1.0, and programs give it by that name.
    """
    made = service.__init__

    def init(
        self: ProxyService,
        name: str,
        addresses: Any = (),
        groups: Any = (),
        *,
        listeners: Any = (),
        **settings: Any,
    ) -> None:
        made(self, name, listeners if addresses == () else addresses, groups, **settings)

    arguments = list(inspect.signature(init).parameters.values())
    # Tools that show arguments show the settings by their names.
    others = list(inspect.signature(made).parameters.values())
    settings = [each for each in others if each.name not in inspect.signature(init).parameters]
    service.__init__ = init
    service.__signature__ = inspect.Signature([*arguments[1:-1], *settings])


_takeAddresses(ProxyService)


def _enabledOf(groups: tuple[ProxyGroup, ...], whose: str) -> ProxyGroup:
    """
    The one group that gets the connections.

    @raise ModelError: there is none, or more than one.
    """
    enabled = [group for group in groups if group.enabled]
    if len(enabled) == 1:
        return enabled[0]
    if not groups:
        raise ModelError(f"{whose} has no group; it needs one, whose hosts get the connections")
    if not enabled:
        names = listed((repr(group.name) for group in groups), " or ")
        raise ModelError(
            f"{whose} has no enabled group; enable {names}, as exactly one gets the connections"
        )
    found = listed((repr(group.name) for group in enabled), " and ")
    raise ModelError(
        f"{whose} has {found} enabled; enable one of them, as exactly one gets the connections"
    )


#: The settings of a service that are seconds, with their ranges.
_SECONDS = (
    ("connectTimeout", 0.01, 3600.0),
    ("dialTimeout", 0.01, 3600.0),
    ("idleTimeout", 0.0, 7 * DAY),
    ("finTimeout", 0.0, 7 * DAY),
    ("resolveInterval", 1.0, DAY),
)

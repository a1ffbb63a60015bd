"""
Services, as configured.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from txlb.errors import DuplicateName, ModelError, UnknownName, listed
from txlb.model._addresses import ListenAddress, isOneAddress
from txlb.model._checks import checkItems, checkUnique, firstTwice, shown
from txlb.model._groups import ProxyGroup
from txlb.model._listeners import Listener, ListenerLike, listenerOf
from txlb.model._made import Made, given
from txlb.model._networks import checkNetworks
from txlb.model.kinds import DAY, WEEK, Name, Number, Seconds, Whole, Word
from txlb.model.settings import Since, checkSettings, setting, settingField, settingsOf


@dataclass(frozen=True, slots=True)
class ProxyService:
    """
    One thing that clients connect to: its listeners, and the groups of hosts that
    serve it. Its settings are described where they are declared, and in the reference of
    the configuration file.

    It can be made with C{addresses} in the place of C{listeners}: pairs of host and
    port, texts or addresses, of which each makes a listener. If both are given
    C{addresses} counts, as it does for L{dataclasses.replace}.

    @ivar listeners: the places where it listens; at least one.
    @ivar groups: exactly one of them is enabled.
    @ivar allow: networks of clients that may come in, as L{parseNetwork} reads
        them. Of all networks in C{allow} and C{deny} the most specific one that
        holds a client decides. A client that is in none may come in if C{allow} is empty.
    @ivar deny: networks of clients that may not come in.
    @ivar maxConnectionsPerClient: L{None} for no limit.
    @ivar ratePerClient: L{None} for no limit.
    @ivar burstPerClient: L{None} for those of a second.
    @ivar enabledGroup: the group that gets the connections; found once, as each
        of them wants it.
    """

    name: str = field(
        metadata=setting(
            Name("service"), "Its name, the only one of its kind in the file.", since=Since.OLD
        )
    )
    if TYPE_CHECKING:
        # See _takeAddresses.
        addresses: Made[tuple[ListenAddress, ...], Iterable[ListenerLike]] = field(
            default=given(())
        )
    else:
        listeners: Made[tuple[Listener, ...], Iterable[ListenerLike]] = field(default=given(()))
    groups: Made[tuple[ProxyGroup, ...], Iterable[ProxyGroup]] = field(default=given(()))
    _: KW_ONLY
    if TYPE_CHECKING:
        listeners: Made[tuple[Listener, ...], Iterable[ListenerLike]] = field(default=given(()))
    maxConnections: int = settingField(
        10_000,
        Whole(1, 1_000_000),
        "How many connections it has at once. A client over that is closed at once and counted.",
    )
    connectTimeout: float = settingField(
        5.0,
        Seconds(0.01, 3600.0),
        "Seconds that one host has to accept a connection. If its name has several addresses, "
        "each of them has so many.",
    )
    dialTimeout: float = settingField(
        10.0,
        Seconds(0.01, 3600.0),
        "Seconds that the search for a host takes at most, for one client.",
    )
    retries: int = settingField(
        3,
        Whole(0, 100),
        "How many other hosts are tried for a client, each once, if a host can't be reached.",
    )
    idleTimeout: float = settingField(
        3600.0,
        Seconds(0.0, WEEK, "never"),
        "Seconds without a byte in either direction after which a connection is closed.",
    )
    finTimeout: float = settingField(
        60.0, Seconds(0.0, WEEK, "never"), "The same, once one side has finished sending."
    )
    resolveInterval: float = settingField(
        30.0,
        Seconds(1.0, DAY),
        "Seconds between two look-ups of a host's name, give or take a little.",
    )
    relay: str = settingField(
        "auto",
        Word(("auto", "fast", "portable")),
        "Which relay moves the bytes: the fast one, raw sockets on Linux; the portable one, "
        "which works under every reactor; or the fast one where it can be used.",
    )
    allow: Made[tuple[str, ...], Iterable[str]] = field(default=given(()))
    deny: Made[tuple[str, ...], Iterable[str]] = field(default=given(()))
    maxConnectionsPerClient: int | None = settingField(
        None,
        Whole(1, 1_000_000),
        "How many connections one client has at once. A client is an IPv4 address, or an "
        "IPv6 network of 64 bits, which one customer has in most cases. Clients of UNIX "
        "sockets have no limits.",
        defaultDoc="no limit",
        part="admission",
    )
    ratePerClient: float | None = settingField(
        None,
        Number(0.001, 1e6, "connections a second"),
        "How many new connections one client gets. More are closed at once and counted.",
        defaultDoc="no limit",
        part="admission",
    )
    burstPerClient: int | None = settingField(
        None,
        Whole(1, 1_000_000),
        "How many new connections one client gets at once before ``ratePerClient`` counts.",
        defaultDoc="those of a second",
        part="admission",
    )
    enabledGroup: ProxyGroup = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whose = f"service {self.name!r}"
        checkSettings(self, whose)
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
        self._checkClones(listeners, whose)
        allow, deny = checkNetworks(whose, self.allow, self.deny)
        object.__setattr__(self, "allow", allow)
        object.__setattr__(self, "deny", deny)

    if not TYPE_CHECKING:

        @property
        def addresses(self) -> tuple[ListenAddress, ...]:
            """
            The addresses of the listeners.
            """
            return tuple(each.address for each in self.listeners)

    def withGroup(self, group: ProxyGroup) -> ProxyService:
        """
        Return this service with another group in the place of the one of its name. If the same
        group is enabled as before, nothing is checked again.

        @raise ModelError: not exactly one group is enabled then.
        @raise UnknownName: the service has no group of that name.
        """
        before = self.getGroup(group.name)
        groups = tuple(group if each is before else each for each in self.groups)
        if group.enabled is not before.enabled:
            return replace(self, groups=groups)
        changed = copy.copy(self)
        object.__setattr__(changed, "groups", groups)
        if group.enabled:
            object.__setattr__(changed, "enabledGroup", group)
        return changed

    @property
    def admission(self) -> tuple[object, ...]:
        """
        The settings that say which clients may come in, in the order of L{ADMISSION_SETTINGS}.
        """
        return tuple(getattr(self, name) for name in ADMISSION_SETTINGS)

    def _checkClones(self, listeners: Sequence[Listener], whose: str) -> None:
        """
        Check that nothing is asked for that a service can't have whose connections are
        accepted by clones.
        """
        cloned = next((group for group in self.groups if group.clones is not None), None)
        if cloned is None:
            return
        if self.maxConnectionsPerClient is not None:
            raise ModelError(
                f"{whose} has maxConnectionsPerClient, and its group {cloned.name!r} has clones, "
                "whose clients are not counted one by one; use ratePerClient, or hosts instead"
            )
        for each in listeners:
            if each.tls is not None:
                raise ModelError(
                    f"the listener of {whose} on {each.address} ends TLS, and its group "
                    f"{cloned.name!r} has clones, which get the connection and not the session; "
                    "let the application end TLS (ssl:), or use hosts instead"
                )
            if each.hasPreface and cloned.clones is not None and cloned.clones.sharing != "grants":
                raise ModelError(
                    f"the listener of {whose} on {each.address} reads what clients send first, and "
                    f"the clones of its group {cloned.name!r} accept by themselves; leave out "
                    f"sharing {cloned.clones.sharing!r}"
                )

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

#: The settings of a service that say which clients may come in.
ADMISSION_SETTINGS = ("allow", "deny", *settingsOf(ProxyService, "admission"))


def _enabledOf(groups: tuple[ProxyGroup, ...], whose: str) -> ProxyGroup:
    """
    Find the one group that gets the connections.

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

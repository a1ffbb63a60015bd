"""
Groups of hosts, as configured.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field

from txlb import schedulers
from txlb.errors import ModelError, UnknownName
from txlb.model._checks import checkItems, checkUnique
from txlb.model._cloneset import CloneSet, checkCloneSet
from txlb.model._discovery import Discovery, checkDiscovery
from txlb.model._health import CheckLike, HealthCheck, healthCheckOf
from txlb.model._hosts import ProxyHost
from txlb.model._hosttls import HostTLS, HostTLSLike, hostTLSOf
from txlb.model._made import Made, given
from txlb.model._resources import ResourceProbe, checkResourceProbe
from txlb.model._schedulerword import SchedulerWord
from txlb.model.kinds import Boolean, Name, Number, Seconds, Whole, Word
from txlb.model.settings import Since, checkSettings, setting, settingField, settingsOf


@dataclass(frozen=True, slots=True)
class ProxyGroup:
    """
    Hosts that do the same work, and how one of them is chosen. Its settings are described
    where they are declared, and in the reference of the configuration file. Those of the
    part C{scheduler} are given to the policy, if its L{schedulers.SchedulerKind} wants them.

    @ivar hosts: in the order of the configuration.
    @ivar sendProxy: L{None} for no header.
    @ivar resource: how the loads of its hosts are found out; L{None} for not at all.
    @ivar clones: the local processes that serve as hosts of it; L{None} for none.
    @ivar discover: the source of its hosts, beside those that are given; L{None} for none.
    @ivar check: how its hosts are checked, except those that have a check of their own;
        L{None} for not at all. It can be given as a function or a word: see L{HealthCheck}.
    """

    name: str = field(
        metadata=setting(
            Name("group"), "Its name, the only one of its kind in the service.", since=Since.OLD
        )
    )
    scheduler: str = settingField(
        schedulers.leastc,
        SchedulerWord(),
        "The policy by which the next host is chosen.",
        since=Since.OLD,
    )
    enabled: bool = settingField(
        False,
        Boolean(),
        "Whether this is the group that gets the connections.",
        word="enable",
        since=Since.OLD,
    )
    hosts: Made[tuple[ProxyHost, ...], Iterable[ProxyHost]] = field(default=given(()))
    _: KW_ONLY
    passiveFall: int = settingField(
        1, Whole(1, 100), "The number of failures to connect in a row that mark a host down."
    )
    whenAllDown: str = settingField(
        "try",
        Word(("try", "close")),
        "What the pool does while every host is down: it tries the hosts all the same, or "
        "closes the client at once.",
    )
    sendProxy: str | None = settingField(
        None,
        Word(("v1", "v2", "v2-ssl")),
        "Tell the host the client's address in a PROXY header of this version, before the "
        "client's own bytes. The host has to expect it. ``v2-ssl`` tells as well what is known of "
        "the client's TLS: the session, the name of the server, the protocol; and an identifier "
        "of the connection, the client's own if it came with one.",
        defaultDoc="no header",
    )
    passTLVs: bool = settingField(
        False,
        Boolean(),
        "Whether the header for the host has all other TLVs that came in the client's own PROXY "
        "header. It needs ``sendProxy`` of version 2.",
    )
    initialState: str = settingField(
        "up",
        Word(("up", "check")),
        "Whether a host gets clients until a check or a connection fails, or not before its "
        "first check has passed. A host that is not checked gets them at once.",
    )
    expectAnswer: bool = settingField(
        False,
        Boolean(),
        "Whether the protocol answers: a host that closes or resets a connection before the "
        "first byte of its own has failed then. Clients can cause that, so it marks at most a "
        "third of the group down, and never its last ready host.",
    )
    answerFall: int = settingField(
        5,
        Whole(1, 1000),
        "The number of connections without an answer in a row that mark a host down, with "
        "``expectAnswer``.",
    )
    flapHold: float = settingField(
        60.0,
        Seconds(0, 3600, zero="not holding any down"),
        "How long a host that goes down again and again is held down at most. It is not held "
        "the first time, it is held for 1 s the second time, and twice as long each time after "
        "that; a minute of being up takes one time back.",
    )
    whenDown: str = settingField(
        "keep",
        Word(("keep", "close")),
        "Whether the connections of a host are kept or closed when it goes down.",
    )
    maxQueue: int = settingField(
        0,
        Whole(0, 1_000_000, zero="none"),
        "How many clients wait while every host is full. They are served in the order of their "
        "arrival.",
    )
    queueTimeout: float = settingField(
        5.0,
        Seconds(0.01, 3600),
        "How long one of them waits, within the service's ``dialTimeout``.",
    )
    maxPending: int = settingField(
        1024,
        Whole(0, 1_000_000, zero="no limit"),
        "How many connections to one host are being opened at once. With so many its circuit "
        "opens: it gets none until half of them are through.",
    )
    backup: bool = settingField(
        False,
        Boolean(),
        "Whether the group gets the connections while the enabled one has fewer than "
        "``minimumUp`` hosts up.",
    )
    minimumUp: int = settingField(
        1, Whole(1, 10_000), "With fewer hosts up than this the backup is used."
    )
    holdDown: float = settingField(
        10.0,
        Seconds(0, 86400, zero="at once"),
        "How long enough hosts have to be up again before the backup is left.",
    )
    boundedLoad: float = settingField(
        0.0,
        Number(1.05, 100.0, zero="off"),
        "With the schedulers ``sticky`` and ``maglev``: how many times its fair share of the "
        "connections a host may have before its clients go on to the next. HAProxy's "
        "hash-balance-factor of 125 is 1.25.",
        part="scheduler",
    )
    choices: int = settingField(
        2,
        Whole(2, schedulers.MAX_CHOICES),
        "With the schedulers ``p2c`` and ``ewma``: how many hosts are drawn to choose the best of.",
        part="scheduler",
    )
    decay: float = settingField(
        10.0,
        Seconds(0.1, 3600.0),
        "With the scheduler ``ewma``: in how long a host's average time comes down to about "
        "a third when it is not used.",
        part="scheduler",
    )
    slowStart: float = settingField(
        0.0,
        Seconds(0, 3600, zero="off"),
        "Over how long the weight of a host grows, from near nothing to all of it, when it "
        "is added to a running balancer or comes back.",
    )
    resource: ResourceProbe | None = None
    clones: CloneSet | None = None
    discover: Discovery | None = None
    check: Made[HealthCheck | None, CheckLike] = field(default=given(None))
    tls: Made[HostTLS | None, HostTLSLike] = field(default=given(None))
    _byName: Mapping[str, ProxyHost] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whose = f"group {self.name!r}"
        checkSettings(self, whose)
        object.__setattr__(self, "hosts", checkItems(self.hosts, ProxyHost, f"hosts of {whose}"))
        checkUnique("host", (host.name for host in self.hosts), whose)
        # A group may have thousands, and each is looked for by its name.
        object.__setattr__(self, "_byName", {host.name: host for host in self.hosts})
        schedulers.checkHostCount(self.scheduler, len(self.hosts), whose)
        checkResourceProbe(self.resource, whose)
        if self.passTLVs and self.sendProxy in {None, "v1"}:
            raise ModelError(
                f'passTLVs of {whose} is True, which needs sendProxy="v2" or "v2-ssl"; no other '
                "header has TLVs"
            )
        checkCloneSet(self.clones, whose)
        checkDiscovery(self.discover, whose)
        object.__setattr__(self, "check", healthCheckOf(self.check, whose))
        object.__setattr__(self, "tls", hostTLSOf(self.tls, whose))

    @property
    def schedulerSettings(self) -> dict[str, float]:
        """
        The settings of its part C{scheduler}, by name.
        """
        return {name: getattr(self, name) for name in SCHEDULER_SETTINGS}

    def withHost(self, host: ProxyHost) -> ProxyGroup:
        """
        Return this group with another host in the place of the one of its name. Nothing is
        checked again: names and number of the hosts stay.

        @raise UnknownName: the group has no host of that name.
        """
        before = self.getHost(host.name)
        changed = copy.copy(self)
        hosts = tuple(host if each is before else each for each in self.hosts)
        object.__setattr__(changed, "hosts", hosts)
        object.__setattr__(changed, "_byName", {**self._byName, host.name: host})
        return changed

    def getHost(self, name: str) -> ProxyHost:
        """
        Find a host by its name.

        @raise UnknownName: the group has no such host.
        """
        try:
            return self._byName[name]
        except KeyError:
            raise UnknownName(f"host of group {self.name!r}", name, self._byName) from None


#: The settings of a group that a policy may want.
SCHEDULER_SETTINGS = tuple(settingsOf(ProxyGroup, "scheduler"))

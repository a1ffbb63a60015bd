"""
Groups of hosts, as configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from txlb import schedulers
from txlb.errors import UnknownName
from txlb.model._checks import (
    checkBoolean,
    checkFactor,
    checkItems,
    checkName,
    checkSeconds,
    checkUnique,
    checkWhole,
    checkWord,
)
from txlb.model._health import CheckLike, HealthCheck, healthCheckOf
from txlb.model._hosts import ProxyHost
from txlb.model._resources import ResourceProbe, checkResourceProbe

#: The settings of a group that are about its policy. Which of them a policy
#: wants, its L{schedulers.SchedulerKind} says.
SCHEDULER_SETTINGS = ("boundedLoad", "choices", "decay")

#: The least and the most of these, but for 0, which is no bound.
BOUNDED_LOAD = (1.05, 100.0)

#: The least and the most, in seconds.
DECAY = (0.1, 3600.0)


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
    @ivar initialState: hosts are C{up} until told otherwise, or those that are
        checked get nobody before their first C{check}.
    @ivar expectAnswer: whether its protocol answers, so that a host which closes
        a connection before its first byte has failed.
    @ivar answerFall: connections without an answer in a row that put a host
        out, 1 to 1000.
    @ivar flapHold: seconds that a host which goes down again and again is held
        down at most, at most an hour; 0 to hold none.
    @ivar whenDown: C{keep} the connections of a host that has gone down, or
        C{close} them.
    @ivar maxQueue: how many clients wait while every host is full, at most
        1,000,000; 0 for none.
    @ivar queueTimeout: seconds that one of them waits, 0.01 to 3600.
    @ivar maxPending: connections to one host that are being opened at once, at
        most 1,000,000; with more of them it gets none. 0 for no limit.
    @ivar minimumUp: with fewer hosts up than this the backup is used, 1 to
        10,000: the group's backup hosts, and of an enabled group the service's
        backup groups.
    @ivar holdDown: seconds that enough hosts have to be up again before the
        backup is left, at most a day.
    @ivar backup: whether the group stands in for the enabled one. The enabled
        one itself is none.
    @ivar boundedLoad: with C{sticky} and C{maglev}, how many times its fair share
        of the connections a host may have before its clients go on to the next,
        1.05 to 100; 0 for any number.
    @ivar choices: with C{p2c} and C{ewma}, how many hosts are drawn to choose the
        best of, 2 to 16.
    @ivar decay: with C{ewma}, seconds in which a host's average time comes down to
        about a third, 0.1 to 3600.
    @ivar slowStart: seconds over which the weight of a host grows that is added
        to a running group or came back, at most an hour; 0 for at once.
    @ivar resource: how it is found out what its hosts have left; L{None} for
        not at all.
    @ivar check: how its hosts are checked, but for those that have a check of
        their own; L{None} for not at all. It can be given as a function or a word:
        see L{HealthCheck}.
    """

    name: str
    scheduler: str = schedulers.leastc
    enabled: bool = False
    hosts: Sequence[ProxyHost] = ()
    passiveFall: int = field(default=1, kw_only=True)
    whenAllDown: str = field(default="try", kw_only=True)
    sendProxy: str | None = field(default=None, kw_only=True)
    initialState: str = field(default="up", kw_only=True)
    expectAnswer: bool = field(default=False, kw_only=True)
    answerFall: int = field(default=5, kw_only=True)
    flapHold: float = field(default=60.0, kw_only=True)
    whenDown: str = field(default="keep", kw_only=True)
    maxQueue: int = field(default=0, kw_only=True)
    queueTimeout: float = field(default=5.0, kw_only=True)
    maxPending: int = field(default=1024, kw_only=True)
    minimumUp: int = field(default=1, kw_only=True)
    holdDown: float = field(default=10.0, kw_only=True)
    backup: bool = field(default=False, kw_only=True)
    boundedLoad: float = field(default=0.0, kw_only=True)
    choices: int = field(default=2, kw_only=True)
    decay: float = field(default=10.0, kw_only=True)
    slowStart: float = field(default=0.0, kw_only=True)
    resource: ResourceProbe | None = field(default=None, kw_only=True)
    check: HealthCheck | None = field(default=None, kw_only=True)
    _byName: Mapping[str, ProxyHost] = field(init=False, repr=False, compare=False)

    if TYPE_CHECKING:
        # What it is made from is wider than what it holds.
        def __init__(
            self,
            name: str,
            scheduler: str = ...,
            enabled: bool = ...,
            hosts: Iterable[ProxyHost] = ...,
            *,
            passiveFall: int = ...,
            whenAllDown: str = ...,
            sendProxy: str | None = ...,
            initialState: str = ...,
            expectAnswer: bool = ...,
            answerFall: int = ...,
            flapHold: float = ...,
            whenDown: str = ...,
            maxQueue: int = ...,
            queueTimeout: float = ...,
            maxPending: int = ...,
            minimumUp: int = ...,
            holdDown: float = ...,
            backup: bool = ...,
            boundedLoad: float = ...,
            choices: int = ...,
            decay: float = ...,
            slowStart: float = ...,
            resource: ResourceProbe | None = ...,
            check: CheckLike = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        checkName("group", self.name)
        object.__setattr__(self, "scheduler", schedulers.canonicalWord(self.scheduler))
        whose = f"group {self.name!r}"
        for setting in ("enabled", "expectAnswer", "backup"):
            checkBoolean(getattr(self, setting), f"{setting} of {whose}")
        object.__setattr__(self, "hosts", checkItems(self.hosts, ProxyHost, f"hosts of {whose}"))
        checkUnique("host", (host.name for host in self.hosts), whose)
        # A group may have thousands, and each is looked for by its name.
        object.__setattr__(self, "_byName", {host.name: host for host in self.hosts})
        for setting, least, most in _WHOLE:
            checkWhole(getattr(self, setting), f"{setting} of {whose}", least, most)
        for setting, shortest, longest in _SECONDS:
            value = checkSeconds(getattr(self, setting), f"{setting} of {whose}", shortest, longest)
            object.__setattr__(self, setting, value)
        for setting, words in _WORDS:
            checkWord(getattr(self, setting), f"{setting} of {whose}", words)
        if self.sendProxy is not None:
            checkWord(self.sendProxy, f"sendProxy of {whose}", ("v1", "v2"))
        self._checkScheduler(whose)
        checkResourceProbe(self.resource, whose)
        object.__setattr__(self, "check", healthCheckOf(self.check, whose))

    def _checkScheduler(self, whose: str) -> None:
        schedulers.checkHostCount(self.scheduler, len(self.hosts), whose)
        bound = checkFactor(self.boundedLoad, f"boundedLoad of {whose}", *BOUNDED_LOAD)
        object.__setattr__(self, "boundedLoad", bound)
        checkWhole(self.choices, f"choices of {whose}", 2, schedulers.MAX_CHOICES)
        decay = checkSeconds(self.decay, f"decay of {whose}", *DECAY)
        object.__setattr__(self, "decay", decay)

    @property
    def schedulerSettings(self) -> dict[str, float]:
        """
        The settings that are about its policy, whichever that is.
        """
        return {name: getattr(self, name) for name in SCHEDULER_SETTINGS}

    def getHost(self, name: str) -> ProxyHost:
        """
        @raise UnknownName: the group has no such host.
        """
        try:
            return self._byName[name]
        except KeyError:
            raise UnknownName(f"host of group {self.name!r}", name, self._byName) from None


#: The settings of a group that are whole numbers, seconds and words.
_WHOLE = (
    ("passiveFall", 1, 100),
    ("answerFall", 1, 1000),
    ("maxQueue", 0, 1_000_000),
    ("maxPending", 0, 1_000_000),
    ("minimumUp", 1, 10_000),
)
_SECONDS = (
    ("flapHold", 0.0, 3600.0),
    ("queueTimeout", 0.01, 3600.0),
    ("holdDown", 0.0, 86400.0),
    ("slowStart", 0.0, 3600.0),
)
_WORDS = (
    ("whenAllDown", ("try", "close")),
    ("initialState", ("up", "check")),
    ("whenDown", ("keep", "close")),
)

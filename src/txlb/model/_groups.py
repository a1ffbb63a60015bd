"""
Groups of hosts, as configured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from txlb import schedulers
from txlb.errors import ModelError, UnknownName
from txlb.model._checks import checkName, checkUnique, checkWhole, checkWord
from txlb.model._health import HealthCheck, checkHealthCheck
from txlb.model._hosts import ProxyHost


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
    @ivar check: how its hosts are checked, but for those that have a check of
        their own; L{None} for not at all.
    """

    name: str
    scheduler: str = schedulers.leastc
    enabled: bool = False
    hosts: Sequence[ProxyHost] = ()
    passiveFall: int = field(default=1, kw_only=True)
    whenAllDown: str = field(default="try", kw_only=True)
    sendProxy: str | None = field(default=None, kw_only=True)
    check: HealthCheck | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        checkName("group", self.name)
        object.__setattr__(self, "scheduler", schedulers.canonicalWord(self.scheduler))
        if not isinstance(self.enabled, bool):
            raise ModelError(
                f"enabled of group {self.name!r} is {self.enabled!r}, not True or False"
            )
        object.__setattr__(self, "hosts", tuple(self.hosts))
        checkUnique("host", (host.name for host in self.hosts), f"group {self.name!r}")
        checkWhole(self.passiveFall, f"passiveFall of group {self.name!r}", 1, 100)
        checkWord(self.whenAllDown, f"whenAllDown of group {self.name!r}", ("try", "close"))
        if self.sendProxy is not None:
            checkWord(self.sendProxy, f"sendProxy of group {self.name!r}", ("v1", "v2"))
        checkHealthCheck(self.check, f"group {self.name!r}")

    def getHost(self, name: str) -> ProxyHost:
        """
        @raise UnknownName: the group has no such host.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        raise UnknownName(f"host of group {self.name!r}", name, (host.name for host in self.hosts))

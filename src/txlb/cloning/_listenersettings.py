"""
How the connections of one listening socket come to the clones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from txlb.cloning._rendezvous import CloningError
from txlb.cloning._sharing import Sharing, sharingNamed
from txlb.errors import ModelError
from txlb.model import HostMapper, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Admission
from txlb.schedulers import schedulerKind


@dataclass(frozen=True)
class ListenerSettings:
    """
    How the connections of one listening socket come to the clones.

    @ivar group: its scheduler and its other settings.
    @ivar service: the clients that are admitted.
    @ivar maxConnections: the most that a clone has; L{None} for no limit. Clients wait in
        the accept queue.
    @ivar sharing: how the clones share them.
    """

    group: ProxyGroup
    service: ProxyService
    maxConnections: int | None = None
    sharing: Sharing = Sharing.GRANTS

    @classmethod
    def of(
        cls,
        scheduler: str = "leastc",
        maxConnections: int | None = None,
        hosts: Iterable[HostMapper | ProxyHost] = (),
        sharing: Sharing = Sharing.GRANTS,
        slowStart: float = 0.0,
        **admission: Any,
    ) -> ListenerSettings:
        """
        Make them from single settings.

        @param hosts: the hosts beside the clones. Of a mapper the host counts alone.
        @param sharing: how the clones share the connections.
        @param slowStart: seconds in which the weight of a clone that has come grows.
        @param admission: settings of a L{ProxyService} that tell which clients are admitted.
        @raise txlb.errors.ModelError: a setting breaks a rule.
        """
        remote = [each.proxyHost() if isinstance(each, HostMapper) else each for each in hosts]
        group = ProxyGroup(
            "clones", scheduler, True, hosts=remote, whenAllDown="close", slowStart=slowStart
        )
        service = ProxyService("clones", ["unix:clones"], [group], **admission)
        # The host that a clone is checks the limit.
        ProxyHost.at("clones", "unix:clone", maxConnections=maxConnections)
        return cls(group, service, maxConnections, sharing)

    def groupNamed(self, name: str, enabled: bool) -> ProxyGroup:
        """
        Make the group of a listener's pool.
        """
        return replace(self.group, name=name, enabled=enabled)

    def usual(self, name: str) -> ProxyHost:
        """
        Make the host of a name as the application's file says it is.

        @param name: of a clone, or of a host beside the clones.
        """
        for each in self.group.hosts:
            if each.name == name:
                return each
        return ProxyHost.at(name, f"unix:{name}", maxConnections=self.maxConnections)

    @property
    def whyPassed(self) -> str:
        """
        The reason why the manager has to accept connections and to pass them on; see
        L{whyPassed}.
        """
        return whyPassed(self.service, self.group)


#: The policy that chooses a clone if a program names none.
DEFAULT_SCHEDULER = "leastc"

#: The names that clones get.
_NAME_OF_CLONE = re.compile("clone[0-9]+")

#: The settings of a service that tell which clients are admitted to clones.
ADMISSION = ("allow", "deny", "ratePerClient", "burstPerClient")


def listenerSettings(
    scheduler: str,
    maxConnections: int | None = None,
    admission: Mapping[str, Any] = MappingProxyType({}),
    hosts: Sequence[HostMapper | ProxyHost] = (),
    sharing: str = Sharing.GRANTS.value,
    slowStart: float = 0.0,
) -> ListenerSettings:
    """
    Make the settings that a program gives.

    @raise CloningError: one of them is unknown, or breaks a rule.
    """
    for name in admission:
        if name not in ADMISSION:
            raise CloningError(
                f"{name!r} is no setting of clones; there are also {', '.join(ADMISSION)}"
            )
    if not isinstance(hosts, (list, tuple)):
        raise CloningError(f"hosts is {hosts!r:.100}; give a list of hosts")
    for each in hosts:
        _checkHost(each)
    how = sharingNamed(sharing)
    _checkSharing(how, scheduler, hosts)
    try:
        return ListenerSettings.of(scheduler, maxConnections, hosts, how, slowStart, **admission)
    except ModelError as problem:
        raise CloningError(str(problem)) from None


def _checkSharing(sharing: Sharing, scheduler: str, hosts: Sequence[object]) -> None:
    """
    Check that nothing is asked for that needs grants, if there are to be none.

    @raise CloningError: there is something.
    """
    if sharing is Sharing.GRANTS:
        return
    word = sharing.value
    if scheduler != DEFAULT_SCHEDULER:
        raise CloningError(
            f"sharing is {word!r}, so that no scheduler chooses a clone, and scheduler is "
            f"{scheduler!r}: leave out one of them"
        )
    if hosts:
        raise CloningError(
            f"sharing is {word!r}, so that the clones get all connections, and there are hosts "
            "beside them: leave out one of them"
        )


def _checkHost(host: object) -> None:
    """
    Check a host beside the clones.

    @raise CloningError: it is none, or its name is that of a clone.
    """
    if not isinstance(host, (HostMapper, ProxyHost)):
        raise CloningError(
            f"hosts has {host!r:.100}; give ProxyHost.at(NAME, 'ADDRESS:PORT') for each host"
        )
    name = host.host if isinstance(host, HostMapper) else host.name
    if _NAME_OF_CLONE.fullmatch(name):
        raise CloningError(f"host {name!r} has the name of a clone; give it another one")


def whyPassed(service: ProxyService, group: ProxyGroup) -> str:
    """
    Tell why the clone for a connection can't be chosen before the connection is accepted, so
    that the manager has to accept it and to pass it on.

    @return: the reason; an empty text if permits are enough.
    """
    if schedulerKind(group.scheduler).needsClient:
        return f"the scheduler {group.scheduler} looks at the client's address"
    if Admission(service).active:
        return "which clients are admitted depends on their addresses"
    return ""

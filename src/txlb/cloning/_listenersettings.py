"""
How the connections of one listening socket come to the clones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from txlb.cloning._rendezvous import CloningError
from txlb.errors import ModelError
from txlb.model import ProxyGroup, ProxyHost, ProxyService
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
    """

    group: ProxyGroup
    service: ProxyService
    maxConnections: int | None = None

    @classmethod
    def of(
        cls,
        scheduler: str = "leastc",
        maxConnections: int | None = None,
        **admission: Any,
    ) -> ListenerSettings:
        """
        Make them from single settings.

        @param admission: settings of a L{ProxyService} that tell which clients are admitted.
        @raise txlb.errors.ModelError: a setting breaks a rule.
        """
        group = ProxyGroup("clones", scheduler, True, whenAllDown="close")
        service = ProxyService("clones", ["unix:clones"], [group], **admission)
        # The host that a clone is checks the limit.
        ProxyHost.at("clones", "unix:clone", maxConnections=maxConnections)
        return cls(group, service, maxConnections)

    def groupNamed(self, name: str, enabled: bool) -> ProxyGroup:
        """
        Make the group of a listener's pool.
        """
        return replace(self.group, name=name, enabled=enabled)

    @property
    def whyPassed(self) -> str:
        """
        The reason why the manager has to accept connections and to pass them on; see
        L{whyPassed}.
        """
        return whyPassed(self.service, self.group)


#: The settings of a service that tell which clients are admitted to clones.
ADMISSION = ("allow", "deny", "ratePerClient", "burstPerClient")


def listenerSettings(
    scheduler: str,
    maxConnections: int | None = None,
    admission: Mapping[str, Any] = MappingProxyType({}),
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
    try:
        return ListenerSettings.of(scheduler, maxConnections, **admission)
    except ModelError as problem:
        raise CloningError(str(problem)) from None


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

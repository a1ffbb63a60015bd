"""
The monitor: asks hosts again and again what they have left.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from random import Random as RandomSource
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from txlb.deadlines import Backlog, Deadlines
from txlb.errors import ModelError, UnknownName
from txlb.manager import ProxyManager
from txlb.model import CLONES, ProxyService
from txlb.pool import Event, EventKind
from txlb.resources._kind import makeProbe
from txlb.resources._probedhost import ProbedHost
from txlb.schedulers import Key

#: Probes under way at once.
MAX_PROBES = 100

#: The share by which an interval is longer or shorter at most, at random, so that several
#: balancers don't ask in step.
JITTER = 0.1

#: The events after which all hosts of a service or group may have to be asked in another way.
_OF_GROUPS = frozenset(
    {
        EventKind.SERVICE_ADDED,
        EventKind.GROUP_ADDED,
        EventKind.SCHEDULER_CHANGED,
        EventKind.SETTING_CHANGED,
    }
)

_log = Logger()


class ResourceMonitor(Service):
    """
    A service that asks every host of the groups with a probe what it has left, and reports
    that to the pool of the host. It follows hosts that come and go, and probes that are
    changed. A probe that fails is logged once and not reported: the pool forgets the load of a
    host by itself, and marks no host down.

    @param manager: has the hosts.
    @param reactor: makes the connections.
    @param deadlines: has the times of probes.
    @param maxProbes: probes under way at once, at least 1; more wait their turn.
    @param source: the source of chance.
    """

    def __init__(
        self,
        manager: ProxyManager,
        reactor: Any,
        deadlines: Deadlines,
        *,
        maxProbes: int = MAX_PROBES,
        source: RandomSource | None = None,
    ) -> None:
        self._manager = manager
        self._reactor = reactor
        self.deadlines = deadlines
        self._random = source if source is not None else random.Random()
        self.semaphore = DeferredSemaphore(maxProbes)
        self._probed: dict[Key, ProbedHost] = {}
        self._said: set[tuple[str, str]] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._backlog: Backlog[Key] = Backlog(deadlines, self._follow)

    # Start and stop

    def startService(self) -> None:
        """
        Begin to ask. The first probes are spread over the interval.
        """
        super().startService()
        self._unsubscribe = self._manager.subscribe(self._happened)
        self._followAll()

    def stopService(self) -> None:
        """
        Ask no more. Probes under way are cancelled.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._backlog.clear()
        for probed in self._probed.values():
            probed.stop()
        self._probed.clear()

    def verifyAll(self, service: ProxyService) -> None:
        """
        Check that all probes of a service can be made.

        @raise ModelError: one can't be made as it is configured.
        """
        for group in service.groups:
            if group.resource is not None:
                try:
                    makeProbe(group.resource, self._reactor)
                except (ModelError, UnknownName) as error:
                    where = f"{service.name}/{group.name}"
                    raise ModelError(f"the resource probe of {where}: {error}") from None

    # Hosts

    def _happened(self, event: Event) -> None:
        if len(event.key) == 3:
            key = event.key[0], event.key[1], event.key[2]
            if event.kind is EventKind.HOST_REMOVED:
                self._drop(key)
            elif event.kind is EventKind.HOST_ADDED:
                self._backlog.add((key,))
        elif event.kind in _OF_GROUPS:
            self._followAll(*event.key)

    def _followAll(self, serviceName: str | None = None, groupName: str | None = None) -> None:
        """
        Ask the hosts as they are to be asked now.

        @param serviceName: only those of this service.
        @param groupName: only those of this group of it.
        """
        services = self._manager.services
        names = tuple(services) if serviceName is None else (serviceName,)
        for name in names:
            for group in services[name].groups if name in services else ():
                if groupName in {None, group.name}:
                    if group.resource is None and group.scheduler == "resource":
                        self._sayByWeight(name, group.name)
                    keys = (
                        (name, group.name, host.name)
                        for host in group.hosts
                        if host.origin != CLONES
                    )
                    asked = group.resource is not None
                    self._backlog.add(key for key in keys if asked or key in self._probed)

    def _sayByWeight(self, serviceName: str, groupName: str) -> None:
        if (serviceName, groupName) not in self._said:
            self._said.add((serviceName, groupName))
            _log.warn(
                "group {group!r} of service {service!r} has the scheduler 'resource' but no "
                "<resource>, so its hosts report no loads and are chosen by weight",
                group=groupName,
                service=serviceName,
            )

    def _follow(self, key: Key) -> None:
        """
        Ask a host as it is to be asked now.
        """
        before = self._probed.get(key)
        try:
            settings = self._manager.getGroup(key[0], key[1]).resource
            pool = self._manager.getPool(key[0], key[1])
        except UnknownName:
            # It was removed meanwhile.
            settings = None
        if settings is None:
            self._drop(key)
            return
        if before is not None and before.settings == settings and before.isOf(pool):
            return
        self._drop(key)
        try:
            probe = makeProbe(settings, self._reactor)
            host = pool.getHost(key[2])
        except (ModelError, UnknownName) as error:
            _log.error("not probed: {error}", error=error)
            return
        self._probed[key] = probed = ProbedHost(self, pool, host, probe, settings)
        probed.later(settings.interval * self._random.random())

    def _drop(self, key: Key) -> None:
        probed = self._probed.pop(key, None)
        if probed is not None:
            probed.stop()

    def stretch(self) -> float:
        """
        Return a random factor for an interval.
        """
        return 1 + JITTER * (2 * self._random.random() - 1)

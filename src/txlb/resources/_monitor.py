"""
The monitor: asks hosts what they have left, again and again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from random import Random as RandomSource
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline, Deadlines
from txlb.errors import ModelError, UnknownName
from txlb.interfaces import IResourceProbe
from txlb.manager import ProxyManager
from txlb.model import Address, ProxyService, ResourceProbe, TCPAddress
from txlb.pool import Event, EventKind, Host, HostPool
from txlb.resources._connecting import ProbeFailed
from txlb.resources._kind import makeProbe
from txlb.resources._target import ProbeTarget
from txlb.schedulers import Key

#: Probes under way at once.
MAX_PROBES = 100

#: How far an interval is stretched or shortened.
JITTER = 0.1

_log = Logger()


class ResourceMonitor(Service):
    """
    Asks every host of the groups that have a probe what it has left, and reports
    that to its pool. It follows hosts that come and go, and probes that are
    changed. What can't be had is logged once and reported to nobody: the pool
    forgets by itself, and no host goes down by it.

    @param manager: whose hosts.
    @param reactor: makes the connections.
    @param deadlines: when to ask next.
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
        self._probed: dict[Key, Probed] = {}
        self._said: set[tuple[str, str]] = set()
        self._unsubscribe: Callable[[], None] | None = None

    # Life

    def startService(self) -> None:
        """
        Begin. The first probes are spread over the interval.
        """
        super().startService()
        self._unsubscribe = self._manager.subscribe(self._happened)
        self._followAll()

    def stopService(self) -> None:
        """
        Ask no more; probes under way are cancelled.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for probed in self._probed.values():
            probed.stop()
        self._probed.clear()

    def verifyAll(self, service: ProxyService) -> None:
        """
        See that all probes of a service can be made.

        @raise ModelError: one can't be as it is configured.
        """
        for group in service.groups:
            if group.resource is not None:
                try:
                    makeProbe(group.resource, self._reactor)
                except (ModelError, UnknownName) as error:
                    where = f"{service.name}/{group.name}"
                    raise ModelError(f"the resource probe of {where}: {error}") from None

    # Who is asked

    def _happened(self, event: Event) -> None:
        if event.kind is EventKind.HOST_REMOVED:
            self._drop((event.key[0], event.key[1], event.key[2]))
        elif event.kind is EventKind.HOST_ADDED or len(event.key) < 3:
            self._followAll()

    def _followAll(self) -> None:
        wanted: dict[Key, ResourceProbe] = {}
        for service in self._manager.services.values():
            for group in service.groups:
                if group.resource is not None:
                    for host in group.hosts:
                        wanted[service.name, group.name, host.name] = group.resource
                elif group.scheduler == "resource":
                    self._sayByWeight(service.name, group.name)
        for key in [key for key in self._probed if key not in wanted]:
            self._drop(key)
        for key, settings in wanted.items():
            self._follow(key, settings)

    def _sayByWeight(self, serviceName: str, groupName: str) -> None:
        if (serviceName, groupName) not in self._said:
            self._said.add((serviceName, groupName))
            _log.warn(
                "group {group!r} of service {service!r} has the scheduler 'resource' but no "
                "<resource>, so nobody knows its hosts' loads: they are chosen by weight",
                group=groupName,
                service=serviceName,
            )

    def _follow(self, key: Key, settings: ResourceProbe) -> None:
        pool = self._manager.getPool(key[0], key[1])
        before = self._probed.get(key)
        if before is not None and before.settings == settings and before.isOf(pool):
            return
        self._drop(key)
        try:
            probe = makeProbe(settings, self._reactor)
            host = pool.getHost(key[2])
        except (ModelError, UnknownName) as error:
            _log.error("not probed: {error}", error=error)
            return
        self._probed[key] = probed = Probed(self, pool, host, probe, settings)
        probed.later(settings.interval * self._random.random())

    def _drop(self, key: Key) -> None:
        probed = self._probed.pop(key, None)
        if probed is not None:
            probed.stop()

    def stretch(self) -> float:
        """
        What an interval is multiplied by this time.
        """
        return 1 + JITTER * (2 * self._random.random() - 1)


class Probed:
    """
    One host that is asked. Owned by the monitor.
    """

    def __init__(
        self,
        monitor: ResourceMonitor,
        pool: HostPool,
        host: Host,
        probe: IResourceProbe,
        settings: ResourceProbe,
    ) -> None:
        self.settings = settings
        self._monitor = monitor
        self._pool = pool
        self._host = host
        self._probe = probe
        self._next: Deadline | None = None
        self._patience: Deadline | None = None
        self._asking: Deferred[Any] | None = None
        self._began = 0.0
        self._stopped = False
        self._timedOut = False
        # What went wrong last, so that it is said once.
        self._trouble = ""

    def isOf(self, pool: HostPool) -> bool:
        """
        Whether it is this pool's host.
        """
        return pool is self._pool

    def later(self, seconds: float) -> None:
        """
        Ask in so many seconds.
        """
        self._next = self._monitor.deadlines.after(seconds, self._ask)

    def stop(self) -> None:
        """
        Ask no more.
        """
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
        if self._asking is not None:
            self._asking.cancel()

    def _ask(self) -> None:
        self._began = self._monitor.deadlines.seconds()
        self._asking = self._monitor.semaphore.run(self._start)
        self._asking.addCallback(self._answered)
        self._asking.addErrback(self._failed)
        self._asking.addErrback(lambda reason: _log.failure("a probe went wrong", reason))
        self._asking.addCallback(self._again)

    def _start(self) -> Deferred[float | None]:
        if self._stopped:
            raise ProbeFailed("nobody wants to know any more")
        address, *others = addressesOf(self._host, self.settings.port)
        weight = max(self._host.weight, 1)
        timeout = self.settings.patience
        self._timedOut = False
        # A port of the probe's own says nothing of where clients are served.
        reached = self._reached if self.settings.port is None else None
        asked = self._probe.probe(
            ProbeTarget(self._host.key, address, weight, timeout, tuple(others), reached)
        )
        patience = self._monitor.deadlines.patience(timeout, lambda: self._late(asked))

        def over(result: Any) -> Any:
            patience.cancel()
            return result

        return asked.addBoth(over)

    def _reached(self, address: Address) -> None:
        if not self._stopped:
            self._pool.reportReached(self._host.name, address)

    def _late(self, asked: Deferred[float | None]) -> None:
        self._timedOut = True
        asked.cancel()

    def _answered(self, available: float | None) -> None:
        if self._stopped:
            return
        if available is None:
            raise ProbeFailed("the answer does not say what is left")
        self._pool.reportLoad(self._host.name, available)
        if self._trouble:
            self._trouble = ""
            _log.info("{host} says again what it has left", host="/".join(self._host.key))

    def _failed(self, reason: Failure) -> None:
        if self._stopped:
            return
        if self._timedOut:
            trouble = f"no answer in {self.settings.patience:g} s"
        elif reason.check(ProbeFailed, OSError) or _isOfConnecting(reason):
            trouble = reason.getErrorMessage()
        else:
            _log.failure("the probe of {host} is broken", reason, host="/".join(self._host.key))
            trouble = "the probe is broken"
        if not self._trouble:
            _log.warn(
                "{host} does not say what it has left: {trouble}",
                host="/".join(self._host.key),
                trouble=trouble,
            )
        self._trouble = trouble

    def _again(self, ignored: object) -> None:
        self._asking = None
        if not self._stopped:
            due = self._began + self.settings.interval * self._monitor.stretch()
            self.later(max(due - self._monitor.deadlines.seconds(), 0.0))


def addressesOf(host: Host, port: int | None) -> tuple[Address, ...]:
    """
    Where a host is asked, the preferred address first. What is on a UNIX socket is on
    this machine.

    @param port: the probe's own port; L{None} for where the traffic goes.
    @raise ProbeFailed: the host's name has no address yet.
    """
    if not host.addresses:
        raise ProbeFailed(f"{host.configured.ipOrHost} has no address yet")
    addresses = host.addressesFrom(host.address)
    if port is None:
        return addresses
    return tuple(
        replace(each, port=port) if isinstance(each, TCPAddress) else TCPAddress("127.0.0.1", port)
        for each in addresses
    )


def _isOfConnecting(reason: Failure) -> bool:
    module: str = type(reason.value).__module__
    return module.startswith(("twisted.internet", "twisted.web"))

"""
Which hosts a pool has, and by which policy one of them is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random as RandomSource
from typing import Any

from txlb.errors import DuplicateName, UnknownName
from txlb.interfaces import IScheduler
from txlb.model import Address, ProxyGroup, ProxyHost, checkWeight
from txlb.pool._events import Details, Event, EventKind, changed
from txlb.pool._host import Host
from txlb.pool._rotation import Rotation
from txlb.pool._weighing import Weighing
from txlb.schedulers import leastc, schedulerFactory, schedulerKind, schedulerWords

#: All that is told of a host once it was deleted.
OF_LEAVING = frozenset({EventKind.HOST_REMOVED, EventKind.HOST_GONE})


class Members:
    """
    The hosts of a pool. L{txlb.pool.HostPool} adds the work that they do.
    """

    def __init__(
        self,
        scheduler: str | IScheduler = leastc,
        hosts: Iterable[ProxyHost] = (),
        *,
        service: str = "",
        group: str = "",
        settings: ProxyGroup | None = None,
        seconds: Callable[[], float] = time.monotonic,
        random: RandomSource | None = None,
        publish: Callable[[Event], None] | None = None,
        **more: Any,
    ) -> None:
        self.service = service
        self.group = group
        self.settings = replace(settings or ProxyGroup("pool"), **more)
        self.seconds = seconds
        self._random = random if random is not None else RandomSource()
        self._publish = publish
        self._hosts: dict[str, Host] = {}
        self._leaving: dict[int, Host] = {}
        self._added = 0
        self._rotation = Rotation(self._made(scheduler))
        self._weighing = Weighing(lambda: self.settings, self._rotation.refresh, self._tell)
        for host in hosts:
            self.addHost(host)
        self._weighing.running = True

    # Hosts

    @property
    def hosts(self) -> list[Host]:
        """
        The hosts that are configured, in the order in which they were added.
        """
        return list(self._hosts.values())

    @property
    def leaving(self) -> list[Host]:
        """
        The hosts that were deleted and wait for their leases to end.
        """
        return list(self._leaving.values())

    def getHost(self, name: str) -> Host:
        """
        @raise UnknownName: there is no such host.
        """
        try:
            return self._hosts[name]
        except KeyError:
            raise UnknownName(f"host of {self._where}", name, self._hosts) from None

    def addHost(self, configured: ProxyHost) -> Host:
        """
        A host is there from now on.

        @raise DuplicateName: its name is taken.
        """
        if configured.name in self._hosts:
            raise DuplicateName(f"{self._where} has a host {configured.name!r} already")
        now = self.seconds()
        self._added += 1
        host = Host((self.service, self.group, configured.name), configured, now, self._added)
        self._hosts[configured.name] = host
        self._weighing.started(host, now)
        self._rotation.refresh(host)
        message = f"added at {configured.address}"
        self._tell(EventKind.HOST_ADDED, host, message, now, changed(None, host.settings))
        return host

    def removeHost(self, name: str) -> Host:
        """
        A host gets nothing new from now on, and its name is free. It lives on
        until its leases have ended.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        del self._hosts[name]
        host.leaving = True
        self._rotation.refresh(host)
        now = self.seconds()
        message = f"removed, {host.active} connections left"
        self._tell(EventKind.HOST_REMOVED, host, message, now, changed(host.settings, None))
        if host.active:
            self._leaving[id(host)] = host
        else:
            self._tell(EventKind.HOST_GONE, host, "gone", now)
        return host

    def setWeight(self, name: str, weight: int) -> None:
        """
        Give a host another weight; 0 drains it.

        @raise ModelError: the weight breaks the rule.
        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        checkWeight(weight, f"host {name!r}")
        before = host.weight
        if before == weight:
            return
        host.weight = weight
        host.configured = replace(host.configured, weight=weight)
        now = self.seconds()
        self._weighing.refresh(host, now)
        message = f"weight {before} -> {weight}"
        self._tell(EventKind.HOST_WEIGHT, host, message, now, changed(before, weight))

    def setAddresses(self, name: str, addresses: Sequence[Address]) -> None:
        """
        A look-up of a host's name had this answer; an empty one keeps what is
        known.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        before = host.addresses
        if not addresses or set(before) == set(addresses):
            return
        host.addresses = tuple(addresses)
        self._rotation.refresh(host)
        found = ", ".join(map(str, addresses))
        self._tell(EventKind.HOST_RESOLVED, host, f"is at {found}", self.seconds())

    def reportUnresolved(self, name: str, reason: str) -> None:
        """
        A look-up of a host's name failed. What is known of it is kept.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        kept = "the last answer is kept" if host.addresses else "it is down until it has an address"
        message = f"{host.configured.ipOrHost} can't be resolved ({reason}); {kept}"
        self._tell(EventKind.HOST_UNRESOLVED, host, message, self.seconds())

    # Settings

    def setSettings(self, settings: ProxyGroup) -> None:
        """
        Have other settings from now on. Of the group that says them its name,
        its hosts, its policy and whether it is enabled are not looked at: those
        have methods of their own. A policy that wants what is another now is
        made anew.
        """
        before, self.settings = self.settings.schedulerSettings, settings
        word = self.scheduler.name
        if before != settings.schedulerSettings and word in schedulerWords():
            wants = schedulerKind(word).wants
            if any(
                before[name] != settings.schedulerSettings[name] for name in wants if name in before
            ):
                self.setScheduler(word)

    # Policy

    @property
    def scheduler(self) -> IScheduler:
        """
        The policy in use.
        """
        return self._rotation.scheduler

    def setScheduler(self, scheduler: str | IScheduler) -> None:
        """
        Choose by another policy from now on. Counts, leases and marks stay. One
        that is made by its word takes those of the pool's settings that it
        wants.

        @raise ModelError: the policy doesn't take so many hosts.
        @raise UnknownName: there is no policy of this word.
        """
        self._rotation.use(self._made(scheduler))

    def _made(self, scheduler: str | IScheduler) -> IScheduler:
        if not isinstance(scheduler, str):
            return scheduler
        known = {**self.settings.schedulerSettings, "seconds": self.seconds}
        return schedulerFactory(scheduler, random=self._random, settings=known)

    # Inside

    @property
    def readyCount(self) -> int:
        """
        How many hosts may be chosen.
        """
        return self._rotation.readyCount

    @property
    def active(self) -> int:
        """
        How many leases there are, on hosts that are leaving too.
        """
        return sum(host.active for host in (*self._hosts.values(), *self._leaving.values()))

    @property
    def _where(self) -> str:
        if not self.group:
            return "the pool"
        return f"group {self.group!r} of service {self.service!r}"

    def _tell(
        self, kind: EventKind, host: Host, message: str, now: float, details: Details | None = None
    ) -> None:
        # The name of a host that is leaving may be another's by now.
        about = not host.leaving or kind in OF_LEAVING
        if about and self._publish is not None:
            self._publish(Event(kind, host.key, message, now, details or {}))

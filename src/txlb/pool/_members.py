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
from txlb.pool._damper import Damper
from txlb.pool._events import Event, EventKind, changed
from txlb.pool._host import Host
from txlb.pool._lease import Outcome
from txlb.pool._rotation import Rotation
from txlb.pool._upkeep import Upkeep
from txlb.schedulers import leastc, schedulerFactory, schedulerKind, schedulerWords


class Members(Upkeep):
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
        self._random = random if random is not None else RandomSource()
        self._added = 0
        own = replace(settings or ProxyGroup("pool"), **more)
        # Making a policy looks at these.
        self.settings, self.seconds = own, seconds
        rotation = Rotation(self._made(scheduler))
        super().__init__(service, group, own, seconds, publish, rotation)
        for host in hosts:
            self.addHost(host)
        self._settle(self.seconds())
        self._weighing.running = True
        self._reserve.telling = True

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
        if self._reserve.telling:
            # While the pool is made it is done once, or it would cost O(n²).
            self._settle(now)
        return host

    def removeHost(self, name: str, deadline: float | None = None, force: bool = False) -> Host:
        """
        A host gets nothing new from now on, and its name is free. It lives on
        until its leases have ended.

        @param deadline: seconds after which the connections that are left are
            reset; L{None} for never.
        @param force: reset them at once.
        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        del self._hosts[name]
        host.leave()
        self._rotation.refresh(host)
        now = self.seconds()
        self._drains.pop(id(host), None)
        message = f"removed, {host.active} connections left"
        self._tell(EventKind.HOST_REMOVED, host, message, now, changed(host.settings, None))
        if not host.active:
            self._tell(EventKind.HOST_GONE, host, "gone", now)
        else:
            self._leaving[id(host)] = host
            if force:
                self._cut(host, Outcome.REMOVED)
            elif deadline is not None:
                self._drainBy(host, now + deadline)
        self._settle(now)
        return host

    def setState(self, name: str, state: str, deadline: float | None = None) -> None:
        """
        Say what is wanted of a host.

        @param state: C{ready}; C{drain}: nothing new, and what there is goes on;
            or C{maintenance}: the same, and it isn't checked.
        @param deadline: seconds after which the connections that are left are
            reset; L{None} for never.
        @raise ModelError: there is no such state.
        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
        configured = replace(host.configured, state=state)
        before = host.state
        self._drains.pop(id(host), None)
        if state != before:
            host.configured = configured
            host.state = state
            if state == "ready":
                host.damper = Damper(now)
                self._awaitCheck(host, now)
            self._rotation.refresh(host)
            left = "" if state == "ready" else f", {host.active} connections left"
            message = f"{before} -> {state}{left}"
            self._tell(EventKind.HOST_STATE, host, message, now, changed(before, state))
            if state != "ready" and before == "ready" and not host.active:
                self._tell(EventKind.HOST_DRAINED, host, "has no connections left", now)
        if state != "ready" and deadline is not None and host.active:
            self._drainBy(host, now + deadline)
        self._settle(now)

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
        self._settle(now)

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
        host.resolved(tuple(addresses))
        self._rotation.refresh(host)
        found, now = ", ".join(map(str, addresses)), self.seconds()
        self._tell(EventKind.HOST_RESOLVED, host, f"is at {found}", now)
        self._settle(now)

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
        self._expectsAnswer = settings.expectAnswer
        word = self.scheduler.name
        if before != settings.schedulerSettings and word in schedulerWords():
            wants = schedulerKind(word).wants
            if any(
                before[name] != settings.schedulerSettings[name] for name in wants if name in before
            ):
                self.setScheduler(word)
        now = self.seconds()
        for host in self._hosts.values():
            self._checkCircuit(host, now)
        self._settle(now)

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

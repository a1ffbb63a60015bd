"""
Looking up the names of hosts, again and again.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
from collections.abc import Callable, Sequence
from random import Random as RandomSource
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline, Deadlines
from txlb.errors import UnknownName
from txlb.manager import ProxyManager
from txlb.model import Address, ProxyGroup, ProxyService, TCPAddress
from txlb.pool import Event, EventKind
from txlb.resolve._lookup import SILENT, Lookup
from txlb.resolve._resolution import Resolution
from txlb.schedulers import Key

#: Look-ups under way at once. Twisted's own resolver has ten threads, and a program may need
#: some of them.
AT_ONCE = 8

#: The share by which an interval is longer or shorter at most, at random, so that many names
#: are not looked up in one burst.
JITTER = 0.1

_log = Logger()


class NameService(Service):
    """
    A service that keeps the addresses of hosts up to date that are configured by name. It
    follows hosts that come and go.

    @param manager: has the hosts.
    @param reactor: has the C{nameResolver}.
    @param deadlines: has the times of look-ups.
    @param source: the source of jitter.

    @ivar answered: is called after each answer, good or bad, and when a name that had
        none is looked up no more; L{None} for nothing.
    """

    def __init__(
        self,
        manager: ProxyManager,
        reactor: Any,
        deadlines: Deadlines,
        source: RandomSource | None = None,
    ) -> None:
        self._manager = manager
        self._reactor = reactor
        self._deadlines = deadlines
        self._random = source if source is not None else random.Random()
        self._semaphore = DeferredSemaphore(AT_ONCE)
        self._lookups: dict[Key, Lookup] = {}
        # The Deferreds that wait for the answer to each name that is being looked up.
        self._asking: dict[str, list[Deferred[Sequence[str]]]] = {}
        self._unsubscribe: Callable[[], None] | None = None
        self.answered: Callable[[], object] | None = None

    def startService(self) -> None:
        """
        Begin to look up. The services take turns, so that names of one service that get no
        answer don't delay those of another.
        """
        super().startService()
        self._unsubscribe = self._manager.subscribe(self._happened)
        keys = [
            [(service.name, group.name, host.name) for group in groupsOf(service)
             for host in group.hosts]
            for service in self._manager.services.values()
        ]  # fmt: skip
        for row in itertools.zip_longest(*keys):
            for key in row:
                if key is not None:
                    self._follow(key)

    def stopService(self) -> None:
        """
        Look up no more. Answers that come later are ignored.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for lookup in self._lookups.values():
            lookup.stop()
        self._lookups.clear()
        self._asking.clear()

    def silentNames(self, serviceName: str, groupName: str) -> list[str]:
        """
        Return the names of a group's hosts that have had no answer yet, good or bad.
        """
        names = [
            lookup.name
            for (service, group, _), lookup in self._lookups.items()
            if (service, group) == (serviceName, groupName) and lookup.good is None
        ]
        return list(dict.fromkeys(names))

    def _happened(self, event: Event) -> None:
        if event.kind is EventKind.HOST_ADDED and len(event.key) == 3:
            self._follow((event.key[0], event.key[1], event.key[2]))
        elif event.kind is EventKind.HOST_REMOVED and len(event.key) == 3:
            self._forget((event.key[0], event.key[1], event.key[2]))
        elif event.kind is EventKind.HOST_MOVED and len(event.key) == 3:
            key = event.key[0], event.key[1], event.key[2]
            self._forget(key)
            self._follow(key)

    def _forget(self, key: Key) -> None:
        lookup = self._lookups.pop(key, None)
        if lookup is not None:
            lookup.stop()
            self._tell()

    def _follow(self, key: Key) -> None:
        try:
            address = self._manager.getHost(*key).address
        except UnknownName:
            # Another observer of the same event removed the host.
            return
        if isinstance(address, TCPAddress) and not address.isLiteral:
            lookup = Lookup(
                self._ask,
                functools.partial(self._answered, key),
                functools.partial(self._silent, key),
                functools.partial(self._later, key[0]),
                self._deadlines,
                address,
            )
            self._lookups[key] = lookup
            lookup.look()

    def _later(self, serviceName: str, action: Callable[[], None]) -> Deadline:
        interval = self._manager.getService(serviceName).resolveInterval
        stretch = 1 + JITTER * (2 * self._random.random() - 1)
        return self._deadlines.after(interval * stretch, action)

    def _ask(self, name: str) -> Deferred[Sequence[str]]:
        """
        Look up a name as soon as fewer than L{AT_ONCE} look-ups are under way. If it is being
        looked up for another host, wait for that answer, so that a name which many hosts have
        takes one look-up.

        @return: fires with the addresses, the best one first; none if there are none. It
            does not fail.
        """
        deferred: Deferred[Sequence[str]] = Deferred()
        waiting = self._asking.get(name)
        if waiting is not None:
            waiting.append(deferred)
            return deferred
        self._asking[name] = [deferred]
        answer = Resolution(name)
        asked = self._semaphore.run(answer.ask, self._reactor.nameResolver)
        asked.addErrback(self._failed, name)
        asked.addCallback(lambda _: self._heard(answer))
        return deferred

    def _failed(self, reason: Failure, name: str) -> None:
        _log.failure("looking up {name} failed", reason, name=name)

    def _heard(self, answer: Resolution) -> None:
        for deferred in self._asking.pop(answer.name, ()):
            deferred.callback(answer.addresses)

    def _answered(self, key: Key, before: bool | None, addresses: Sequence[Address]) -> None:
        service, group, host = key
        try:
            pool = self._manager.getPool(service, group)
            if addresses:
                pool.setAddresses(host, addresses)
            elif before is not False:
                # Reported once, and not at every interval.
                pool.reportUnresolved(host, "no address was found")
        except UnknownName:
            # The host was removed while it was looked up.
            pass
        self._tell()

    def _silent(self, key: Key) -> None:
        """
        Report that a look-up has had no answer for a while.
        """
        service, group, host = key
        with contextlib.suppress(UnknownName):
            pool = self._manager.getPool(service, group)
            pool.reportUnresolved(host, f"no answer for {SILENT:g} s")

    def _tell(self) -> None:
        if self.answered is not None:
            self.answered()


def groupsOf(service: ProxyService) -> list[ProxyGroup]:
    """
    Return the groups of a service, the enabled one first.
    """
    enabled = service.enabledGroup
    return [enabled, *(group for group in service.groups if group is not enabled)]

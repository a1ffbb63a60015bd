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
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.connecting import tcpAddressOf
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import UnknownName
from txlb.manager import ProxyManager
from txlb.model import Address, ProxyGroup, ProxyService, TCPAddress
from txlb.pool import Event, EventKind
from txlb.schedulers import Key

#: Look-ups under way at once; Twisted's own resolver has ten threads.
AT_ONCE = 8

#: Seconds after which a look-up without an answer is told.
SILENT = 5.0

#: How far an interval is stretched or shortened, so that many names are not
#: looked up in one burst.
JITTER = 0.1

_log = Logger()


class NameService(Service):
    """
    Keeps the addresses of all hosts that are configured by name up to date.
    Hosts that come and go are followed.

    @param manager: whose hosts.
    @param reactor: has the C{nameResolver}.
    @param deadlines: where the next look-ups wait.
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
        # Those who wait for the answer to each name that is being looked up.
        self._asking: dict[str, list[Deferred[Sequence[str]]]] = {}
        self._unsubscribe: Callable[[], None] | None = None
        self.answered: Callable[[], object] | None = None

    def startService(self) -> None:
        """
        Begin to look up. The services take turns, so that the names of one that are
        silent hold up no other.
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
        Look up nothing more. Answers that are still to come are ignored.
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
            # It was removed by what another observer did of the same event.
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
        Look up a name as soon as there is room for another look-up. If it is being
        looked up for another host, wait for that answer: a silent name that many hosts
        have takes the room of one.

        @return: fires with the addresses, the best one first; none if there are none. It
            does not fail.
        """
        deferred: Deferred[Sequence[str]] = Deferred()
        waiting = self._asking.get(name)
        if waiting is not None:
            waiting.append(deferred)
            return deferred
        self._asking[name] = [deferred]
        answer = Answer(name)
        asked = self._semaphore.run(answer.ask, self._reactor.nameResolver)
        asked.addErrback(self._failed, name)
        asked.addCallback(lambda _: self._heard(answer))
        return deferred

    def _failed(self, reason: Failure, name: str) -> None:
        _log.failure("looking up {name} failed", reason, name=name)

    def _heard(self, answer: Answer) -> None:
        for deferred in self._asking.pop(answer.name, ()):
            deferred.callback(answer.addresses)

    def _answered(self, key: Key, before: bool | None, addresses: Sequence[Address]) -> None:
        service, group, host = key
        try:
            pool = self._manager.getPool(service, group)
            if addresses:
                pool.setAddresses(host, addresses)
            elif before is not False:
                # Said once, not at every interval.
                pool.reportUnresolved(host, "no address was found")
        except UnknownName:
            # It was removed while the answer was on its way.
            pass
        self._tell()

    def _silent(self, key: Key) -> None:
        """
        A look-up has had no answer for a while.
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
    The groups of a service, the one that gets the connections first.
    """
    enabled = service.enabledGroup
    return [enabled, *(group for group in service.groups if group is not enabled)]


class Lookup:
    """
    One host's name, looked up at an interval. Owned by the L{NameService}.

    @param ask: looks a name up.
    @param report: is told whether the answer before was good (L{None} before
        the first), and the addresses of this one.
    @param silent: is called once if there is no answer for L{SILENT} seconds, unless
        it is known already that the name has none.
    @param later: calls something after the interval.
    @param deadlines: where timeouts wait.

    @ivar name: the name.
    @ivar good: whether the last answer was good; L{None} before the first.
    """

    def __init__(
        self,
        ask: Callable[[str], Deferred[Sequence[str]]],
        report: Callable[[bool | None, Sequence[Address]], None],
        silent: Callable[[], None],
        later: Callable[[Callable[[], None]], Deadline],
        deadlines: Deadlines,
        address: TCPAddress,
    ) -> None:
        self.name = address.host
        self.good: bool | None = None
        self._ask = ask
        self._report = report
        self._tellSilence = silent
        self._later = later
        self._deadlines = deadlines
        # Whether it was told that this look-up has had no answer for long.
        self._silent = False
        self._patience: Deadline | None = None
        self._address = address
        self._next: Deadline | None = None
        self._stopped = False

    def look(self) -> None:
        """
        Look up now, and from then on at the interval.
        """
        self._silent = False
        self._patience = self._deadlines.patience(SILENT, self._patienceIsOver)
        self._ask(self.name).addCallback(self._finished)

    def stop(self) -> None:
        """
        Look up no more.
        """
        self._stopped = True
        self._stopWaiting()
        if self._next is not None:
            self._next.cancel()

    def _patienceIsOver(self) -> None:
        self._patience = None
        if self.good is not False:
            self._silent = True
            self._tellSilence()

    def _stopWaiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _finished(self, found: Sequence[str]) -> None:
        if self._stopped:
            return
        self._stopWaiting()
        addresses = [TCPAddress(host, self._address.port) for host in found]
        # That it has none was told.
        before = False if self._silent else self.good
        self.good = bool(addresses)
        self._report(before, addresses)
        # Who was told of it may have moved or removed the host.
        if not self._stopped:
            self._next = self._later(self.look)


@implementer(IResolutionReceiver)
class Answer:
    """
    Collects the answer to one look-up.

    @ivar name: the name.
    @ivar addresses: what was found, the best one first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.addresses: list[str] = []
        self._complete: Deferred[None] = Deferred()

    def ask(self, resolver: Any) -> Deferred[None]:
        """
        @return: fires with L{None} when the answer is complete, an empty one
            too. It does not fail.
        """
        resolver.resolveHostName(self, self.name)
        return self._complete

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        pass

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, (IPv4Address, IPv6Address)):
            found = tcpAddressOf(address).host
            if found not in self.addresses:
                self.addresses.append(found)

    def resolutionComplete(self) -> None:
        self._complete.callback(None)

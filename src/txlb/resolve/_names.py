"""
Looking up the names of hosts, again and again.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random as RandomSource
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.connecting import tcpAddressOf
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import UnknownName
from txlb.manager import ProxyManager
from txlb.model import Address, TCPAddress
from txlb.pool import Event, EventKind
from txlb.schedulers import Key

#: Look-ups under way at once; Twisted's own resolver has ten threads.
AT_ONCE = 8

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
        self._unsubscribe: Callable[[], None] | None = None
        self._waiting: list[Deferred[None]] = []

    def startService(self) -> None:
        """
        Begin to look up. See L{whenAnswered}.
        """
        super().startService()
        self._unsubscribe = self._manager.subscribe(self._happened)
        for service in self._manager.services.values():
            for group in service.groups:
                for host in group.hosts:
                    self._follow((service.name, group.name, host.name))

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

    @property
    def answered(self) -> bool:
        """
        Whether each name has had an answer, good or bad.
        """
        return all(lookup.good is not None for lookup in self._lookups.values())

    def whenAnswered(self) -> Deferred[None]:
        """
        @return: fires with L{None} when each name has had an answer, good or
            bad, maybe now. It does not fail, and never fires once the service
            was stopped.
        """
        if self.answered:
            return succeed(None)
        deferred: Deferred[None] = Deferred()
        self._waiting.append(deferred)
        return deferred

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
            # It may have been the last one that was waited for.
            self._tellWhoWaits()

    def _follow(self, key: Key) -> None:
        try:
            address = self._manager.getHost(*key).address
        except UnknownName:
            # It was removed by what another observer did of the same event.
            return
        if isinstance(address, TCPAddress) and not address.isLiteral:
            lookup = Lookup(
                self._resolve,
                functools.partial(self._answered, key),
                functools.partial(self._later, key[0]),
                address,
            )
            self._lookups[key] = lookup
            lookup.look()

    def _later(self, serviceName: str, action: Callable[[], None]) -> Deadline:
        interval = self._manager.getService(serviceName).resolveInterval
        stretch = 1 + JITTER * (2 * self._random.random() - 1)
        return self._deadlines.after(interval * stretch, action)

    def _resolve(self, answer: Answer) -> Deferred[None]:
        """
        Look up a name as soon as there is room for another look-up.
        """
        return self._semaphore.run(answer.ask, self._reactor.nameResolver)

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
        self._tellWhoWaits()

    def _tellWhoWaits(self) -> None:
        if self.answered:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)


class Lookup:
    """
    One host's name, looked up at an interval. Owned by the L{NameService}.

    @param resolve: looks up.
    @param report: is told whether the answer before was good (L{None} before
        the first), and the addresses of this one.
    @param later: calls something after the interval.

    @ivar good: whether the last answer was good; L{None} before the first.
    """

    def __init__(
        self,
        resolve: Callable[[Answer], Deferred[None]],
        report: Callable[[bool | None, Sequence[Address]], None],
        later: Callable[[Callable[[], None]], Deadline],
        address: TCPAddress,
    ) -> None:
        self.good: bool | None = None
        self._resolve = resolve
        self._report = report
        self._later = later
        self._address = address
        self._next: Deadline | None = None
        self._stopped = False

    def look(self) -> None:
        """
        Look up now, and from then on at the interval.
        """
        answer = Answer(self._address)
        done = self._resolve(answer)
        done.addErrback(self._failed)
        done.addCallback(lambda _: self._finished(answer))

    def stop(self) -> None:
        """
        Look up no more.
        """
        self._stopped = True
        if self._next is not None:
            self._next.cancel()

    def _failed(self, reason: Failure) -> None:
        _log.failure("looking up {name} failed", reason, name=self._address.host)

    def _finished(self, answer: Answer) -> None:
        if self._stopped:
            return
        before, self.good = self.good, bool(answer.addresses)
        self._report(before, answer.addresses)
        # Who was told of it may have moved or removed the host.
        if not self._stopped:
            self._next = self._later(self.look)


@implementer(IResolutionReceiver)
class Answer:
    """
    Collects the answer to one look-up.

    @ivar addresses: what was found, the best one first.
    """

    def __init__(self, address: TCPAddress) -> None:
        self.addresses: list[Address] = []
        self._address = address
        self._complete: Deferred[None] = Deferred()

    def ask(self, resolver: Any) -> Deferred[None]:
        """
        @return: fires with L{None} when the answer is complete, an empty one
            too. It does not fail.
        """
        resolver.resolveHostName(self, self._address.host, self._address.port)
        return self._complete

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        See L{IResolutionReceiver}.
        """

    def addressResolved(self, address: IAddress) -> None:
        """
        See L{IResolutionReceiver}.
        """
        if isinstance(address, (IPv4Address, IPv6Address)):
            found = replace(tcpAddressOf(address), port=self._address.port)
            if found not in self.addresses:
                self.addresses.append(found)

    def resolutionComplete(self) -> None:
        """
        See L{IResolutionReceiver}.
        """
        self._complete.callback(None)

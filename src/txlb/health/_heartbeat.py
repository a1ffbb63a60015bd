"""
The heartbeat: checks every host that is to be checked, again and again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from random import Random as RandomSource
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.errors import ModelError, UnknownName
from txlb.health._connectonly import ConnectOnly
from txlb.health._kind import makeCheck
from txlb.health._sockets import Sockets
from txlb.health._tools import Tools
from txlb.health._turns import Turns
from txlb.health._watched import Watched
from txlb.interfaces import IHealthCheck
from txlb.manager import ProxyManager
from txlb.model import HealthCheck, ProxyService
from txlb.pool import Event, EventKind
from txlb.schedulers import Key

#: Checks under way at once, unless told otherwise.
MAX_CHECKS = 100

_log = Logger()


class Heartbeat(Turns, Service):
    """
    Checks hosts and reports what it finds to their pools, which count. It
    follows hosts that come and go, and checks that are changed. Owned by a
    L{txlb.application.service.LoadBalancedService}.

    Where a check takes longer than it has, that is a failure. What a check
    raises is logged, and counts for nothing.

    @param manager: whose hosts.
    @param reactor: watches the checks' connections.
    @param deadlines: when to check next.
    @param maxChecks: checks under way at once, at least 1; more wait their turn.
    @param source: the source of chance.
    @param sockets: what runs the conversations of checks; by default sockets of their
        own.
    @raise ModelError: a check can't be made as it is configured.

    @ivar active: how many checks are under way.
    """

    def __init__(
        self,
        manager: ProxyManager,
        reactor: Any,
        deadlines: Deadlines,
        *,
        maxChecks: int = MAX_CHECKS,
        source: RandomSource | None = None,
        sockets: Sockets | ConnectOnly | None = None,
    ) -> None:
        super().__init__(
            manager,
            Tools(reactor, deadlines, sockets or Sockets(reactor, deadlines=deadlines)),
            maxChecks,
            source if source is not None else random.Random(),
        )
        self._unsubscribe: Callable[[], None] | None = None
        for service in manager.services.values():
            self.verifyAll(service)
        if manager.defaultCheck is not None:
            self.verify(manager.defaultCheck)

    # Life

    def startService(self) -> None:
        """
        Begin. The first checks are spread over the interval.
        """
        super().startService()
        self._unsubscribe = self._manager.subscribe(self._happened)
        for key in self._keys():
            self._follow(key)
        fresh = [each for each in self._watched.values() if each.beat is None]
        self._random.shuffle(fresh)
        for number, watched in enumerate(fresh):
            self._place(watched, (number + self._random.random()) / len(fresh))
        if fresh:
            _log.info(
                "checking {count} hosts, at most {most} at once",
                count=len(fresh),
                most=self.maxChecks,
            )

    def stopService(self) -> None:
        """
        Check no more; checks under way are cancelled. Hosts stay in or out as
        they are.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._forgetAll()
        self._tools.sockets.stop()

    def verify(self, check: HealthCheck) -> None:
        """
        See that a check can be made.

        @raise ModelError: it can't be as it is configured.
        """
        makeCheck(check, self._tools)

    def verifyAll(self, service: ProxyService) -> None:
        """
        See that all checks of a service can be made.

        @raise ModelError: one can't be as it is configured.
        """
        for group in service.groups:
            where = f"{service.name}/{group.name}"
            for name, check in (
                (where, group.check),
                *((f"{where}/{host.name}", host.check) for host in group.hosts),
            ):
                if check is not None:
                    self._made(name, check)

    def _made(self, name: str, check: HealthCheck) -> IHealthCheck:
        try:
            return makeCheck(check, self._tools)
        except (ModelError, UnknownName) as error:
            raise ModelError(f"the check of {name}: {error}") from None

    # Who is checked

    def _keys(self) -> Iterator[Key]:
        for service in self._manager.services.values():
            for group in service.groups:
                for host in group.hosts:
                    yield service.name, group.name, host.name

    def _make(self, key: Key) -> Watched | None:
        """
        @return: L{None} where the host is not to be checked.
        """
        check = self._manager.checkOf(*key)
        if check is None:
            return None
        healthCheck = self._made("/".join(key), check)
        pool = self._manager.getPool(key[0], key[1])
        return Watched(check, healthCheck, pool, pool.getHost(key[2]))

    def _follow(self, key: Key) -> Watched | None:
        """
        See to it that a host is checked as the manager has it.
        """
        before = self._watched.get(key)
        try:
            check = self._manager.checkOf(*key)
        except UnknownName:
            # It is gone already.
            return None
        if before is not None and before.check == check:
            return None
        if before is not None:
            self._drop(before)
            del self._watched[key]
        try:
            watched = self._make(key)
        except ModelError as error:
            # It was changed behind the back of whoever would have said so.
            _log.error("not checked: {error}", error=error)
            watched = None
        if watched is not None:
            watched.pool.watch(key[2], watched.check.rise, watched.check.fall)
            self._watched[key] = watched
            self._keepUpWith(watched)
        elif before is not None:
            before.pool.unwatch(key[2])
        return watched

    def _happened(self, event: Event) -> None:
        if event.kind is EventKind.SETTING_CHANGED and _isCheck(event.details.get("setting")):
            for key in tuple(self._keys()):
                if key[: len(event.key)] == event.key:
                    self._followSoon(key)
        elif len(event.key) == 3:
            self._hostHappened(event.kind, (event.key[0], event.key[1], event.key[2]))

    def _hostHappened(self, kind: EventKind, key: Key) -> None:
        if kind is EventKind.HOST_ADDED:
            self._followSoon(key)
            return
        watched = self._watched.get(key)
        if watched is None:
            return
        if kind is EventKind.HOST_REMOVED:
            del self._watched[key]
            self._drop(watched)
        elif kind is EventKind.HOST_DOWN and watched.isIdle:
            # It was left alone while it was up, and traffic put it out.
            self._place(watched, 1.0)

    def _followSoon(self, key: Key) -> None:
        watched = self._follow(key)
        if watched is not None:
            self._place(watched, self._random.random())


def _isCheck(setting: object) -> bool:
    """
    Return whether a setting is a check, or one of a check's own, such as
    C{check.interval}.
    """
    return isinstance(setting, str) and setting.partition(".")[0] == "check"

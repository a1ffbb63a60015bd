"""
The heartbeat: checks hosts again and again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random as RandomSource
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from txlb.deadlines import Backlog, Deadlines
from txlb.errors import ModelError, UnknownName
from txlb.health._checkedhost import CheckedHost
from txlb.health._checkrunner import CheckRunner
from txlb.health._connectonly import ConnectOnly
from txlb.health._kind import makeCheck
from txlb.health._sockets import Sockets
from txlb.health._tools import Tools
from txlb.interfaces import IHealthCheck
from txlb.manager import ProxyManager
from txlb.model import HealthCheck, ProxyService
from txlb.pool import Event, EventKind
from txlb.schedulers import Key

#: Checks under way at once, unless told otherwise.
MAX_CHECKS = 100

_log = Logger()


class Heartbeat(Service):
    """
    A service that checks hosts and reports the results to their pools, which count them. It
    follows hosts that come and go, and checks that are changed. Owned by a
    L{txlb.application.service.LoadBalancedService}.

    A check that takes longer than its timeout fails. An error of the check itself is logged and
    has no effect.

    @param manager: has the hosts.
    @param reactor: watches the connections of checks.
    @param deadlines: has the times of checks.
    @param maxChecks: checks under way at once, at least 1; more wait their turn.
    @param source: the source of chance.
    @param sockets: runs the conversations of checks; by default an object of its own.
    @raise ModelError: a check can't be made as it is configured.

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
        self._manager = manager
        self._tools = Tools(reactor, deadlines, sockets or Sockets(reactor, deadlines=deadlines))
        self._random = source if source is not None else random.Random()
        self._runner = CheckRunner(manager, self._tools, maxChecks, self._random)
        self._unsubscribe: Callable[[], None] | None = None
        # The beats that another process has planned.
        self._planned: dict[Key, float] = {}
        # To follow a host takes its time, and a change may be about thousands.
        self._backlog: Backlog[Key] = Backlog(deadlines, self._followSoon)
        for service in manager.services.values():
            self.verifyAll(service)
        if manager.defaultCheck is not None:
            self.verify(manager.defaultCheck)

    @property
    def active(self) -> int:
        """
        How many checks are under way.
        """
        return self._runner.active

    @property
    def maxChecks(self) -> int:
        """
        How many checks may be under way at once, at least 1.
        """
        return self._runner.maxChecks

    @maxChecks.setter
    def maxChecks(self, most: int) -> None:
        self._runner.maxChecks = most

    # Start and stop

    def startService(self) -> None:
        """
        Begin to check. The first checks are spread over the interval.
        """
        super().startService()
        self._unsubscribe = self._manager.subscribe(self._happened)
        for key in self._keys():
            self._follow(key)
        self._resume()
        fresh = self._runner.unplaced()
        self._random.shuffle(fresh)
        for number, checked in enumerate(fresh):
            self._runner.place(checked, (number + self._random.random()) / len(fresh))
        if fresh:
            _log.info(
                "checking {count} hosts, at most {most} at once",
                count=len(fresh),
                most=self.maxChecks,
            )

    def _resume(self) -> None:
        """
        Check the hosts at the times that another process has planned, so that not all of them are
        checked at once.
        """
        planned, self._planned = self._planned, {}
        for key, beat in planned.items():
            checked = self._runner.get(key)
            if checked is not None:
                self._runner.resume(checked, beat)

    def kept(self) -> dict[Key, float]:
        """
        Return when each host is to be checked next, for L{resumeAt} of another process.
        """
        return dict(self._runner.beats())

    def resumeAt(self, planned: Mapping[Key, float]) -> None:
        """
        Check hosts next at these times, in seconds of the clock, from when the service starts or
        at once. Other hosts are not concerned.
        """
        self._planned.update(planned)
        if self.running:
            self._resume()

    def stopService(self) -> None:
        """
        Check no more. Checks under way are cancelled. Hosts stay in or out.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._backlog.clear()
        self._runner.removeAll()
        self._tools.sockets.stop()

    def verify(self, check: HealthCheck) -> None:
        """
        Check that a check can be made.

        @raise ModelError: it can't be made as it is configured.
        """
        makeCheck(check, self._tools)

    def verifyAll(self, service: ProxyService) -> None:
        """
        Check that all checks of a service can be made.

        @raise ModelError: one can't be made as it is configured.
        """
        for _ in self.verifying(service):
            pass

    def verifying(self, service: ProxyService) -> Iterator[None]:
        """
        Do the same, with one check at each step.

        @raise ModelError: while it is iterated over, as L{verifyAll} does.
        """
        for group in service.groups:
            where = f"{service.name}/{group.name}"
            for name, check in (
                (where, group.check),
                *((f"{where}/{host.name}", host.check) for host in group.hosts),
            ):
                if check is not None:
                    self._made(name, check)
                    yield

    def _made(self, name: str, check: HealthCheck) -> IHealthCheck:
        try:
            return makeCheck(check, self._tools)
        except (ModelError, UnknownName) as error:
            raise ModelError(f"the check of {name}: {error}") from None

    # Hosts

    def _keys(self) -> Iterator[Key]:
        for service in self._manager.services.values():
            for group in service.groups:
                for host in group.hosts:
                    yield service.name, group.name, host.name

    def _keysIn(self, place: Sequence[str]) -> Iterator[Key]:
        """
        Yield the hosts of a service, of a group, or a single host.

        @param place: the names of service, group and host, as many as there are.
        """
        serviceName, *inside = place
        service = self._manager.services.get(serviceName)
        for group in () if service is None else service.groups:
            if not inside or group.name == inside[0]:
                for host in group.hosts:
                    if len(inside) < 2 or host.name == inside[1]:
                        yield serviceName, group.name, host.name

    def _make(self, key: Key) -> CheckedHost | None:
        """
        Make the check of a host.

        @return: L{None} if the host is not to be checked.
        """
        check = self._manager.checkOf(*key)
        if check is None:
            return None
        healthCheck = self._made("/".join(key), check)
        pool = self._manager.getPool(key[0], key[1])
        return CheckedHost(check, healthCheck, pool, pool.getHost(key[2]))

    def _follow(self, key: Key) -> CheckedHost | None:
        """
        Check a host from now on as the manager has it configured, or no more.

        @return: the host if its check is new or was changed.
        """
        before = self._runner.get(key)
        try:
            check = self._manager.checkOf(*key)
        except UnknownName:
            # The host was removed meanwhile.
            return None
        if before is not None and before.check == check:
            return None
        if before is not None:
            self._runner.remove(before)
        try:
            checked = self._make(key)
        except ModelError as error:
            # The check was set without L{verify}, for example by the manager alone.
            _log.error("not checked: {error}", error=error)
            checked = None
        if checked is not None:
            checked.pool.watch(key[2], checked.check.rise, checked.check.fall)
            self._runner.add(checked)
        elif before is not None:
            before.pool.unwatch(key[2])
        return checked

    def _happened(self, event: Event) -> None:
        if event.kind is EventKind.SETTING_CHANGED and _isCheck(event.details.get("setting")):
            self._backlog.add(tuple(self._keysIn(event.key)))
        elif len(event.key) == 3:
            self._hostHappened(event.kind, (event.key[0], event.key[1], event.key[2]))

    def _hostHappened(self, kind: EventKind, key: Key) -> None:
        if kind is EventKind.HOST_ADDED:
            self._backlog.add((key,))
            return
        checked = self._runner.get(key)
        if checked is None:
            return
        if kind is EventKind.HOST_REMOVED:
            self._runner.remove(checked)
        elif kind is EventKind.HOST_DOWN and checked.isIdle:
            # It was not checked while it was up (onlyDown), and traffic marked it down.
            self._runner.place(checked, 1.0)

    def _followSoon(self, key: Key) -> None:
        checked = self._follow(key)
        if checked is not None:
            self._runner.place(checked, self._random.random())


def _isCheck(setting: object) -> bool:
    """
    Return whether a setting is a check, or one of a check's own, such as
    C{check.interval}.
    """
    return isinstance(setting, str) and setting.partition(".")[0] == "check"

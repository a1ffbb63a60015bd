"""
When a service begins to accept.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from txlb.deadlines import Deadline, Deadlines
from txlb.errors import UnknownName
from txlb.manager import ProxyManager
from txlb.pool import Event, EventKind
from txlb.resolve import NameService

#: Seconds that a service waits at most for the address of a host before it accepts.
FIRST_LOOKUPS = 5.0

#: Seconds after which the log says what a service waits for. Most look-ups take less.
SAY = 1.0

#: Names that the log lists at most.
LISTED = 3

_log = Logger()

Action = Callable[[], object]


class Readiness:
    """
    The services that don't accept yet, as none of their hosts has an address. Their
    clients wait in the backlog. Owned by the engine.

    A service accepts as soon as one host that takes clients has an address, be it that it
    was configured with one; otherwise when each name has had an answer, and after five
    seconds in any case. Backups don't count, as clients would be sent to them only because
    the names of the others were not looked up yet. A service that has accepted once goes
    on.

    @param names: looks the names up.
    @param deadlines: where timeouts wait.
    """

    def __init__(self, manager: ProxyManager, names: NameService, deadlines: Deadlines) -> None:
        self._manager = manager
        self._names = names
        self._deadlines = deadlines
        self._ready: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._whenAll: list[Action] = []
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """
        Begin. The names are being looked up by now.
        """
        self._names.answered = self._look
        self._unsubscribe = self._manager.subscribe(self._happened)
        for name in self._manager.services:
            self._await(name)
        self._look()

    def stop(self) -> None:
        """
        Let no service accept any more.
        """
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._names.answered = None
        for waiting in self._waiting.values():
            waiting.stop()
        self._waiting.clear()
        self._whenAll.clear()

    def when(self, serviceName: str, action: Action) -> None:
        """
        Do something once a service can be served, maybe now.
        """
        self._await(serviceName).actions.append(action)
        self._look()

    def whenAll(self, action: Action) -> None:
        """
        Do something once every service that waits now can be served, maybe now.
        """
        self._whenAll.append(action)
        if self._unsubscribe is not None:
            self._look()

    def _await(self, serviceName: str) -> _Waiting:
        waiting = self._waiting.get(serviceName)
        if waiting is None:
            waiting = _Waiting(
                self._deadlines,
                lambda: self._say(serviceName),
                lambda: self._patienceIsOver(serviceName),
            )
            self._waiting[serviceName] = waiting
        return waiting

    def _happened(self, event: Event) -> None:
        if event.kind is EventKind.SERVICE_REMOVED:
            self._ready.discard(event.key[0])
        self._look()

    def _look(self) -> None:
        """
        Let those accept that can be served.
        """
        for name in [name for name in self._waiting if self._isReady(name)]:
            self._begin(name)
        if not self._waiting and self._whenAll:
            actions, self._whenAll = self._whenAll, []
            for action in actions:
                action()

    def _begin(self, serviceName: str) -> None:
        waiting = self._waiting.pop(serviceName, None)
        if waiting is not None:
            if serviceName in self._manager.services:
                self._ready.add(serviceName)
            waiting.begin()

    def _isReady(self, serviceName: str) -> bool:
        if serviceName in self._ready:
            return True
        try:
            service = self._manager.getService(serviceName)
        except UnknownName:
            # Its listeners are closed, so there is nothing to accept.
            return True
        pool = self._manager.getPool(serviceName, service.enabledGroup.name)
        if any(host.wanted and not host.backup for host in pool.hosts):
            return True
        return not self._silentNames(serviceName)

    def _silentNames(self, serviceName: str) -> list[str]:
        group = self._manager.getService(serviceName).enabledGroup
        return self._names.silentNames(serviceName, group.name)

    def _say(self, serviceName: str) -> None:
        """
        Say what a service waits for.
        """
        _log.warn(
            "{service} does not accept clients yet: none of its hosts has an address, as the "
            "look-up of {names} has had no answer for {seconds:g} s. It accepts as soon as one "
            "host has an address, at the latest after {most:g} s",
            service=serviceName,
            names=_listed(self._silentNames(serviceName)),
            seconds=SAY,
            most=FIRST_LOOKUPS,
        )

    def _patienceIsOver(self, serviceName: str) -> None:
        _log.warn(
            "{service} accepts clients, though none of its hosts has an address: the look-up of "
            "{names} has had no answer for {seconds:g} s. Its hosts are down until it has one; see "
            "whether this machine's name server answers",
            service=serviceName,
            names=_listed(self._silentNames(serviceName)),
            seconds=FIRST_LOOKUPS,
        )
        self._begin(serviceName)
        self._look()


class _Waiting:
    """
    One service that waits.

    @param say: is called when it has waited for a while.
    @param over: is called when it has waited for long enough.

    @ivar actions: what to do when it can be served.
    """

    def __init__(self, deadlines: Deadlines, say: Action, over: Action) -> None:
        self.actions: list[Action] = []
        self._deadlines: list[Deadline] = [
            deadlines.patience(SAY, say),
            deadlines.patience(FIRST_LOOKUPS, over),
        ]

    def begin(self) -> None:
        """
        It can be served.
        """
        self.stop()
        for action in self.actions:
            action()

    def stop(self) -> None:
        """
        It waits no more.
        """
        for deadline in self._deadlines:
            deadline.cancel()


def _listed(names: list[str]) -> str:
    listed = ", ".join(names[:LISTED])
    return listed if len(names) <= LISTED else f"{listed} and {len(names) - LISTED} more"

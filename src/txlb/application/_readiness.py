"""
Whether services accept clients.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from txlb.deadlines import Deadline, Deadlines
from txlb.errors import ModelError
from txlb.manager import ProxyManager
from txlb.pool import Event, EventKind
from txlb.resolve import NameService

#: Seconds that a service waits at most for the address of a host before it accepts.
FIRST_LOOKUPS = 5.0

#: Seconds after which the log tells that a service waits. Most look-ups take less.
SAY = 1.0

#: Names that the log lists at most.
LISTED = 3

#: Why a service accepts no clients.
NOT_RUNNING = "the balancer is not running"
NO_ADDRESS = "none of its hosts has an address yet"

_log = Logger()

Action = Callable[[], object]


class Readiness:
    """
    The services that accept clients now. A service enters this state and may leave it
    again; the clients of a service that is not in it wait in the backlog of its listeners,
    and connections that it has go on. Owned by the engine.

    A service accepts if

      - the readiness was started,
      - nothing holds it: see L{hold},
      - its first look-ups are over: one host that takes clients has an address, or each
        name has had an answer, or five seconds have passed. Backups don't count, as clients
        would be sent to them only because the names of the others were not looked up yet.
        This is decided once for each service, and a later look-up changes nothing.

    @param names: looks the names up.
    @param deadlines: the timers.
    """

    def __init__(self, manager: ProxyManager, names: NameService, deadlines: Deadlines) -> None:
        self._manager = manager
        self._names = names
        self._deadlines = deadlines
        # The services whose first look-ups are over, and those that wait for them.
        self._resolved: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._holds: list[str] = []
        self._followers: list[Action] = []
        self._unsubscribe: Callable[[], None] | None = None

    # The state

    def whyNot(self, serviceName: str) -> str:
        """
        Tell why a service accepts no clients.

        @return: an empty text if it accepts them.
        """
        if self._unsubscribe is None:
            return NOT_RUNNING
        if self._holds:
            return ", ".join(self._holds)
        return "" if serviceName in self._resolved else NO_ADDRESS

    def accepts(self, serviceName: str) -> bool:
        """
        Tell whether a service accepts clients now.
        """
        return not self.whyNot(serviceName)

    def follow(self, action: Action) -> None:
        """
        Call an action after each change of the state of a service, and maybe without a
        change, until L{stop}.
        """
        self._followers.append(action)

    # What changes it

    def start(self) -> None:
        """
        Begin. The names are being looked up by now.
        """
        self._names.answered = self._look
        self._unsubscribe = self._manager.subscribe(self._happened)
        self.update()

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
        self._resolved.clear()
        self._followers.clear()
        self._note()

    def update(self) -> None:
        """
        Take the services up that are new to the manager. The look-ups of their names have
        to be under way.
        """
        if self._unsubscribe is None:
            return
        for name in self._manager.services:
            if name not in self._resolved and name not in self._waiting:
                self._waiting[name] = self._newWaiting(name)
        if not self._look():
            self._changed()

    def hold(self, reason: str) -> None:
        """
        Let no service accept clients, until L{release}. It can be called before L{start}.

        @param reason: why; it is shown in the status. Several reasons may hold at once.
        @raise ModelError: the reason is empty.
        """
        if not reason:
            raise ModelError("a reason why services accept no clients is a text that is not empty")
        if reason in self._holds:
            return
        self._holds.append(reason)
        _log.info("no service accepts clients: {reason}. Connections go on", reason=reason)
        self._changed()

    def release(self, reason: str) -> None:
        """
        End a hold. The services accept if no other reason holds. Nothing is done if the
        reason holds nothing.
        """
        if reason not in self._holds:
            return
        self._holds.remove(reason)
        if not self._holds:
            _log.info("services accept clients again")
        self._changed()

    # Inside

    def _changed(self) -> None:
        self._note()
        for action in list(self._followers):
            action()

    def _note(self) -> None:
        """
        Set the state for the status.
        """
        for name in self._manager.services:
            self._manager.getCounters(name).notAccepting = self.whyNot(name)

    def _happened(self, event: Event) -> None:
        if event.kind is EventKind.SERVICE_REMOVED:
            # If it comes again it waits again.
            self._resolved.discard(event.key[0])
        self._look()

    def _look(self) -> bool:
        """
        Let the services accept whose first look-ups are over.

        @return: whether there are any.
        """
        over = [name for name in self._waiting if self._isOver(name)]
        for name in over:
            self._waiting.pop(name).stop()
            if name in self._manager.services:
                self._resolved.add(name)
        if over:
            self._changed()
        return bool(over)

    def _isOver(self, serviceName: str) -> bool:
        service = self._manager.services.get(serviceName)
        if service is None or self._waiting[serviceName].isOver:
            return True
        pool = self._manager.getPool(serviceName, service.enabledGroup.name)
        if any(host.wanted and not host.backup for host in pool.hosts):
            return True
        return not self._silentNames(serviceName)

    def _silentNames(self, serviceName: str) -> list[str]:
        group = self._manager.getService(serviceName).enabledGroup
        return self._names.silentNames(serviceName, group.name)

    def _newWaiting(self, serviceName: str) -> _Waiting:
        return _Waiting(
            self._deadlines,
            lambda: self._say(serviceName),
            lambda: self._patienceIsOver(serviceName),
        )

    def _say(self, serviceName: str) -> None:
        """
        Log which look-ups a service waits for.
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
        self._look()


class _Waiting:
    """
    The wait of one service for its first look-ups.

    @param say: is called when it has waited for a while.
    @param over: is called when it has waited for long enough.

    @ivar isOver: whether it has waited for long enough.
    """

    def __init__(self, deadlines: Deadlines, say: Action, over: Action) -> None:
        self.isOver = False
        self._over = over
        self._deadlines: list[Deadline] = [
            deadlines.patience(SAY, say),
            deadlines.patience(FIRST_LOOKUPS, self._patienceIsOver),
        ]

    def _patienceIsOver(self) -> None:
        self.isOver = True
        self._over()

    def stop(self) -> None:
        """
        Wait no more.
        """
        for deadline in self._deadlines:
            deadline.cancel()


def _listed(names: list[str]) -> str:
    listed = ", ".join(names[:LISTED])
    return listed if len(names) <= LISTED else f"{listed} and {len(names) - LISTED} more"

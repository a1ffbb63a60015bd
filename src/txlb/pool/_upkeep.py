"""
What a pool does after every change: see to those who wait, to the backup, to
circuits and to hosts that are drained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from txlb.model import ProxyGroup
from txlb.pool._events import Details, Event, EventKind
from txlb.pool._health import HealthEvent
from txlb.pool._host import Host
from txlb.pool._lease import Outcome
from txlb.pool._queue import Queue
from txlb.pool._reserve import Reserve
from txlb.pool._rotation import Rotation
from txlb.pool._weighing import Weighing

#: All that is told of a host once it was deleted.
OF_LEAVING = frozenset({EventKind.HOST_REMOVED, EventKind.HOST_GONE})


class Upkeep:
    """
    The parts of a pool, and what keeps them in line with one another.
    L{txlb.pool._members.Members} adds the hosts.

    @ivar settings: the group whose settings count; see L{HostPool.setSettings}.
    @ivar cut: is called with a host and an outcome to reset the connections that
        the host has, soon; L{None} where nobody can.
    @ivar wakeBy: is called with a time by which L{HostPool.advance} has to be
        called; L{None} where somebody looks often enough.
    """

    def __init__(
        self,
        service: str,
        group: str,
        settings: ProxyGroup,
        seconds: Callable[[], float],
        publish: Callable[[Event], None] | None,
        rotation: Rotation,
    ) -> None:
        self.service = service
        self.group = group
        self.settings = settings
        self.seconds = seconds
        self.cut: Callable[[Host, Outcome], object] | None = None
        self.wakeBy: Callable[[float], object] | None = None
        self._publish = publish
        self._hosts: dict[str, Host] = {}
        self._leaving: dict[int, Host] = {}
        # The hosts whose connections are reset at a time, with that time.
        self._drains: dict[int, tuple[float, Host]] = {}
        self._expectsAnswer = settings.expectAnswer
        # While it is changed as a whole, which may be undone, nobody is served.
        self._changing = False
        self._queue = Queue()
        self._waiting = self._queue.waiting
        self._rotation = rotation
        self._weighing = Weighing(lambda: self.settings, self._weighed, self._tell)
        self._reserve = Reserve(rotation, self._configured, self._tellGroup)

    @property
    def readyCount(self) -> int:
        """
        How many hosts may be chosen.
        """
        return self._rotation.readyCount

    @property
    def upCount(self) -> int:
        """
        How many hosts are up, with room or without, backup hosts included.
        """
        return self._rotation.upCount + self._rotation.upBackupCount

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

    def _configured(self) -> Iterable[Host]:
        return self._hosts.values()

    def _weighed(self, host: Host) -> None:
        """
        A host weighs otherwise, or has something left again.
        """
        self._rotation.refresh(host)
        if self._waiting:
            self._serve()

    def _settle(self, now: float) -> None:
        """
        Hosts or settings have changed: see to the backup, and to who waits.
        """
        self._reserve.review(self.settings, now)
        if self._waiting:
            self._serve()
        self._wake(self._reserve.nextDeadline())

    def _serve(self) -> None:
        """
        There may be room for those who wait.
        """
        if not self._changing:
            self._queue.serve(self._mayHelp)

    def _mayHelp(self) -> bool:
        return bool(self.readyCount) or not self._rotation.anyWaitable(frozenset())

    def _wake(self, when: float | None) -> None:
        if when is not None and self.wakeBy is not None:
            self.wakeBy(when)

    def _checkCircuit(self, host: Host, now: float) -> None:
        """
        So many connections to a host are being opened: open its circuit, or
        close it once half of them are through.
        """
        most, pending = self.settings.maxPending, host.pending
        if not host.tripped and most and pending >= most:
            host.tripped = True
            self._rotation.refresh(host)
            message = f"{pending} connections are being opened; it gets no more for now"
            self._tell(EventKind.CIRCUIT_OPENED, host, message, now)
        elif host.tripped and (not most or pending <= most // 2):
            host.tripped = False
            self._rotation.refresh(host)
            message = f"{pending} connections are being opened; it gets more again"
            self._tell(EventKind.CIRCUIT_CLOSED, host, message, now)

    def _awaitCheck(self, host: Host, now: float) -> None:
        """
        Where it is so configured, nothing is sent to a host before a check.
        """
        health = host.health
        if health.watched and self.settings.initialState == "check" and host.isIn:
            health.happened(HealthEvent.AWAITED, now)
            host.wentOut(now)

    # The ends of connections

    def _cut(self, host: Host, outcome: Outcome) -> None:
        """
        Have the connections of a host reset.
        """
        if host.active and self.cut is not None:
            self.cut(host, outcome)

    def _drainBy(self, host: Host, when: float) -> None:
        self._drains[id(host)] = when, host
        self._wake(when)

    def _drainNext(self) -> float | None:
        return min((when for when, _ in self._drains.values()), default=None)

    def _endDrains(self, now: float) -> None:
        """
        Reset what is left of those whose time is over.
        """
        for when, host in tuple(self._drains.values()):
            if when <= now:
                del self._drains[id(host)]
                self._cut(host, Outcome.DRAIN_TIMEOUT)

    def _tellGroup(self, kind: EventKind, message: str, now: float) -> None:
        if self._publish is not None:
            self._publish(Event(kind, (self.service, self.group), message, now))

    def _tell(
        self, kind: EventKind, host: Host, message: str, now: float, details: Details | None = None
    ) -> None:
        # The name of a host that is leaving may be another's by now.
        about = not host.leaving or kind in OF_LEAVING
        if about and self._publish is not None:
            self._publish(Event(kind, host.key, message, now, details or {}))

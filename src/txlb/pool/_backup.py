"""
The use of a group's backup hosts, and the state in which all hosts are down.

Backup hosts stand by while C{minimumUp} of the other hosts are up. If fewer are up, the
backup hosts are used beside them. They are left again once enough others have been up
for C{holdDown} seconds, so that a group at the limit doesn't change over with every
check. Before the first client has asked for a host there is no reason to hold: a
balancer that starts, or waits for names, leaves the backup hosts at once.

The semantics follow keepalived's quorum with hysteresis and HAProxy's backup servers
with C{allbackups}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from txlb._facts import Facts
from txlb.model import ProxyGroup
from txlb.pool._announcer import Announcer
from txlb.pool._events import EventKind
from txlb.pool._host import Host
from txlb.pool._rotation import Rotation
from txlb.pool._timers import Timer, Timers

_CLIENTS = {
    "try": "no host is up; whenAllDown=try sends clients to those that are down",
    "close": "no host is up; whenAllDown=close closes clients at once",
}

#: The message if there is no host to try, because every host is drained, for example.
_NO_CLIENTS = "no host takes clients, so they are closed at once"


class Backups:
    """
    The backup hosts of one pool. Owned by the pool, which calls L{review} after every
    change of a host.

    @param settings: returns the settings of the group.
    @param hosts: the hosts that are configured, by name.
    @param wake: is called with the time at which L{review} has something to do.

    @ivar used: whether the backup hosts are used.
    @ivar allDown: whether no host is up, the backup hosts included.
    @ivar asked: whether a client has asked for a host yet.
    @ivar running: whether the pool is complete. Before that no event is published.
    """

    def __init__(
        self,
        settings: Callable[[], ProxyGroup],
        hosts: Mapping[str, Host],
        rotation: Rotation,
        timers: Timers,
        announcer: Announcer,
        wake: Callable[[float], object],
    ) -> None:
        self._settings = settings
        self._hosts = hosts
        self._rotation = rotation
        self._timers = timers
        self._announcer = announcer
        self._wake = wake
        self._leave = Timer(self._leaveDue)
        self._backups: dict[str, Host] = {}
        self.used = False
        self.allDown = False
        self.asked = False
        self.running = False
        self._usedTold = self._downTold = False

    def follow(self, host: Host, now: float) -> None:
        """
        Follow a host that was added or configured anew: it may be a backup now, or no
        longer.
        """
        if host.backup:
            self._backups[host.name] = host
        else:
            self._backups.pop(host.name, None)
        host.standBy(host.backup and not self.used, now)

    def forget(self, host: Host) -> None:
        """
        Forget a host that was removed.
        """
        self._backups.pop(host.name, None)

    def review(self, now: float) -> None:
        """
        Use the backup hosts or leave them, if hosts or settings changed.
        """
        settings, up = self._settings(), self._rotation.upCount
        if up >= settings.minimumUp or not self._backups:
            if self.used:
                self._enough(settings, now)
        else:
            self._timers.clear(self._leave)
            if not self.used:
                self.used = True
                self._usedTold = self.running
                if self.running:
                    wanted = settings.minimumUp
                    message = f"the backup hosts are used: {up} others are up of {wanted} wanted"
                    self._announcer.ofGroup(EventKind.BACKUP_USED, message, now)
                self._apply(now)
        self._reviewDown(settings, now)

    def kept(self) -> dict[str, object]:
        """
        Return what a successor has to know, as plain values.
        """
        row: dict[str, object] = {}
        for name, value in (
            ("used", self.used),
            ("allDown", self.allDown),
            ("asked", self.asked),
            ("usedTold", self._usedTold),
            ("downTold", self._downTold),
        ):
            if value:
                row[name] = True
        if self._leave.when is not None:
            row["leaveAt"] = self._leave.when
        return row

    def restoring(self, facts: Facts, now: float) -> Callable[[], None]:
        """
        Read what L{kept} has returned.

        @return: takes it over, before the hosts take over theirs. The caller calls L{review}.
        @raise StateError: a value can't be right.
        """
        used, allDown, asked = map(facts.flag, ("used", "allDown", "asked"))
        usedTold, downTold = map(facts.flag, ("usedTold", "downTold"))
        leaveAt = facts.coming("leaveAt", now, now) if "leaveAt" in facts else None

        def take() -> None:
            self.used = used and bool(self._backups)
            self.allDown, self.asked = allDown, asked
            self._usedTold, self._downTold = usedTold, downTold
            self._timers.clear(self._leave)
            if leaveAt is not None and self.used:
                self._timers.set(self._leave, leaveAt)
            for host in self._backups.values():
                if host.standby is self.used:
                    host.standby = not self.used
                    self._rotation.refresh(host)

        return take

    def _leaveDue(self, now: float) -> None:
        self._leaveNow(now)
        self._reviewDown(self._settings(), now)

    def _enough(self, settings: ProxyGroup, now: float) -> None:
        if not self._backups or not self._wasAsked():
            self._leaveNow(now)
            return
        if self._leave.when is None:
            when = now + settings.holdDown
            self._timers.set(self._leave, when)
            self._wake(when)
        if self._leave.when is not None and self._leave.when <= now:
            self._leaveNow(now)

    def _wasAsked(self) -> bool:
        if not self.asked:
            self.asked = any(host.wasUsed for host in self._hosts.values())
        return self.asked

    def _leaveNow(self, now: float) -> None:
        self._timers.clear(self._leave)
        self.used = False
        if self._usedTold:
            message = f"the backup hosts are left: {self._rotation.upCount} others are up"
            self._announcer.ofGroup(EventKind.BACKUP_LEFT, message, now)
        self._apply(now)

    def _apply(self, now: float) -> None:
        for host in self._backups.values():
            if host.standBy(not self.used, now):
                self._rotation.refresh(host)

    def _reviewDown(self, settings: ProxyGroup, now: float) -> None:
        down = bool(self._hosts) and not (self._rotation.upCount or self._rotation.upBackupCount)
        if down is self.allDown:
            return
        self.allDown = down
        told, self._downTold = self._downTold, down and self.running
        if not down:
            if told:
                self._announcer.ofGroup(EventKind.GROUP_UP, "a host is up again", now)
        elif self.running:
            fits = self.fate == settings.whenAllDown
            message = _CLIENTS[settings.whenAllDown] if fits else _NO_CLIENTS
            self._announcer.ofGroup(EventKind.GROUP_DOWN, message, now)

    @property
    def fate(self) -> str:
        """
        The fate of clients while no host is up: C{try} if they are sent to hosts that
        are down, C{close} if they are closed at once; empty if a host is up.
        """
        if not self.allDown:
            return ""
        # Hosts that are drained, in maintenance or without an address are not tried.
        return self._settings().whenAllDown if self._rotation.anyDown else "close"

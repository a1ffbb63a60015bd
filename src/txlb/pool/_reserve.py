"""
When a group's backup hosts are used, and when all of its hosts are down.

Backup hosts stand by while C{minimumUp} of the others are up. With fewer they are
used beside them, and left again once enough have been back for C{holdDown}
seconds, so that a group on the edge doesn't change over with every check.
Before anybody has asked for a host there is nothing to hold: a balancer that
starts, or waits for names, leaves them at once.

keepalived's quorum with its hysteresis is the example, and HAProxy's backup
servers with C{allbackups}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from txlb.pool._events import EventKind

if TYPE_CHECKING:
    from txlb.model import ProxyGroup
    from txlb.pool._host import Host
    from txlb.pool._rotation import Rotation

#: Tells of the group: the kind of event, a sentence, the time.
TellGroup = Callable[[EventKind, str, float], object]

_WHEN = {
    "try": "whenAllDown=try sends clients to those that are down",
    "close": "whenAllDown=close closes clients at once",
}


class Reserve:
    """
    Looks after the backup of one pool. Owned by the pool, which says L{review}
    after every change of a host.

    @param hosts: gives the hosts that are configured.
    @param tell: see C{TellGroup}.

    @ivar used: whether the backup hosts are used.
    @ivar allDown: whether no host is up, the backup hosts included.
    @ivar asked: whether anybody has asked for a host yet.
    @ivar telling: whether there is anything to tell of: not while the pool is
        made.
    """

    def __init__(
        self, rotation: Rotation, hosts: Callable[[], Iterable[Host]], tell: TellGroup
    ) -> None:
        self._rotation = rotation
        self._hosts = hosts
        self._tell = tell
        self._leaveAt: float | None = None
        self.used = False
        self.allDown = False
        self.asked = False
        self.telling = False
        self._usedTold = self._downTold = False

    def review(self, settings: ProxyGroup, now: float) -> None:
        """
        Hosts or settings have changed, or time has.
        """
        hosts = list(self._hosts())
        backups = [host for host in hosts if host.backup]
        up = self._rotation.upCount
        if up >= settings.minimumUp or not backups:
            self._enough(settings, backups, hosts, now)
        else:
            self._leaveAt = None
            if not self.used:
                self.used = True
                self._usedTold = self.telling
                if self.telling:
                    wanted = settings.minimumUp
                    message = f"the backup hosts are used: {up} others are up of {wanted} wanted"
                    self._tell(EventKind.BACKUP_USED, message, now)
        for host in backups:
            self._stand(host)
        self._reviewDown(settings, bool(hosts), now)

    def _wasAsked(self, hosts: Iterable[Host]) -> bool:
        if not self.asked:
            self.asked = any(host.active or host.wasUsed for host in hosts)
        return self.asked

    def _enough(
        self, settings: ProxyGroup, backups: list[Host], hosts: list[Host], now: float
    ) -> None:
        if not self.used:
            return
        quiet = not self._wasAsked(hosts)
        if self._leaveAt is None:
            self._leaveAt = now + settings.holdDown
        if now >= self._leaveAt or quiet or not backups:
            self._leaveAt = None
            self.used = False
            if self._usedTold:
                message = f"the backup hosts are left: {self._rotation.upCount} others are up"
                self._tell(EventKind.BACKUP_LEFT, message, now)

    def _stand(self, host: Host) -> None:
        if host.standby is self.used:
            host.standby = not self.used
            self._rotation.refresh(host)

    def _reviewDown(self, settings: ProxyGroup, hosts: bool, now: float) -> None:
        down = hosts and not (self._rotation.upCount or self._rotation.upBackupCount)
        if down is self.allDown:
            return
        self.allDown = down
        told, self._downTold = self._downTold, down and self.telling
        if not down:
            if told:
                self._tell(EventKind.GROUP_UP, "a host is up again", now)
        elif self.telling:
            self._tell(EventKind.GROUP_DOWN, f"no host is up; {_WHEN[settings.whenAllDown]}", now)

    # Time

    def nextDeadline(self) -> float | None:
        """
        When L{review} has something to do next.
        """
        return self._leaveAt

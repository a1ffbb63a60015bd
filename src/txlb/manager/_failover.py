"""
The choice of the group that gets a service's connections.

It is the enabled group, while C{minimumUp} of its hosts are up. With fewer, the first
backup group with enough hosts of its own stands in, and after C{holdDown} seconds with
enough hosts the enabled group takes over again. If no backup group has enough hosts
either, the enabled group stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from txlb._facts import Facts
from txlb.model import ProxyGroup, ProxyService
from txlb.pool import EventKind

#: Returns the number of hosts of a service's group that are up.
UpCount = Callable[[str, str], int]

Tell = Callable[[EventKind, Sequence[str], str], object]


class Failover:
    """
    The groups that stand in for enabled ones. Owned by the manager, which calls
    L{review} when hosts went up or down, and after changes.

    @ivar standIns: the names of the groups that stand in, by service.
    """

    def __init__(self, upCount: UpCount, tell: Tell) -> None:
        self.standIns: dict[str, str] = {}
        self._upCount = upCount
        self._tell = tell
        self._backAt: dict[str, float] = {}
        # The group that each stands in for.
        self._mains: dict[str, str] = {}

    def review(self, service: ProxyService, asked: bool, now: float) -> None:
        """
        Choose the group of a service.

        @param asked: whether a client has connected yet. Before that there is no reason
            to hold.
        """
        main, name = service.enabledGroup, service.name
        backups = [group for group in service.groups if group.backup and group is not main]
        standIn = self.standIns.get(name)
        if standIn is None and not backups:
            return
        if self._has(service, main) or not backups:
            backAt = self._backAt.setdefault(name, now + main.holdDown)
            # A group that the administrator has switched to is used at once.
            held = asked and bool(backups) and self._mains.get(name) == main.name
            if standIn is not None and (now >= backAt or not held):
                self._use(service, None)
            if name not in self.standIns:
                del self._backAt[name]
            return
        self._backAt.pop(name, None)
        able = [group.name for group in backups if self._has(service, group)]
        if standIn not in able:
            self._use(service, able[0] if able else None)

    def _has(self, service: ProxyService, group: ProxyGroup) -> bool:
        return self._upCount(service.name, group.name) >= group.minimumUp

    def _use(self, service: ProxyService, standIn: str | None) -> None:
        main, name = service.enabledGroup, service.name
        before = self.standIns.pop(name, None)
        if standIn is not None:
            self.standIns[name] = standIn
            self._mains[name] = main.name
        if standIn == before:
            return
        up = self._upCount(name, main.name)
        after = main.name if standIn is None else standIn
        self._tell(
            EventKind.GROUP_SWITCHED,
            (name, after),
            f"gets the connections of {name} instead of {before or main.name}: {up} hosts of "
            f"{main.name} are up, and {main.minimumUp} are wanted",
        )

    def forget(self, names: Sequence[str]) -> None:
        """
        Forget all services but these.
        """
        for gone in self.standIns.keys() - set(names):
            del self.standIns[gone]
            self._backAt.pop(gone, None)
            self._mains.pop(gone, None)

    def kept(self, name: str) -> dict[str, object]:
        """
        Return what a successor has to know of a service, as plain values.
        """
        row: dict[str, object] = {}
        if name in self.standIns:
            row.update(standIn=self.standIns[name], main=self._mains[name])
        if name in self._backAt:
            row["backAt"] = self._backAt[name]
        return row

    def restoring(self, service: ProxyService, facts: Facts, now: float) -> Callable[[], None]:
        """
        Read what L{kept} has returned. A group that can't stand in any more does not.

        @return: takes it over. The caller calls L{review}.
        @raise StateError: a value can't be right.
        """
        name, standIn, main = service.name, facts.text("standIn"), facts.text("main")
        backAt = facts.coming("backAt", now, now) if "backAt" in facts else None
        able = any(group.name == standIn and group.backup for group in service.groups)

        def take() -> None:
            if able and main == service.enabledGroup.name and main != standIn:
                self.standIns[name], self._mains[name] = standIn, main
                if backAt is not None:
                    self._backAt[name] = backAt

        return take

    def nextDeadline(self) -> float | None:
        """
        Return the time at which L{review} has something to do next.
        """
        return min(self._backAt.values(), default=None)

    def due(self, now: float) -> list[str]:
        """
        Return the services for which that is due by C{now}.
        """
        return [name for name, when in self._backAt.items() if when <= now]

"""
The hosts of a pool, and how they follow the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from txlb.model import Address, ProxyGroup, ProxyHost
from txlb.pool._announcer import Announcer
from txlb.pool._backup import Backups
from txlb.pool._drains import Drains
from txlb.pool._events import EventKind, changed
from txlb.pool._groupcounters import GroupCounters
from txlb.pool._host import Host
from txlb.pool._outcome import Outcome
from txlb.pool._rotation import Rotation
from txlb.pool._tracker import HealthTracker
from txlb.pool._weighing import Weighing


@dataclass(frozen=True, slots=True)
class Ending:
    """
    What happens to the connections of a host that is drained or removed.

    @ivar deadline: seconds after which the connections that are left are reset, 0
        or more; L{None} for never, or for when was said before.
    @ivar force: reset them at once.
    """

    deadline: float | None = None
    force: bool = False


#: What happens if nothing is said.
NO_ENDING = Ending()


class Members:
    """
    The hosts of one pool, configured and leaving. Owned by the pool. It makes the
    hosts follow their configuration, and tells the other parts what changed.

    @param configured: the table of hosts by name, which the parts of the pool
        share and only this class changes.
    """

    def __init__(
        self,
        configured: dict[str, Host],
        rotation: Rotation,
        weighing: Weighing,
        backups: Backups,
        drains: Drains,
        tracker: HealthTracker,
        announcer: Announcer,
        counters: GroupCounters,
    ) -> None:
        self.configured = configured
        self._leaving: dict[int, Host] = {}
        self._rotation = rotation
        self._weighing = weighing
        self._backups = backups
        self._drains = drains
        self._tracker = tracker
        self._announcer = announcer
        self._counters = counters
        self._added = 0

    @property
    def leaving(self) -> list[Host]:
        """
        The hosts that were removed and wait for their leases to end.
        """
        return list(self._leaving.values())

    @property
    def active(self) -> int:
        """
        The number of leases, those on hosts that are leaving included.
        """
        hosts = (*self.configured.values(), *self._leaving.values())
        return sum(host.active for host in hosts)

    def remove(self, wanted: ProxyGroup, endings: Mapping[str, Ending], now: float) -> None:
        """
        Remove the hosts that a group doesn't have.
        """
        kept = {host.name for host in wanted.hosts}
        for name in [name for name in self.configured if name not in kept]:
            self._remove(self.configured[name], endings.get(name, NO_ENDING), now)

    def follow(self, wanted: ProxyGroup, endings: Mapping[str, Ending], now: float) -> None:
        """
        Add the hosts that are new in a group, change the others, and put all in its
        order. L{remove} comes before this.
        """
        table = self.configured
        for configured in wanted.hosts:
            name = configured.name
            host = table.get(name)
            if host is None:
                self._add(configured, now)
            # Most are the very same values.
            elif host.configured is not configured or name in endings:
                self._change(host, configured, endings.get(name, NO_ENDING), now)
        self._arrange(wanted.hosts)

    def _add(self, configured: ProxyHost, now: float) -> None:
        self._added += 1
        key = (self._announcer.service, self._announcer.group, configured.name)
        host = Host(key, configured, now, self._added)
        self.configured[configured.name] = host
        self._backups.follow(host, now)
        self._weighing.started(host, now)
        self._rotation.refresh(host)
        message = f"added at {configured.address}"
        details = changed(None, _shown(configured))
        self._announcer.ofHost(EventKind.HOST_ADDED, host, message, now, details)

    def _remove(self, host: Host, ending: Ending, now: float) -> None:
        del self.configured[host.name]
        host.leave(now)
        self._rotation.refresh(host)
        self._backups.forget(host)
        self._weighing.forget(host)
        self._tracker.left(host)
        message = f"removed, {host.active} connections left"
        details = dict(changed(_shown(host.configured), None))
        if host.active and ending.deadline is not None:
            self._drains.setDeadline(host, now + ending.deadline)
        when = self._drains.deadlineOf(host)
        if when is not None and not ending.force:
            message += f", reset in {when - now:g} s"
            details["deadline"] = when - now
        self._announcer.ofHost(EventKind.HOST_REMOVED, host, message, now, details)
        if not host.active:
            self._drains.forget(host)
            self._counters.gone(host)
            self._announcer.ofHost(EventKind.HOST_GONE, host, "gone", now)
            return
        self._leaving[id(host)] = host
        if ending.force:
            self._drains.reset(host, Outcome.REMOVED)

    def _change(self, host: Host, configured: ProxyHost, ending: Ending, now: float) -> None:
        before = host.configured
        if configured is before or configured == before:
            if ending.deadline is not None and configured.state != "ready" and host.active:
                self._drains.setDeadline(host, now + ending.deadline)
                self._announceState(host, before.state, ending.deadline, now)
            return
        host.follow(configured, now)
        if configured.backup != before.backup:
            self._backups.follow(host, now)
        if configured.address != before.address:
            self._tracker.moved(host, now)
        weighs = configured.weight != before.weight
        if weighs:
            self._weighing.weigh(host, now)
        enters = configured.state != before.state or ending.deadline is not None
        deadline = self._enter(host, before.state, ending, now) if enters else None
        self._rotation.refresh(host)
        if weighs:
            message = f"weight {before.weight} -> {configured.weight}"
            details = changed(before.weight, configured.weight)
            self._announcer.ofHost(EventKind.HOST_WEIGHT, host, message, now, details)
        if enters:
            self._announceState(host, before.state, deadline, now)
            if host.state != "ready" and before.state == "ready" and not host.active:
                message = "has no connections left"
                self._announcer.ofHost(EventKind.HOST_DRAINED, host, message, now)

    def _enter(self, host: Host, before: str, ending: Ending, now: float) -> float | None:
        """
        Let a host have the state in which it is configured. The caller updates the policy.

        @return: seconds after which the connections that it has are reset, if that is new;
            L{None} if it is not.
        """
        if host.state == "ready":
            self._drains.forget(host)
            if before != "ready":
                self._tracker.becameReady(host, now)
        elif ending.deadline is not None and host.active:
            self._drains.setDeadline(host, now + ending.deadline)
            return ending.deadline
        return None

    def _announceState(self, host: Host, before: str, deadline: float | None, now: float) -> None:
        state = host.state
        message = state if state == before else f"{before} -> {state}"
        details = dict(changed(before, state))
        if state != "ready":
            message += f", {host.active} connections left"
        if deadline is not None:
            message += f", reset in {deadline:g} s"
            details["deadline"] = deadline
        self._announcer.ofHost(EventKind.HOST_STATE, host, message, now, details)

    def _arrange(self, hosts: Sequence[ProxyHost]) -> None:
        """
        Put the hosts in this order.
        """
        table = self.configured
        if list(table) == [host.name for host in hosts]:
            return
        ordered = [table[host.name] for host in hosts]
        table.clear()
        table.update((host.name, host) for host in ordered)
        orders = [host.order for host in ordered]
        if orders == sorted(orders):
            return
        for number, host in enumerate(ordered, 1):
            if host.order != number:
                host.order = number
                # Whether it may be chosen does not depend on that.
                self._rotation.counted(host)
        self._added = len(ordered)

    def ended(self, host: Host, now: float) -> None:
        """
        See to a host that is leaving or drained and has no leases left.
        """
        self._drains.forget(host)
        if not host.leaving:
            message = "has no connections left"
            self._announcer.ofHost(EventKind.HOST_DRAINED, host, message, now)
        elif self._leaving.pop(id(host), None) is not None:
            self._counters.gone(host)
            self._announcer.ofHost(EventKind.HOST_GONE, host, "gone", now)

    # Upgrades

    def takeLeaving(self, host: Host) -> None:
        """
        Have a host that was removed before this process began, as it still has work.
        """
        self._leaving[id(host)] = host

    def announceRemoved(self, host: Host, now: float) -> None:
        """
        Tell of a host that the configuration of this process does not have, and the one before
        had.
        """
        message = f"removed, {host.active} connections left"
        details = dict(changed(_shown(host.configured), None))
        self._announcer.ofHost(EventKind.HOST_REMOVED, host, message, now, details)

    def announceGone(self, host: Host, now: float) -> None:
        """
        Tell of a host that was removed and has no connections left.
        """
        self._drains.forget(host)
        self._counters.gone(host)
        self._announcer.ofHost(EventKind.HOST_GONE, host, "gone", now)

    # Look-ups of names

    def resolved(self, host: Host, addresses: Sequence[Address], now: float) -> bool:
        """
        Let a host have the addresses that a look-up of its name found.

        @return: whether anything changed.
        """
        before = host.addresses
        if not addresses or set(before) == set(addresses):
            return False
        host.resolved(tuple(addresses))
        self._rotation.refresh(host)
        found = ", ".join(map(str, addresses))
        self._announcer.ofHost(EventKind.HOST_RESOLVED, host, f"is at {found}", now)
        return True

    def unresolved(self, host: Host, reason: str, now: float) -> None:
        """
        Keep what is known of a host, as a look-up of its name failed.
        """
        kept = "the last answer is kept" if host.addresses else "it is down until it has an address"
        message = f"{host.configured.ipOrHost} can't be resolved ({reason}); {kept}"
        self._announcer.ofHost(EventKind.HOST_UNRESOLVED, host, message, now)


def _shown(configured: ProxyHost) -> dict[str, object]:
    """
    Return how a host is configured, in plain values.
    """
    return {
        "address": str(configured.address),
        "weight": configured.weight,
        "maxConnections": configured.maxConnections,
        "state": configured.state,
        "backup": configured.backup,
    }

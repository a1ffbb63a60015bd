"""
The state of one moment, as plain data, from which every view is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txlb.pool._host import Host


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """
    One host at one moment.

    @ivar state: one word, see L{txlb.pool.Host.stateWord}.
    @ivar reason: the reason why it is down; empty otherwise.
    @ivar since: seconds that it has been in its state; for a host that is down, also
        while it is tried again, seconds since it went down.
    @ivar origin: the source that has found it; empty for a host that people own.
    @ivar wanted: its configured state: ready, drain or maintenance.
    @ivar backup: whether it is a backup host.
    @ivar checked: the result of the last check, in words; None if there was none.
    @ivar checkedAge: seconds since it ended, or None.
    @ivar upShare: the share of the time since it was added in which it was up, 0 to 1.
    @ivar pending: connections that are being opened.
    @ivar drainedIn: seconds until its remaining connections are reset, if it drains or
        leaves; None for never.
    @ivar active: connections that are open or being opened.
    @ivar connections: connections that were established, in all.
    @ivar failures: connections that were not, in all.
    @ivar bytesIn: bytes from clients to the host, in all.
    @ivar bytesOut: bytes from the host to clients, in all.
    @ivar connectTime: seconds that the last successful connect took, or None.
    @ivar load: its load, from 0 for idle to 1, smoothed; None for unknown.
    @ivar loadAge: seconds since the last report of it, or None.
    """

    name: str
    address: str
    weight: int
    effectiveWeight: float
    maxConnections: int | None
    state: str
    reason: str
    since: float
    active: int
    connections: int
    failures: int
    bytesIn: int
    bytesOut: int
    connectTime: float | None
    load: float | None = None
    loadAge: float | None = None
    origin: str = ""
    wanted: str = "ready"
    backup: bool = False
    checked: str | None = None
    checkedAge: float | None = None
    upShare: float = 1.0
    pending: int = 0
    drainedIn: float | None = None


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """
    One group at one moment.

    @ivar ready: the number of its hosts that may be chosen.
    @ivar up: the number of hosts that are up or unchecked, with room or without; no
        backup hosts.
    @ivar backup: whether it is a backup group.
    @ivar backupUsed: whether its backup hosts are used.
    @ivar allDown: the fate of clients if no host is up: C{try} if they are sent to
        hosts that are down, C{close} if they are closed; empty if a host is up.
    @ivar waiting: the number of clients that wait for room.
    @ivar maxQueue: the most that can wait.
    @ivar replaced: the configured scheduler, if it raised and another one stands in for
        it; empty otherwise.
    @ivar hosts: those that are configured, then those that are leaving.
    """

    name: str
    scheduler: str
    enabled: bool
    ready: int
    hosts: tuple[HostSnapshot, ...]
    up: int = 0
    backup: bool = False
    backupUsed: bool = False
    allDown: str = ""
    waiting: int = 0
    maxQueue: int = 0
    replaced: str = ""


@dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """
    One service at one moment.

    @ivar addresses: the addresses of its listeners.
    @ivar active: connections that it has.
    @ivar accepted: connections that were accepted, in all.
    @ivar refused: connections that were closed at once or found no host, in all, by
        kind.
    @ivar serving: the name of the group that gets the connections now: the enabled one,
        or a backup that stands in for it.
    @ivar notAccepting: the reason why it accepts no clients now; empty if it accepts
        them.
    """

    name: str
    addresses: tuple[str, ...]
    active: int
    accepted: int
    refused: Mapping[str, int]
    groups: tuple[GroupSnapshot, ...]
    serving: str = ""
    notAccepting: str = ""

    def asDict(self) -> dict[str, object]:
        """
        Return the snapshot as values that any format can hold.
        """
        return asdict(self)


def hostSnapshot(host: Host, now: float, drainedAt: float | None = None) -> HostSnapshot:
    """
    Return the snapshot of a host.

    @param now: in seconds of the pool's clock.
    @param drainedAt: the time at which its remaining connections are reset.
    """
    counters = host.counters
    return HostSnapshot(
        name=host.name,
        origin=host.configured.origin,
        address=str(host.configured.address),
        weight=host.weight,
        effectiveWeight=host.effectiveWeight,
        maxConnections=host.maxConnections,
        state=host.stateWord,
        reason=host.reason,
        since=now - host.since,
        active=host.active,
        connections=counters.connections,
        failures=counters.failures,
        bytesIn=counters.bytesIn,
        bytesOut=counters.bytesOut,
        connectTime=host.connectTime,
        load=None if host.load is None else 1 - host.load.available,
        loadAge=None if host.load is None else now - host.load.at,
        wanted=host.state,
        backup=host.backup,
        checked=None if host.health.last is None else str(host.health.last),
        checkedAge=None if host.health.last is None else now - host.health.lastAt,
        upShare=host.upShare(now),
        pending=host.pending,
        drainedIn=None if drainedAt is None else max(drainedAt - now, 0.0),
    )

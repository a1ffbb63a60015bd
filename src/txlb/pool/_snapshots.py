"""
How things stand at one moment, as plain data: what every view is made of.
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
    @ivar reason: why it is down, for people; empty otherwise.
    @ivar since: seconds that its health or mark has been as it is.
    @ivar active: connections that are open or being opened.
    @ivar connections: connections that were established, in all.
    @ivar failures: connections that were not, in all.
    @ivar bytesIn: bytes from clients to the host, in all.
    @ivar bytesOut: bytes from the host to clients, in all.
    @ivar connectTime: seconds that the last successful connect took, or None.
    @ivar load: how loaded it is, from 0 for idle to 1, smoothed; None for unknown.
    @ivar loadAge: seconds since that was heard, or None.
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


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """
    One group at one moment.

    @ivar ready: how many of its hosts may be chosen.
    @ivar hosts: those that are configured, then those that are leaving.
    """

    name: str
    scheduler: str
    enabled: bool
    ready: int
    hosts: tuple[HostSnapshot, ...]


@dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """
    One service at one moment.

    @ivar addresses: where it listens.
    @ivar active: connections that it has.
    @ivar accepted: connections that were let in, in all.
    @ivar refused: connections that were closed at once or found no host, in
        all, by kind.
    """

    name: str
    addresses: tuple[str, ...]
    active: int
    accepted: int
    refused: Mapping[str, int]
    groups: tuple[GroupSnapshot, ...]

    def asDict(self) -> dict[str, object]:
        """
        The snapshot in values that any format can hold.
        """
        return asdict(self)


def hostSnapshot(host: Host, now: float) -> HostSnapshot:
    """
    A host as it is now.

    @param now: in seconds of the pool's clock.
    """
    counters = host.counters
    return HostSnapshot(
        name=host.name,
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
    )

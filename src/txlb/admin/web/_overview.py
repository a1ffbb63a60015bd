"""
All services, groups and hosts in a short form, for a page that shows them all and is updated
often.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from txlb.admin._rows import rowOf
from txlb.admin.web._reply import encoded

if TYPE_CHECKING:
    from txlb.pool import Host, HostPool

#: The values of a host, in their order. C{since} and C{drainedAt} are seconds since 1970.
COLUMNS = (
    "name",
    "address",
    "state",
    "reason",
    "since",
    "wanted",
    "drainedAt",
    "weight",
    "effectiveWeight",
    "active",
    "pending",
    "maxConnections",
    "connections",
    "failures",
    "bytesIn",
    "bytesOut",
    "connectTime",
    "load",
    "origin",
    "backup",
    "checked",
)

#: The names of the service, of the group, and of the host.
Key = tuple[str, str, str]


def hostValues(host: Host, pool: HostPool, epoch: float) -> list[object]:
    """
    Return the values of a host, as L{COLUMNS} names them. There may be thousands of hosts, so no
    snapshot of them is made.

    @param epoch: the zero of the pool's clock, in seconds since 1970.
    """
    configured, counters, load = host.configured, host.counters, host.load
    last, drainedIn = host.health.last, pool.drainedIn(host)
    return [
        host.name,
        str(configured.address),
        host.stateWord,
        host.reason,
        round(epoch + host.since),
        host.state,
        None if drainedIn is None else round(epoch + pool.seconds() + drainedIn),
        configured.weight,
        host.effectiveWeight,
        host.active,
        host.pending,
        host.maxConnections,
        counters.connections,
        counters.failures,
        counters.bytesIn,
        counters.bytesOut,
        host.connectTime,
        None if load is None else 1 - load.available,
        configured.origin,
        configured.backup,
        None if last is None else str(last),
    ]


def epochOf(manager: Any) -> float:
    """
    Return the zero of the clock of all pools, in seconds since 1970. It is a little different each
    time, and moves with the system's clock.
    """
    return time.time() - float(manager.seconds())


def overviewParts(manager: Any, epoch: float) -> Iterator[tuple[str, Any, Any]]:
    """
    Yield the parts of the overview in their order, each when it is asked for: C{service} with
    its row, C{group} with its names and its row, with the times to connect that half of all
    connects and 99 of 100 did not exceed, C{host} with its key and its values.

    @param epoch: see L{epochOf}.
    """
    for serviceName in tuple(manager.services):
        if serviceName not in manager.services:
            continue  # it has gone meanwhile
        service = manager.serviceSnapshot(serviceName, hosts=False)
        pools = [manager.getPool(serviceName, group.name) for group in service.groups]
        yield "service", serviceName, rowOf("service", service, "groups")
        for group, pool in zip(service.groups, pools, strict=True):
            times = pool.counters.connectTimes
            row = {
                **rowOf("group", group, "hosts"),
                "connectP50": times.quantile(0.5),
                "connectP99": times.quantile(0.99),
            }
            yield "group", (serviceName, group.name), row
            for host in (*pool.hosts, *pool.leaving):
                yield "host", host.key, hostValues(host, pool, epoch)


def overviewPieces(manager: Any, last: str) -> Iterator[bytes]:
    """
    Yield the overview as JSON, piece by piece.

    @param last: the number of the last event, as the stream of events begins after it.
    """
    head = {"time": time.time(), "last": last, "columns": list(COLUMNS)}
    yield encoded(head)[:-1] + b',"services":['
    # What ends the lists that are open, from the inside out.
    ends: list[bytes] = []
    depths = {"service": 0, "group": 1, "host": 2}
    for kind, _, value in overviewParts(manager, epochOf(manager)):
        depth = depths[kind]
        closed = b"".join(ends[depth:][::-1])
        separator = b"," if len(ends) > depth else b""
        del ends[depth:]
        if kind == "host":
            yield closed + separator + encoded(value)
            ends.append(b"")
            continue
        inner = b"groups" if kind == "service" else b"hosts"
        row = {name: each for name, each in value.items() if name != "row"}
        yield closed + separator + encoded(row)[:-1] + b',"' + inner + b'":['
        ends.append(b"]}")
    yield b"".join(ends[::-1]) + b"]}"

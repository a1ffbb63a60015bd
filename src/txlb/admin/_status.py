"""
How things stand, as a table for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from txlb.manager import ProxyManager
from txlb.model import ProxyService
from txlb.pool import GroupSnapshot, HostSnapshot, ServiceSnapshot

#: The widest line, in characters.
WIDTH = 110

#: How wide columns of free text may become.
_WIDEST = {"host": 24, "address": 36}

_HEAD = ("host", "address", "state", "weight", "active", "total", "failed", "in", "out")
_LEFT = 3


class Listener(Protocol):
    """
    What is asked of a listener.
    """

    @property
    def addresses(self) -> Iterable[object]:
        """
        Where it listens now.
        """


class Balancer(Protocol):
    """
    What is asked of a L{txlb.application.LoadBalancedService}.
    """

    @property
    def manager(self) -> ProxyManager:
        """
        Its manager.
        """

    def getProxyNames(self) -> list[str]:
        """
        The names of its listeners.
        """

    def getProxyService(self, proxyName: str) -> Listener:
        """
        The listener of a name.
        """


class Configured(Protocol):
    """
    What is asked of a L{txlb.config.Configuration}.
    """

    @property
    def path(self) -> str:
        """
        Its file.
        """

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        """
        What differs between the file's services and these, a line each.
        """


def statusTable(lbs: Balancer, config: Configured | None = None) -> str:
    """
    Tell how a balancer stands: its listeners, services, groups and hosts, and
    what has been changed since its file was read.

    @param config: what the balancer was made from; L{None} where that is no file.
    @return: lines of at most 110 characters, in most cases.
    """
    parts = [_listeners(lbs)]
    parts.extend(_service(service) for service in lbs.manager.snapshot())
    parts.append(_changes(lbs, config))
    return "\n\n".join("\n".join(lines) for lines in parts)


def _listeners(lbs: Balancer) -> list[str]:
    names = lbs.getProxyNames()
    width = max((len(_fitted(name, 24)) for name in names), default=0)
    lines = ["listeners"]
    for name in names:
        addresses = ", ".join(map(str, lbs.getProxyService(name).addresses)) or "not listening"
        lines.append(_cut(f"  {_fitted(name, 24):<{width}}  {addresses}"))
    return lines


def _service(service: ServiceSnapshot) -> list[str]:
    lines = [
        _cut(
            f"service {service.name}: {service.active} active, {service.accepted} accepted, "
            f"{_refused(service.refused)}"
        )
    ]
    for group in service.groups:
        lines.extend(_group(group))
    return lines


def _refused(counts: Mapping[str, int]) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
    total = f"{sum(counts.values())} refused"
    return f"{total} ({kinds})" if kinds else total


def _group(group: GroupSnapshot) -> list[str]:
    enabled = "enabled" if group.enabled else "not enabled"
    configured = sum(host.state != "leaving" for host in group.hosts)
    lines = [
        _cut(
            f"  group {group.name} ({group.scheduler}, {enabled}): {group.ready} of {configured} "
            "hosts ready"
        )
    ]
    if not group.hosts:
        return lines
    rows = [_HEAD, *(_row(host) for host in group.hosts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for number, row in enumerate(rows):
        lines.append(_cut("    " + _aligned(row, widths)))
        if number and (why := _why(group.hosts[number - 1])):
            lines.append(_cut(f"      {why}"))
    return lines


def _row(host: HostSnapshot) -> tuple[str, ...]:
    return (
        _fitted(host.name, _WIDEST["host"]),
        _fitted(host.address, _WIDEST["address"]),
        host.state,
        _weight(host),
        str(host.active) if host.maxConnections is None else f"{host.active}/{host.maxConnections}",
        str(host.connections),
        str(host.failures),
        _bytes(host.bytesIn),
        _bytes(host.bytesOut),
    )


def _weight(host: HostSnapshot) -> str:
    """
    The weight, with the one in effect where that is another one.
    """
    if host.weight and host.effectiveWeight != host.weight:
        return f"{host.effectiveWeight:.3g} of {host.weight}"
    return str(host.weight)


def _why(host: HostSnapshot) -> str:
    """
    Since when a host is not up, and why; of a host that is up there is nothing
    to say.
    """
    if host.state in {"up", "full", "drain"} and not host.reason:
        return ""
    if host.state in {"leaving", "unresolved"}:
        return host.reason
    since = f"since {_duration(host.since)}"
    return f"{host.reason}, {since}" if host.reason else since


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """
    Words to the left, numbers to the right.
    """
    cells = (
        f"{cell:<{width}}" if column < _LEFT else f"{cell:>{width}}"
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _changes(lbs: Balancer, config: Configured | None) -> list[str]:
    if config is None:
        return ["no configuration file: what is changed lasts until the end of the process"]
    changes = config.changes(lbs.manager.services.values())
    if not changes:
        return [f"as in {config.path}"]
    return [f"changed since {config.path} was read:", *(f"  {line}" for line in changes)]


def _bytes(count: int) -> str:
    """
    A number of bytes in at most seven characters.
    """
    if count < 1000:
        return f"{count} B"
    size, units = float(count), ["PB", "TB", "GB", "MB", "kB"]
    unit = "B"
    while size >= 999.5 and units:
        size, unit = size / 1000, units.pop()
    return f"{size:.3g} {unit}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"


def _fitted(text: str, width: int) -> str:
    """
    A text cut to a column, in the middle, as names and paths differ at the ends.
    """
    if len(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}…{text[left + 1 - width :]}"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"

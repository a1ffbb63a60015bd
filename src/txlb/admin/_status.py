"""
The status of a balancer as a table for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from txlb.admin._filerow import Configured, fileRow

if TYPE_CHECKING:
    from txlb.manager import ProxyManager
    from txlb.pool import GroupSnapshot, HostSnapshot, ServiceSnapshot

#: The widest line, in characters.
WIDTH = 110

#: How wide columns of free text may become.
_WIDEST = {"host": 24, "address": 36}

_PROCESS_HEAD = ("process", "role", "state", "pid", "generation", "connections", "lag", "memory")
_HEAD = ("host", "address", "state", "weight", "active", "total", "failed", "in", "out")
_LEFT = 3


class Listener(Protocol):
    """
    The part of a listener that the status needs.
    """

    @property
    def serviceName(self) -> str:
        """
        The name of its service.
        """

    @property
    def addresses(self) -> Iterable[object]:
        """
        The addresses on which it listens now.
        """

    @property
    def whyPassed(self) -> str | None:
        """
        The reason why the manager of clones accepts its connections and passes them; empty
        if the clones accept them; L{None} if no clones serve here.
        """


class Clones(Protocol):
    """
    The part of a L{txlb.application._clones.ClonesService} that the status needs.
    """

    def processes(self, service: str = "") -> Sequence[Mapping[str, object]]:
        """
        Return a row for each process.
        """


class Certificates(Protocol):
    """
    The part of a L{txlb.application._certificates.CertificateService} that the status needs.
    """

    def warnings(self) -> Sequence[str]:
        """
        Return a line for each certificate that needs care.
        """


class Balancer(Protocol):
    """
    The part of a L{txlb.application.LoadBalancedService} that the status needs.
    """

    @property
    def manager(self) -> ProxyManager:
        """
        Its manager.
        """

    @property
    def clones(self) -> Clones:
        """
        The clones of its groups.
        """

    @property
    def certificates(self) -> Certificates | None:
        """
        The certificates of its listeners; L{None} for an application that is cloned.
        """

    def getProxyNames(self) -> list[str]:
        """
        Return the names of its listeners.
        """

    def getProxyService(self, proxyName: str) -> Listener:
        """
        Return the listener of a name.
        """


#: Colours a part of a line by the state of the host that it is about.
Paint = Callable[[str, str], str]


def statusTable(lbs: Balancer, config: Configured | None = None, only: str = "") -> str:
    """
    Tell how a balancer stands: its listeners, services, groups and hosts, and
    the changes since its file was read.

    @param config: the configuration of the balancer; L{None} if there is no file.
    @param only: the name of a service, to leave the others out; empty for all.
    @return: lines of at most 110 characters, in most cases.
    @raise UnknownName: there is no such service.
    """
    manager = lbs.manager
    services = [manager.serviceSnapshot(only)] if only else manager.snapshot()
    found = {name: lbs.getProxyService(name) for name in lbs.getProxyNames()}
    listeners = {
        name: [str(address) for address in each.addresses]
        for name, each in found.items()
        if not only or each.serviceName == only
    }
    passed = {name: each.whyPassed for name, each in found.items() if each.whyPassed is not None}
    more: dict[str, Any] = {
        "processes": lbs.clones.processes(only),
        "passed": passed,
        "certificates": () if only else certificateWarnings(lbs),
    }
    cluster = "".join(f"\n{line}" for line in (() if only else clusterWarnings(lbs)))
    if config is None:
        return statusText(listeners, services, **more) + cluster
    file: dict[str, Any] = dict(fileRow(config, manager.services.values()))
    inFile = file["inFile"] if file["edited"] else None
    text = statusText(
        listeners,
        services,
        file["path"],
        file["changes"],
        inFile,
        **more,
    )
    return text + cluster


def certificateWarnings(lbs: Balancer) -> Sequence[str]:
    """
    Return a line for each certificate of a balancer that needs care.
    """
    return () if lbs.certificates is None else lbs.certificates.warnings()


def clusterWarnings(lbs: Balancer) -> Sequence[str]:
    """
    Return a line if a balancer is cut off from its cluster, or has left it.
    """
    member = getattr(getattr(lbs, "cluster", None), "running", False)
    state = lbs.cluster.state if member else None  # type: ignore[attr-defined]  # it was looked for
    if state is None or state.connected:
        return ()
    why = "it has left" if state.left else state.trouble or "etcd has not answered in time"
    return [f"cluster {state.name}: {state.member} is no member now, and refuses changes: {why}"]


def statusText(
    listeners: Mapping[str, Sequence[str]],
    services: Iterable[ServiceSnapshot],
    path: str | None = None,
    changes: Sequence[str] = (),
    inFile: Sequence[str] | None = None,
    paint: Paint = lambda _state, part: part,
    processes: Sequence[Mapping[str, Any]] = (),
    passed: Mapping[str, str] = MappingProxyType({}),
    certificates: Sequence[str] = (),
) -> str:
    """
    Make the same text of a status that was read elsewhere.

    @param listeners: the addresses of each, by its name.
    @param path: the configuration file; L{None} if there is none.
    @param changes: what was changed live and is not in the file, a line each.
    @param inFile: what was edited in the file since it was read, or what is wrong with it, a
        line each; L{None} if it was not edited.
    @param paint: given the state of a host and a part of a line, gives that part in
        colours.
    @param processes: those of a cloned application, a row each; see
        L{txlb.interfaces.IClones.processes}.
    @param passed: of listeners that serve clones, by their names: why the manager accepts
        their connections and passes them; empty if the clones accept them.
    @param certificates: a line for each certificate that needs care.
    """
    parts = [_listeners(listeners, passed)]
    if certificates:
        # What is at the end of a line says what is wrong.
        parts.append(["certificates", *(f"  {line}" for line in certificates)])
    if processes:
        parts.append(_processes(processes, paint))
    parts.extend(_service(service, paint) for service in services)
    parts.append(_changes(path, changes, inFile))
    return "\n\n".join("\n".join(lines) for lines in parts)


def _listeners(listeners: Mapping[str, Sequence[str]], passed: Mapping[str, str]) -> list[str]:
    names = list(listeners)
    width = max((len(fitted(name, 24)) for name in names), default=0)
    lines = ["listeners"]
    for name in names:
        addresses = ", ".join(listeners[name]) or "not listening"
        lines.append(_cut(f"  {fitted(name, 24):<{width}}  {addresses}"))
        if why := passed.get(name):
            lines.append(_cut(f"      served by passing: the manager accepts, as {why}"))
        elif name in passed:
            lines.append("      served by grant: the clones accept")
    return lines


def _processes(processes: Sequence[Mapping[str, Any]], paint: Paint) -> list[str]:
    rows = [_PROCESS_HEAD, *(_process(each) for each in processes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_PROCESS_HEAD))]
    lines = ["processes"]
    # The state is the third column.
    begin = 2 + widths[0] + 2 + widths[1] + 2
    for number, row in enumerate(rows):
        line = _cut("  " + _aligned(row, widths))
        if number:
            end = begin + len(row[2])
            line = line[:begin] + paint(row[2], line[begin:end]) + line[end:]
        lines.append(line)
    return lines


def _process(process: Mapping[str, Any]) -> tuple[str, ...]:
    lag, memory = process.get("lag"), process.get("memory")
    # Clones of a balancer are named as its commands name hosts.
    places = (process.get("service"), process.get("group"), process.get("name", ""))
    return (
        "/".join(str(each) for each in places if each is not None),
        str(process.get("role", "")),
        str(process.get("state", "")),
        str(process.get("pid", "")),
        str(process.get("generation", "")),
        str(process.get("connections", "")),
        "-" if lag is None else f"{lag * 1000:.1f} ms",
        "-" if memory is None else bytesText(memory),
    )


def _service(service: ServiceSnapshot, paint: Paint) -> list[str]:
    lines = [
        _cut(
            f"service {service.name}: {service.active} active, {service.accepted} accepted, "
            f"{_refused(service.refused)}"
        )
    ]
    if service.notAccepting:
        lines.append(_cut(f"  accepts no clients: {service.notAccepting}"))
    for group in service.groups:
        lines.extend(_group(group, paint, group.name == service.serving))
    return lines


def _refused(counts: Mapping[str, int]) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
    total = f"{sum(counts.values())} refused"
    return f"{total} ({kinds})" if kinds else total


def _group(group: GroupSnapshot, paint: Paint, serving: bool = False) -> list[str]:
    # The model needs time to load. Modules that need another part of this one don't wait for it.
    from txlb.model import PEOPLE  # noqa: PLC0415  (see above)

    enabled = "enabled" if group.enabled else "backup" if group.backup else "not enabled"
    if serving and not group.enabled:
        enabled += ", standing in"
    configured = sum(host.state != "leaving" for host in group.hosts)
    lines = [
        _cut(
            f"  group {group.name} ({group.scheduler}, {enabled}): {group.ready} of {configured} "
            "hosts ready"
        )
    ]
    lines.extend(_cut(f"    {line}") for line in _state(group, serving))
    if not group.hosts:
        return lines
    rows = [_HEAD, *(_row(host) for host in group.hosts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for number, row in enumerate(rows):
        line = _cut("    " + _aligned(row, widths))
        if not number:
            lines.append(line)
            continue
        host = group.hosts[number - 1]
        # The state is the third column, of words that are set to the left.
        begin = 4 + widths[0] + 2 + widths[1] + 2
        end = begin + len(host.state)
        lines.append(line[:begin] + paint(host.state, line[begin:end]) + line[end:])
        if why := _why(host):
            lines.append(paint(host.state, _cut(f"      {why}")))
        if host.origin not in ("", *PEOPLE):
            lines.append(_cut(f"      found by {host.origin}"))
        if host.checked is not None:
            lines.append(_cut(f"      {_checked(host)}"))
    return lines


def _state(group: GroupSnapshot, serving: bool) -> Iterable[str]:
    """
    Yield the unusual states of a group.

    @param serving: whether it gets its service's clients.
    """
    if group.allDown:
        yield f"{_cause(group)}: {_fate(group)}" if serving else _cause(group)
    if group.backupUsed:
        yield f"the backup hosts are used: {group.up} others are up"
    if group.waiting:
        yield f"{group.waiting} clients wait for room, of {group.maxQueue} that may"


def _cause(group: GroupSnapshot) -> str:
    """
    Tell why no host of a group is up.
    """
    states = {host.state for host in group.hosts} - {"leaving"}
    if states and states <= {"drain", "maintenance"}:
        return "every host is drained or in maintenance"
    return "no host is up"


def _fate(group: GroupSnapshot) -> str:
    """
    Tell the fate of the clients of a group without a host that is up.
    """
    if group.allDown == "try":
        return "clients are sent to those that are down"
    if group.ready:
        return "the next client tries one again, others are closed at once"
    return "clients are closed at once"


def _checked(host: HostSnapshot) -> str:
    """
    Tell the result of the last check, its age, and the share of the time in which the host
    was up.
    """
    age = durationText(host.checkedAge or 0.0)
    return f"{host.checked}, {age} ago; in for {host.upShare:.1%} of its time"


def _row(host: HostSnapshot) -> tuple[str, ...]:
    return (
        fitted(host.name, _WIDEST["host"]),
        fitted(host.address, _WIDEST["address"]),
        host.state,
        _weight(host),
        str(host.active) if host.maxConnections is None else f"{host.active}/{host.maxConnections}",
        str(host.connections),
        str(host.failures),
        bytesText(host.bytesIn),
        bytesText(host.bytesOut),
    )


def _weight(host: HostSnapshot) -> str:
    """
    Show the weight, with the effective one if that differs.
    """
    if host.weight and host.effectiveWeight != host.weight:
        return f"{host.effectiveWeight:.3g} of {host.weight}"
    return str(host.weight)


def _why(host: HostSnapshot) -> str:
    """
    Tell since when a host is not up, and why; of a host that is up its load, if that is
    known.
    """
    if host.state in {"up", "unchecked", "full"}:
        return _load(host)
    since = f"since {durationText(host.since)}"
    if host.state == "drain":
        return ", ".join(filter(None, (since, _load(host))))
    # The reason is why it was down, if it was, and not why it is taken out.
    if host.state in {"leaving", "maintenance"} or not host.reason:
        return since
    return f"{host.reason}, {since}"


def _load(host: HostSnapshot) -> str:
    if host.load is None or host.loadAge is None:
        return ""
    return f"load {host.load:.0%}, heard {durationText(host.loadAge)} ago"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """
    Words to the left, numbers to the right.
    """
    cells = (
        f"{cell:<{width}}" if column < _LEFT else f"{cell:>{width}}"
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _changes(path: str | None, changes: Sequence[str], inFile: Sequence[str] | None) -> list[str]:
    if path is None:
        return ["no configuration file: what is changed lasts until the end of the process"]
    if not changes and inFile is None:
        return [f"as in {path}"]
    lines = []
    if changes:
        lines += [f"changed live, and not in {path}:", *(f"  {line}" for line in changes)]
    if inFile:
        lines += [f"edited in {path} since it was read, and not loaded:"]
        lines += [f"  {line}" for line in inFile]
    elif inFile is not None:
        lines += [f"{path} was edited since it was read, and says the same"]
    return lines


def bytesText(count: int) -> str:
    """
    Show a number of bytes in at most seven characters.
    """
    if count < 1000:
        return f"{count} B"
    size, units = float(count), ["PB", "TB", "GB", "MB", "kB"]
    unit = "B"
    while size >= 999.5 and units:
        size, unit = size / 1000, units.pop()
    return f"{size:.3g} {unit}"


def durationText(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"


def fitted(text: str, width: int) -> str:
    """
    Cut a text to the width of a column, in the middle, as names and paths differ at the ends.
    """
    if len(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}…{text[left + 1 - width :]}"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"

"""
Answers of commands: rows of plain values, that any format can hold.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from txlb.admin._filerow import fileRow
from txlb.admin._status import certificateWarnings, clusterWarnings, durationText
from txlb.errors import shortened
from txlb.model import PEOPLE, Change, ProxyHost, shown
from txlb.pool import Event, HostSnapshot

if TYPE_CHECKING:
    from txlb.admin._filerow import Configured
    from txlb.admin._status import Balancer
    from txlb.admin.login import Session
    from txlb.application._drift import Drift
    from txlb.cluster import ClusterState, Item
    from txlb.discovery import DiscoveryState

#: A part of the answer of a command. C{text}, if there is one, is for people.
Row = Mapping[str, object]

#: The units of the values of a point.
_POINT = {
    "active": "",
    "rate": "/s",
    "failures": "",
    "inRate": " B/s",
    "outRate": " B/s",
    "connectTime": " s",
    "weight": "",
}


def plain(value: object) -> object:
    """
    Return a value as JSON can hold it.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def rowOf(kind: str, value: Any, without: str = "", **more: object) -> Row:
    """
    Make a row of a frozen value.

    @param kind: the kind of the row, which is in its field C{row}.
    @param without: a field to leave out.
    @param more: further fields.
    """
    assert is_dataclass(value)  # noqa: S101 - snapshots are
    row: dict[str, object] = {"row": kind, **more}
    for each in fields(value):
        if each.name != without:
            row[each.name] = plain(getattr(value, each.name))
    return row


def sessionName(session: Session) -> str:
    """
    Return the name of a session for people.
    """
    return f"session {session.id} of {session.login.name}, by {session.door} from {session.address}"


def sessionRow(session: Session) -> Row:
    """
    Make a row of a session. Times are seconds; C{since} is one of the wall clock.
    """
    login = session.login
    return {
        "row": "session",
        "text": f"{sessionName(session)}: {login.access} access from source {login.source}, "
        f"in for {durationText(session.age)}, idle for {durationText(session.idle)}",
        "id": session.id,
        "door": session.door,
        "name": login.name,
        "source": login.source,
        "groups": list(login.groups),
        "access": login.access,
        "address": session.address,
        "since": session.since,
        "idle": session.idle,
    }


def statusRows(lbs: Balancer, config: Configured | None, only: str = "") -> Iterator[Row]:
    """
    Return rows that tell how a balancer stands: listeners, then each service followed by
    its groups, each of which is followed by its hosts, then the differences from the file.
    Each host's row is made when it is asked for.

    @param only: the name of a service, to leave the others out; empty for all.
    @raise UnknownName: there is no such service.
    """
    if only:
        lbs.manager.getService(only)
    return _statusRows(lbs, config, only)


def _statusRows(lbs: Balancer, config: Configured | None, only: str) -> Iterator[Row]:
    manager = lbs.manager
    for name in lbs.getProxyNames():
        listener = lbs.getProxyService(name)
        if not only or listener.serviceName == only:
            addresses = [str(address) for address in listener.addresses]
            yield {
                "row": "listener",
                "name": name,
                "addresses": addresses,
                **servedRow(listener.whyPassed),
            }
    for serviceName in (only,) if only else tuple(manager.services):
        if serviceName not in manager.services:
            continue  # it has gone since the first page was read
        service = manager.serviceSnapshot(serviceName, hosts=False)
        saved = _savedHosts(config, serviceName)
        # These pools, even if the service changes while pages are read.
        pools = [manager.getPool(serviceName, group.name) for group in service.groups]
        yield rowOf("service", service, "groups")
        for group, pool in zip(service.groups, pools, strict=True):
            yield rowOf("group", group, "hosts", service=service.name)
            for host in pool.hostSnapshots():
                row = rowOf("host", host, service=service.name, group=group.name)
                yield {**row, "origin": _origin(host, group.name, saved)}
    if not only:
        for line in certificateWarnings(lbs):
            yield {"row": "certificate", "text": line}
        for line in clusterWarnings(lbs):
            yield {"row": "cluster", "text": line}
    yield fileRow(config, manager.services.values())


def healthRows(reasons: Sequence[str]) -> list[Row]:
    """
    Return a row that tells whether a balancer serves clients.

    @param reasons: why it does not; none if it does.
    """
    text = f"does not serve: {'; '.join(reasons)}" if reasons else "serves"
    return [{"row": "health", "text": text, "serves": not reasons, "reasons": list(reasons)}]


def servedRow(whyPassed: str | None) -> Row:
    """
    Tell how connections of a listener come to clones.

    @param whyPassed: why the manager accepts them and passes them; empty if the clones accept
        them; L{None} for a listener without clones, of which nothing is told.
    """
    if whyPassed is None:
        return {}
    return {"served": "passing" if whyPassed else "grant", "why": whyPassed}


def processRows(processes: Iterable[Mapping[str, object]]) -> Iterator[Row]:
    """
    Yield a row for each process of a cloned application.
    """
    for each in processes:
        yield {"row": "process", **{key: plain(value) for key, value in each.items()}}


def discoveryRows(states: Iterable[DiscoveryState], now: float) -> Iterator[Row]:
    """
    Yield a row for each group that has a source of hosts.

    @param now: seconds of the clock of the states.
    """
    for each in states:
        where = "/".join(each.place)
        age = None if each.answered is None else max(now - each.answered, 0.0)
        if age is None:
            told = "no answer yet"
        else:
            told = f"the last answer is {age:.0f} s old"
        found = _hosts(each.hosts)
        lines = [f"{where}: {found} by {each.origin}, {told}"]
        if each.trouble:
            lines.append(f"  no answer now: {each.trouble}")
        if each.held is not None:
            lines.append(
                f"  held back: an answer with {_hosts(each.held)}; use it with: txlb accept {where}"
            )
        lines += [f"  passed over: {sentence}" for sentence in each.wrong]
        yield {
            "row": "source",
            "text": "\n".join(lines),
            "service": each.place[0],
            "group": each.place[1],
            "origin": each.origin,
            "hosts": each.hosts,
            "age": age,
            "trouble": each.trouble,
            "held": each.held,
            "wrong": list(each.wrong),
        }


def clusterRows(state: ClusterState) -> Iterator[Row]:
    """
    Yield a row for the cluster, and one for each member.
    """
    yield {
        "row": "cluster",
        "text": "\n".join(_clusterLines(state)),
        "name": state.name,
        "mode": state.mode,
        "member": state.member,
        "connected": state.connected,
        "left": state.left,
        "leads": state.leads,
        "leader": state.leader,
        "since": state.since,
        "term": state.term,
        "head": state.head,
        "applied": state.applied,
        "lag": state.lag,
        "shared": state.shared,
        "trouble": state.trouble,
    }
    differing = state.differing
    for each in state.members:
        lag = max(state.head - each.applied, 0)
        same = each.name not in differing
        takes = f"takes {each.leader} for the leader" if each.leader else "knows no leader"
        services = "same services" if same else "OTHER SERVICES"
        yield {
            "row": "member",
            "text": f"  {each.name} ({each.address}): txlb {each.version}, since "
            f"{_instant(each.since)}, {takes}, {_behind(lag)}, {services}",
            "lag": lag,
            "same": same,
            **asdict(each),
        }


def sharedRows(items: Iterable[Item]) -> Iterator[Row]:
    """
    Yield a row for each value that the members of a cluster share.
    """
    for each in items:
        yield {
            "row": "shared",
            "text": f"{'/'.join(map(_nameText, each.key))}: {_valueText(each)}",
            "key": list(each.key),
            "setting": each.setting,
            "value": each.value,
        }


def _nameText(name: str) -> str:
    # Other programs may write to etcd.
    return shortened(name) if name.isprintable() else shown(name)


def _valueText(item: Item) -> str:
    value = shortened(json.dumps(item.value))
    if item.setting != "host":
        return f"{item.setting} {value}"
    return "removed" if item.value is None else f"added, {value}"


def forgottenRows(count: int, events: Iterable[Event], name: str) -> Iterator[Row]:
    """
    Yield a row for values that the members of a cluster have taken back, and those of what that
    has changed here.

    @param name: what they were of; empty for everything.
    """
    values = "1 shared value" if count == 1 else f"{count} shared values"
    text = f"{values}{' of ' if name else ''}{name}: taken back"
    yield {"row": "forgotten", "text": text, "values": count, "of": name}
    yield from eventRows(events)


def _clusterLines(state: ClusterState) -> Iterator[str]:
    if state.leader:
        leader = f"{state.leader} leads since {_instant(state.since)} (term {state.term})"
    else:
        leader = "no member leads"
    yield f"cluster {state.name} ({state.mode}): {leader}"
    if state.left:
        yield f"{state.member} has left it, and refuses changes; join again with: txlb cluster join"
    elif not state.connected:
        yield (
            f"{state.member} is cut off, serves with what it knows, and refuses changes: "
            f"{state.trouble or 'etcd has not answered in time'}"
        )
    else:
        yield f"this is {state.member}, {_behind(state.lag)}"


def _behind(lag: int) -> str:
    return "no change behind" if not lag else f"{lag} change{'' if lag == 1 else 's'} behind"


def _instant(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(when))


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def certificateRows(certificates: Any) -> Iterator[Row]:
    """
    Yield a row for each certificate that is in use, and for each fault of its files.

    @param certificates: the balancer's certificates.
    """
    for each in certificates.rows():
        day, since = (
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(each[name]))
            for name in ("expires", "since")
        )
        state = "" if each["state"] == "good" else f" ({each['state']})"
        text = (
            f"{', '.join(each['names'])}: {each['key']}, until {day}{state}, in use since {since}, "
            f"{each['file']}"
        )
        yield {"row": "certificate", "text": text, **each}
    for fault in certificates.faults():
        yield {"row": "fault", "text": fault}


def reloadedRows(lines: Iterable[str], faults: Iterable[str]) -> list[Row]:
    """
    Return a row for each certificate that came or went, and for each fault.
    """
    found: list[Row] = [
        *({"row": "certificate", "text": line} for line in lines),
        *({"row": "fault", "text": fault} for fault in faults),
    ]
    return found or [{"row": "certificate", "text": "no certificate has changed"}]


def _savedHosts(config: Configured | None, serviceName: str) -> frozenset[tuple[str, str]]:
    """
    Return the hosts that the file has for a service, by the names of group and host.
    """
    return frozenset(
        (group.name, host.name)
        for service in (() if config is None else config.services)
        if service.name == serviceName
        for group in service.groups
        for host in group.hosts
    )


def _origin(host: HostSnapshot, groupName: str, saved: frozenset[tuple[str, str]]) -> str:
    """
    Tell where a host comes from: the source that has found it, the file, or a live change,
    which is not in the file.
    """
    inFile, live = PEOPLE
    return host.origin or (inFile if (groupName, host.name) in saved else live)


def changeRows(changes: Iterable[Change]) -> Iterator[Row]:
    """
    Yield a row for each change.
    """
    for change in changes:
        yield {"row": "change", **_event(change)}


def driftRows(drift: Drift) -> Iterator[Row]:
    """
    Make rows of the changes of the file, of the live changes, and of the hosts that sources
    have found.
    """
    for origin, where, plan in (
        ("file", "in the file", drift.inFile),
        ("live", "changed live", drift.live),
    ):
        for row in changeRows(plan.changes):
            yield {**row, "origin": origin, "text": f"{where}: {row['text']}"}
    for change in drift.found.changes:
        origin = change.after.origin if isinstance(change.after, ProxyHost) else ""
        for row in changeRows([change]):
            yield {**row, "row": "found", "origin": origin, "text": f"found: {row['text']}"}


def liveRows(live: int) -> Iterator[Row]:
    """
    Make a row that tells how many live changes are not in the file; none if there are
    none.
    """
    if live:
        text = f"{live} live {'change is' if live == 1 else 'changes are'} not in the file"
        yield {"row": "note", "text": text, "live": live}


def eventRows(events: Iterable[Event]) -> Iterator[Row]:
    """
    Yield a row for each event.
    """
    for event in events:
        yield {"row": "event", "text": str(event), **_event(event)}


def numberedRows(events: Iterable[tuple[int, float, Event]]) -> Iterator[Row]:
    """
    Yield events with their numbers, and when they came in seconds since 1970.
    """
    for number, when, event in events:
        yield {
            "row": "event",
            "text": f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(when))} {event}",
            "number": number,
            "time": when,
            **_event(event),
        }


def pointRows(points: Iterable[Mapping[str, float | None]]) -> Iterator[Row]:
    """
    Yield a row for each point of a history.
    """
    for point in points:
        parts = [time.strftime("%H:%M:%S", time.localtime(point["time"]))]
        for name, unit in _POINT.items():
            value = point[name]
            parts.append(f"{name} {'-' if value is None else f'{value:.4g}{unit}'}")
        yield {"row": "point", "text": "  ".join(parts), **point}


def _event(event: Event | Change) -> dict[str, object]:
    return {key: plain(value) for key, value in event.asDict().items()}

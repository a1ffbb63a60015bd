"""
Hosts as servers in HAProxy's statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from txlb.admin.metrics._columns import ZEROS

if TYPE_CHECKING:
    from txlb.pool import Host

#: HAProxy's word for each state of a host, as in its CSV.
STATUS = {
    "up": "UP",
    "full": "UP",
    "standby": "UP",
    "going-down": "UP",
    "unchecked": "no check",
    "starting": "DOWN",
    "down": "DOWN",
    "coming-up": "DOWN",
    "due": "DOWN",
    "trial": "DOWN",
    "maintenance": "MAINT",
    "unresolved": "MAINT (resolution)",
    "drain": "DRAIN",
    "leaving": "DRAIN",
}

#: The states of servers and of checks that HAProxy's exporter has a sample for.
SERVER_STATES = ("DOWN", "UP", "MAINT", "DRAIN", "NOLB")
CHECK_STATES = (
    *("HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT"),
    *("L7RSP", "L7OK", "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK"),
)

#: The state that the exporter has for each word of the CSV.
EXPORTED = {word: word.partition(" ")[0] for word in STATUS.values()} | {"no check": "UP"}


@dataclass(slots=True)
class Servers:
    """
    Some hosts as servers. There may be thousands of them, so a value is not looked up host by
    host but column by column. Owned by a L{txlb.admin.metrics._haproxyview.HAProxyView}.

    @ivar hosts: the hosts.
    @ivar backends: the name of the backend of each.
    @ivar numbers: the number of the backend of each.
    @ivar places: the place of each in its backend, from 1.
    @ivar layers: the layer of the checks of each: C{L4} for those that only connect, or C{L7}.
    @ivar rings: what the history keeps of each; L{None} if there is nothing.
    @ivar now: the time, in seconds of the pools' clock.
    @ivar status: the word of each for its state. It is found once, so that all samples of a
        scrape agree.
    """

    hosts: Sequence[Host]
    backends: Sequence[str]
    numbers: Sequence[int]
    places: Sequence[int]
    layers: Sequence[str]
    rings: Sequence[Any]
    now: float
    status: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        self.status = [STATUS[host.stateWord] for host in self.hosts]

    def __len__(self) -> int:
        """
        Return their number.
        """
        return len(self.hosts)

    def column(self, name: str) -> Iterable[object]:
        """
        Return the values of a column, in the order of the hosts; L{None} for a host that has
        none.

        @param name: one of L{SERVER_COLUMNS}.
        """
        return SERVER_COLUMNS[name](self)

    @property
    def states(self) -> Iterable[str]:
        """
        The state of each as the exporter has it.
        """
        return map(EXPORTED.__getitem__, self.status)


Column = Callable[[Servers], Iterable[object]]


def _read(path: str) -> Column:
    get = attrgetter(path)
    return lambda servers: map(get, servers.hosts)


def _each(value: Callable[[Any], object]) -> Column:
    return lambda servers: map(value, servers.hosts)


def _watched(value: Callable[[Any], object]) -> Column:
    return lambda servers: [value(host) if host.health.watched else None for host in servers.hosts]


def _checked(value: Callable[[Any], object]) -> Column:
    return lambda servers: [
        None if last is None else value(last)
        for last in map(attrgetter("health.last"), servers.hosts)
    ]


def _measured(value: Callable[[Any], float]) -> Column:
    return lambda servers: [None if ring is None else round(value(ring)) for ring in servers.rings]


def _checkStates(servers: Servers) -> Iterable[object]:
    lasts = map(attrgetter("health.last"), servers.hosts)
    pairs = zip(lasts, servers.layers, strict=True)
    return [None if last is None else _CHECKS[layer][last.passed] for last, layer in pairs]


def _downtimes(servers: Servers) -> Iterable[object]:
    now = servers.now
    return [int(host.downTime(now)) if host.health.watched else None for host in servers.hosts]


def _lastChanges(servers: Servers) -> Iterable[object]:
    now = servers.now
    return [int(now - host.since) for host in servers.hosts]


#: The states of a check that has failed, and of one that has passed.
_CHECKS = {"L4": ("L4CON", "L4OK"), "L7": ("L7RSP", "L7OK")}

#: The columns of servers whose values differ, in the order of the reference of HAProxy.
SERVER_COLUMNS: Mapping[str, Column] = {
    "pxname": attrgetter("backends"),
    "svname": _read("name"),
    "scur": _read("active"),
    "smax": _measured(attrgetter("mostActive")),
    "slim": _read("maxConnections"),
    "stot": _read("counters.connections"),
    "bin": _read("counters.bytesIn"),
    "bout": _read("counters.bytesOut"),
    "econ": _read("counters.failures"),
    "status": attrgetter("status"),
    "weight": _each(lambda host: round(host.effectiveWeight)),
    "act": _each(lambda host: 0 if host.configured.backup else 1),
    "bck": _each(lambda host: 1 if host.configured.backup else 0),
    "chkfail": _watched(attrgetter("counters.checkFailures")),
    "chkdown": _watched(attrgetter("counters.downs")),
    "lastchg": _lastChanges,
    "downtime": _downtimes,
    "iid": attrgetter("numbers"),
    "sid": attrgetter("places"),
    "lbtot": _read("counters.connections"),
    "rate": _measured(lambda ring: ring.latest("rate")),
    "rate_max": _measured(attrgetter("mostRate")),
    "check_status": _checkStates,
    "check_duration": _checked(lambda last: round(last.duration * 1000)),
    "last_chk": _checked(attrgetter("detail")),
    "ctime": _each(lambda host: round((host.connectTime or 0.0) * 1000)),
    "check_desc": _checked(attrgetter("detail")),
    "check_rise": _watched(attrgetter("health.rise")),
    "check_fall": _watched(attrgetter("health.fall")),
    "addr": _read("configured.address"),
    "connect": _each(lambda host: host.counters.connections + host.counters.failures),
    "used_conn_cur": _read("active"),
    "uweight": _read("configured.weight"),
}

#: The columns of servers that have the same value for each.
SERVER_CONSTANTS: Mapping[str, object] = {
    **ZEROS["server"],
    "pid": 1,
    "type": 2,
    "mode": "tcp",
    "-": "-",
}

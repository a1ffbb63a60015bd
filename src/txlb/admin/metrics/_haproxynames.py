"""
Metrics by the names of HAProxy's exporter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from txlb._version import __version__
from txlb.admin.metrics._columns import StatRow
from txlb.admin.metrics._exposition import EOF
from txlb.admin.metrics._haproxyview import HAProxyView
from txlb.admin.metrics._labels import labelsOf
from txlb.admin.metrics._servers import (
    CHECK_STATES,
    EXPORTED,
    SERVER_CONSTANTS,
    SERVER_STATES,
    Servers,
)

if TYPE_CHECKING:
    from txlb.admin._target import Target

#: The columns of frontends, backends and servers that the exporter has, by the names there.
#: Times are in milliseconds in columns, and in seconds there.
FRONTEND: Mapping[str, str] = {
    "current_sessions": "scur",
    "max_sessions": "smax",
    "limit_sessions": "slim",
    "sessions_total": "stot",
    "bytes_in_total": "bin",
    "bytes_out_total": "bout",
    "requests_denied_total": "dreq",
    "responses_denied_total": "dresp",
    "request_errors_total": "ereq",
    "limit_session_rate": "rate_lim",
    "max_session_rate": "rate_max",
    "connections_rate_max": "conn_rate_max",
    "connections_total": "conn_tot",
    "denied_connections_total": "dcon",
    "denied_sessions_total": "dses",
    "failed_header_rewriting_total": "wrew",
    "internal_errors_total": "eint",
}
BACKEND: Mapping[str, str] = {
    "current_queue": "qcur",
    "max_queue": "qmax",
    "current_sessions": "scur",
    "max_sessions": "smax",
    "sessions_total": "stot",
    "bytes_in_total": "bin",
    "bytes_out_total": "bout",
    "requests_denied_total": "dreq",
    "responses_denied_total": "dresp",
    "connection_errors_total": "econ",
    "response_errors_total": "eresp",
    "retry_warnings_total": "wretr",
    "redispatch_warnings_total": "wredis",
    "weight": "weight",
    "active_servers": "act",
    "backup_servers": "bck",
    "loadbalanced_total": "lbtot",
    "max_session_rate": "rate_max",
    "client_aborts_total": "cli_abrt",
    "server_aborts_total": "srv_abrt",
    "connect_time_average_seconds": "ctime",
    "total_time_average_seconds": "ttime",
    "failed_header_rewriting_total": "wrew",
    "connection_attempts_total": "connect",
    "connection_reuses_total": "reuse",
    "internal_errors_total": "eint",
    "uweight": "uweight",
}
SERVER: Mapping[str, str] = {
    "current_queue": "qcur",
    "max_queue": "qmax",
    "current_sessions": "scur",
    "max_sessions": "smax",
    "limit_sessions": "slim",
    "sessions_total": "stot",
    "bytes_in_total": "bin",
    "bytes_out_total": "bout",
    "responses_denied_total": "dresp",
    "connection_errors_total": "econ",
    "weight": "weight",
    "check_failures_total": "chkfail",
    "check_up_down_total": "chkdown",
    "check_last_change_seconds": "lastchg",
    "downtime_seconds_total": "downtime",
    "loadbalanced_total": "lbtot",
    "max_session_rate": "rate_max",
    "check_duration_seconds": "check_duration",
    "connect_time_average_seconds": "ctime",
    "failed_header_rewriting_total": "wrew",
    "connection_attempts_total": "connect",
    "connection_reuses_total": "reuse",
    "idle_connections_current": "srv_icur",
    "internal_errors_total": "eint",
    "unsafe_idle_connections_current": "idle_conn_cur",
    "safe_idle_connections_current": "safe_conn_cur",
    "used_connections_current": "used_conn_cur",
    "uweight": "uweight",
}

#: The columns that are milliseconds.
_MILLISECONDS = {"ctime", "ttime", "check_duration"}

Labelled = Sequence[tuple[str, StatRow]]

#: Some servers, with the text of the labels of each.
LabelledServers = Sequence[tuple[Sequence[str], Servers]]


class HAProxyExposition:
    """
    The writer of metrics by the names of HAProxy 2.6's exporter, with its labels, so that
    dashboards and alerts for HAProxy can be used. A service is a frontend, a group is a backend
    C{service:group}, and a host is a server. Metrics of HTTP, and those whose facts the balancer
    does not have, are left out. Owned by the door that serves them; it keeps the labels' texts of
    hosts as an L{txlb.admin.metrics.Exposition} does.

    @param target: the balancer.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._labels: dict[tuple[str, str], str] = {}

    def text(self, openMetrics: bool = False) -> Iterator[bytes]:
        """
        Write all metrics.

        @param openMetrics: whether to write OpenMetrics 1.0, and not text format 0.0.4.
        @return: slices of the text, of which some may be empty; each takes less than a
            millisecond.
        """
        view = HAProxyView(self._target)
        for _ in view.collecting():
            yield b""
        heading = _openMetricsHeading if openMetrics else _heading
        yield _process(view, heading)
        frontends = [(labelsOf(proxy=str(row["pxname"])), row) for row in view.frontends]
        yield from _families("frontend", FRONTEND, frontends, heading)
        yield _states("frontend", frontends, _frontendState, heading)
        backends = [(labelsOf(proxy=str(row["pxname"])), row) for row in view.backends]
        yield from _families("backend", BACKEND, backends, heading)
        yield _states("backend", backends, _backendState, heading)
        yield from _sums(view, backends, heading)
        servers: list[tuple[Sequence[str], Servers]] = []
        for labels, some in self._labelling(view):
            servers.append((labels, some))
            yield b""
        if servers:
            for name, column in SERVER.items():
                yield from _serverSamples(name, column, servers, heading)
            yield from _serverStates(servers, heading)
        if openMetrics:
            yield EOF

    def _labelling(self, view: HAProxyView) -> Iterator[tuple[Sequence[str], Servers]]:
        """
        Yield all servers with their labels. Those of hosts that are gone are forgotten.
        """
        before, labels = self._labels, {}
        for servers in view.servers:
            found = []
            names = (host.name for host in servers.hosts)
            for key in zip(servers.backends, names, strict=True):
                text = before.get(key)
                if text is None:
                    text = labelsOf(proxy=key[0], server=key[1])
                labels[key] = text
                found.append(text)
            yield found, servers
        self._labels = labels


Heading = Callable[[str, str], str]


def _heading(name: str, doc: str) -> str:
    kind = "counter" if name.endswith("_total") else "gauge"
    return f"# HELP {name} {doc}.\n# TYPE {name} {kind}\n"


def _openMetricsHeading(name: str, doc: str) -> str:
    kind = "counter" if name.endswith("_total") else "gauge"
    family = name.removesuffix("_total")
    return f"# HELP {family} {doc}.\n# TYPE {family} {kind}\n"


def _doc(thing: str, column: str) -> str:
    return f"The field {column} of HAProxy's statistics, of a {thing}"


def _process(view: HAProxyView, heading: Heading) -> bytes:
    balancer = view.scene.balancer
    process = balancer.process
    start = process.startSeconds
    frontends = view.frontends
    connections = sum(_number(row["conn_tot"]) for row in frontends)
    rate = sum(_number(row.get("rate")) for row in frontends)
    values: dict[str, object] = {
        "nbthread": 1,
        "nbproc": 1,
        "relative_process_id": 1,
        "uptime_seconds": None if start is None else int(time.time() - start),
        "max_fds": process.limit,
        "max_sockets": process.limit,
        "max_connections": balancer.limit,
        "hard_max_connections": balancer.limit,
        "current_connections": balancer.connections,
        "connections_total": connections,
        "current_connection_rate": rate,
        "current_session_rate": rate,
        "limit_connection_rate": 0,
        "limit_session_rate": 0,
        "listeners": len(view.scene.listeners),
        "start_time_seconds": None if start is None else int(start),
    }
    parts = []
    for name, value in values.items():
        if value is not None:
            full = f"haproxy_process_{name}"
            parts.append(f"{heading(full, _doc('process', name))}{full} {value}\n")
    build = "haproxy_process_build_info"
    parts.append(heading(build, "Always 1; the label has the version of txlb"))
    parts.append(f"{build}{labelsOf(version=f'txlb-{__version__}')} 1\n")
    return "".join(parts).encode()


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _families(
    thing: str, columns: Mapping[str, str], rows: Labelled, heading: Heading
) -> Iterator[bytes]:
    """
    Write the families of services or groups.
    """
    if not rows:
        return
    for name, column in columns.items():
        full = f"haproxy_{thing}_{name}"
        unit = "e-3" if column in _MILLISECONDS else ""
        lines = [
            f"{full}{labels} {value}{unit}\n"
            for labels, row in rows
            if (value := row.get(column)) is not None
        ]
        yield f"{heading(full, _doc(thing, column))}{''.join(lines)}".encode()


def _states(thing: str, rows: Labelled, get: Callable[[StatRow], str], heading: Heading) -> bytes:
    """
    Write a sample for each state of each service or group: 1 for the one that it is in, 0 for
    others.
    """
    if not rows:
        return b""
    full = f"haproxy_{thing}_status"
    parts = [heading(full, _statesDoc(thing))]
    for labels, row in rows:
        now, start = get(row), f"{full}{labels[:-1]},state="
        parts += [f'{start}"{state}"}} {1 if state == now else 0}\n' for state in ("DOWN", "UP")]
    return "".join(parts).encode()


def _statesDoc(thing: str) -> str:
    return f"1 for the state of the {thing}, 0 for other states"


def _serverSamples(
    name: str, column: str, servers: LabelledServers, heading: Heading
) -> Iterator[bytes]:
    """
    Write a family of servers. There may be thousands of them, so this does as little as possible
    for each.
    """
    full = f"haproxy_server_{name}"
    yield heading(full, _doc("server", column)).encode()
    unit = "e-3" if column in _MILLISECONDS else ""
    for labels, some in servers:
        if column in SERVER_CONSTANTS:
            values = [SERVER_CONSTANTS[column]]
        else:
            values = list(some.column(column))
        if column == "slim":
            values = ["NaN" if value is None else value for value in values]
        first = values[0]
        end = f" {first}{unit}\n"
        if values.count(first) == len(values):
            # Often all have the same, such as the weight.
            yield b"" if first is None else f"{full}{f'{end}{full}'.join(labels)}{end}".encode()
            continue
        pairs = zip(labels, values, strict=True)
        if unit:
            lines = [f"{text} {value}{unit}\n" for text, value in pairs if value is not None]
        else:
            lines = [f"{text} {value}\n" for text, value in pairs if value is not None]
        yield f"{full}{full.join(lines)}".encode()


def _serverStates(servers: LabelledServers, heading: Heading) -> Iterator[bytes]:
    """
    Write a sample for each state of each server, and for each state of its check, if it is
    checked.
    """
    for name, states in (("status", SERVER_STATES), ("check_status", CHECK_STATES)):
        full = f"haproxy_server_{name}"
        isCheck = name == "check_status"
        heads = heading(full, _statesDoc("server")).encode()
        pieces = {now: _pieces(full, states, now) for now in states}
        for labels, some in servers:
            found: Iterable[Any] = some.column(name) if isCheck else some.states
            lines = [
                text[:-1].join(pieces[now])
                for text, now in zip(labels, found, strict=True)
                if now is not None
            ]
            if lines:
                yield heads
                yield "".join(lines).encode()
                heads = b""


def _pieces(full: str, states: Sequence[str], now: str) -> Sequence[str]:
    """
    Return the samples of all states of a server that is in one of them, with the labels of the
    server left out: they go between the pieces.
    """
    ends = [f',state="{state}"}} {1 if state == now else 0}\n' for state in states]
    return [full, *(f"{end}{full}" for end in ends[:-1]), ends[-1]]


def _sums(view: HAProxyView, backends: Labelled, heading: Heading) -> Iterator[bytes]:
    """
    Write the number of servers in each state, and with each state of their checks, of each
    backend.
    """
    if not backends:
        return
    counts: Counter[tuple[str, object]] = Counter()
    for servers in view.servers:
        counts.update(zip(servers.backends, servers.states, strict=True))
        counts.update(zip(servers.backends, servers.column("check_status"), strict=True))
        yield b""
    for name, states in (
        ("agg_server_status", SERVER_STATES),
        ("agg_server_check_status", SERVER_STATES),
        ("agg_check_status", CHECK_STATES),
    ):
        full = f"haproxy_backend_{name}"
        yield heading(full, "The number of servers in each state").encode()
        for labels, row in backends:
            start, backend = f"{full}{labels[:-1]},state=", str(row["pxname"])
            lines = [f'{start}"{state}"}} {counts[backend, state]}\n' for state in states]
            yield "".join(lines).encode()


def _frontendState(row: StatRow) -> str:
    return "UP" if row["status"] == "OPEN" else "DOWN"


def _backendState(row: StatRow) -> str:
    return EXPORTED[str(row["status"])]

"""
Metrics by the names of HAProxy's exporter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from txlb._version import __version__
from txlb.admin.metrics._columns import StatRow
from txlb.admin.metrics._exposition import EOF
from txlb.admin.metrics._haproxyview import (
    CHECK_STATES,
    SERVER_STATES,
    HAProxyView,
    stateOf,
)
from txlb.admin.metrics._labels import labelsOf

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

#: Servers whose samples are made at a time.
AT_ONCE = 200

Labelled = Sequence[tuple[str, StatRow]]


def haproxyText(target: Target, openMetrics: bool = False) -> Iterator[bytes]:
    """
    Write metrics by the names of HAProxy 2.6's exporter, with its labels, so that dashboards and
    alerts for HAProxy can be used. A service is a frontend, a group is a backend
    C{service:group}, and a host is a server. Metrics of HTTP, and those whose facts the balancer
    does not have, are left out.

    @param openMetrics: whether to write OpenMetrics 1.0, and not text format 0.0.4.
    @return: slices of the text, of which some may be empty; each takes less than a millisecond.
    """
    view = HAProxyView(target)
    for _ in view.collecting():
        yield b""
    heading = _openMetricsHeading if openMetrics else _heading
    yield _process(view, heading)
    frontends = [(labelsOf(proxy=str(row["pxname"])), row) for row in view.frontends]
    yield from _families("frontend", FRONTEND, frontends, heading)
    yield from _states("frontend", "status", frontends, ("DOWN", "UP"), _frontendState, heading)
    backends = [(labelsOf(proxy=str(row["pxname"])), row) for row in view.backends]
    yield from _families("backend", BACKEND, backends, heading)
    yield from _states("backend", "status", backends, ("DOWN", "UP"), stateOf, heading)
    for name, states, get in (
        ("agg_server_status", SERVER_STATES, stateOf),
        ("agg_server_check_status", SERVER_STATES, stateOf),
        ("agg_check_status", CHECK_STATES, _checkState),
    ):
        yield from _sums(name, backends, view.servers, states, get, heading)
    servers = []
    for rows in view.servers:
        for begin in range(0, len(rows), AT_ONCE):
            servers += [
                (labelsOf(proxy=str(row["pxname"]), server=str(row["svname"])), row)
                for row in rows[begin : begin + AT_ONCE]
            ]
            yield b""
    yield from _families("server", SERVER, servers, heading)
    yield from _states("server", "status", servers, SERVER_STATES, stateOf, heading)
    checked = [each for each in servers if each[1].get("check_status") is not None]
    yield from _states("server", "check_status", checked, CHECK_STATES, _checkState, heading)
    if openMetrics:
        yield EOF


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
    if not rows:
        return
    for name, column in columns.items():
        full = f"haproxy_{thing}_{name}"
        yield heading(full, _doc(thing, column)).encode()
        unit = "e-3" if column in _MILLISECONDS else ""
        absent = "NaN" if column == "slim" else None
        for begin in range(0, len(rows), AT_ONCE):
            yield "".join(
                [
                    f"{full}{labels} {value}{unit}\n"
                    for labels, row in rows[begin : begin + AT_ONCE]
                    if (value := row.get(column, absent)) is not None
                ]
            ).encode()


def _states(
    thing: str,
    name: str,
    rows: Labelled,
    states: Sequence[str],
    get: Callable[[StatRow], str],
    heading: Heading,
) -> Iterator[bytes]:
    """
    Write a sample for each state of each thing: 1 for the one that it is in, 0 for others.
    """
    if not rows:
        return
    full = f"haproxy_{thing}_{name}"
    yield heading(full, f"1 for the state of the {thing}, 0 for other states").encode()
    step = max(AT_ONCE // len(states), 1)
    for begin in range(0, len(rows), step):
        parts = []
        for labels, row in rows[begin : begin + step]:
            now, start = get(row), f"{full}{labels[:-1]},state="
            parts += [f'{start}"{state}"}} {1 if state == now else 0}\n' for state in states]
        yield "".join(parts).encode()


def _sums(
    name: str,
    backends: Labelled,
    servers: Iterable[Sequence[StatRow]],
    states: Sequence[str],
    get: Callable[[StatRow], str],
    heading: Heading,
) -> Iterator[bytes]:
    """
    Write the number of servers in each state, of each backend.
    """
    if not backends:
        return
    full = f"haproxy_backend_{name}"
    yield heading(full, "The number of servers in each state").encode()
    for (labels, _), rows in zip(backends, servers, strict=True):
        counts: Counter[str] = Counter()
        for begin in range(0, len(rows), AT_ONCE):
            counts.update(map(get, rows[begin : begin + AT_ONCE]))
            yield b""
        start = f"{full}{labels[:-1]},state="
        yield "".join(f'{start}"{state}"}} {counts[state]}\n' for state in states).encode()


def _frontendState(row: StatRow) -> str:
    return "UP" if row["status"] == "OPEN" else "DOWN"


def _checkState(row: StatRow) -> str:
    return str(row.get("check_status"))

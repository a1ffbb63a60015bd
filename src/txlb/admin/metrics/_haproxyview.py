"""
A balancer as HAProxy's statistics show one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from txlb.admin.metrics._columns import ZEROS, StatRow
from txlb.admin.metrics._scene import Scene

if TYPE_CHECKING:
    from txlb.admin._target import Target
    from txlb.admin.metrics._groupfacts import GroupFacts
    from txlb.pool import Host, ServiceSnapshot

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
    "unresolved": "MAINT",
    "drain": "DRAIN",
    "leaving": "DRAIN",
}

#: The states of servers and of checks that HAProxy's exporter has a sample for.
SERVER_STATES = ("DOWN", "UP", "MAINT", "DRAIN", "NOLB")
CHECK_STATES = (
    *("HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT"),
    *("L7RSP", "L7OK", "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK"),
)

#: Servers whose rows are made at a time, in about 0.2 ms.
AT_ONCE = 20


class HAProxyView:
    """
    A balancer as HAProxy's statistics show one: a service is a frontend of its name; a group is a
    backend C{service:group}, and its hosts are the servers of that. The rows are those of
    HAProxy's C{show stat}; both its CSV and the names of its exporter are made of them.

    @param target: the balancer.

    @ivar scene: what there is.
    @ivar frontends: a row for each service.
    @ivar backends: a row for each group.
    @ivar servers: for each group, a row for each of its hosts.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.scene = Scene(target)
        self.frontends: list[StatRow] = []
        self.backends: list[StatRow] = []
        self.servers: list[list[StatRow]] = []

    def collecting(self) -> Iterator[None]:
        """
        Make all rows, in steps of less than a millisecond.
        """
        scene = self.scene
        yield from scene.collecting()
        groups: dict[str, list[GroupFacts]] = {}
        for group in scene.groups:
            groups.setdefault(group.service, []).append(group)
        number = 1
        for service in scene.services:
            number += 1
            mine = groups.get(service.name, [])
            self.frontends.append(self._frontend(service, mine, number))
            yield
            for group in mine:
                number += 1
                servers: list[StatRow] = []
                kind = self._checkOf(group)
                for place, host in enumerate(group.hosts, 1):
                    servers.append(self._server(group, host, number, place, kind))
                    if not place % AT_ONCE:
                        yield
                self.servers.append(servers)
                self.backends.append(self._backend(group, servers, number))
                yield

    def _ring(self, *names: str) -> Any:
        history = getattr(self._target.balancer, "history", None)
        return None if history is None else history.ringOf(*names)

    def _measured(self, *names: str) -> dict[str, object]:
        """
        Return what the history knows: the rate of the last ten seconds, and the highest values
        of all points.
        """
        ring = self._ring(*names)
        if ring is None:
            return {}
        return {
            "rate": round(ring.latest("rate")),
            "rate_max": round(ring.mostRate),
            "smax": round(ring.mostActive),
        }

    def _checkOf(self, group: GroupFacts) -> str:
        """
        Return the layer of the checks of a group: C{L4} for those that only connect.
        """
        check = group.pool.settings.check or self._target.balancer.manager.defaultCheck
        return "L4" if check is not None and check.kind == "tcp" else "L7"

    def _frontend(self, service: ServiceSnapshot, groups: list[GroupFacts], number: int) -> StatRow:
        refused = Counter(service.refused)
        measured = self._measured(service.name)
        return {
            **ZEROS["frontend"],
            "pxname": service.name,
            "svname": "FRONTEND",
            "scur": service.active,
            "slim": self.scene.serviceLimits[service.name],
            "stot": service.accepted,
            "bin": sum(group.total("bytesIn") for group in groups),
            "bout": sum(group.total("bytesOut") for group in groups),
            "ereq": refused["preface"] + refused["tls"],
            "status": "STOP" if service.notAccepting else "OPEN",
            "pid": 1,
            "iid": number,
            "sid": 0,
            "type": 0,
            **measured,
            "conn_rate": measured.get("rate"),
            "conn_rate_max": measured.get("rate_max"),
            "conn_tot": service.accepted + sum(refused.values()),
            "dcon": refused["denied"],
            "dses": refused["client-limit"] + refused["client-rate"],
            "eint": refused["local"] + refused["descriptors"],
            "mode": "tcp",
            "-": "-",
        }

    def _backend(self, group: GroupFacts, servers: list[StatRow], number: int) -> StatRow:
        counters, snapshot = group.pool.counters, group.snapshot
        connections, failures = group.total("connections"), group.total("failures")
        states = Counter(stateOf(row) for row in servers)
        usable = [row for row in servers if row["status"] in {"UP", "no check"}]
        durations, outcomes = counters.durations, counters.outcomes
        ring = self._ring(group.service, snapshot.name)
        return {
            **ZEROS["backend"],
            "pxname": backendName(group),
            "svname": "BACKEND",
            "qcur": snapshot.waiting,
            "qmax": counters.mostQueued,
            "scur": group.active(),
            "stot": connections,
            "bin": group.total("bytesIn"),
            "bout": group.total("bytesOut"),
            "econ": failures,
            "eresp": outcomes["host-reset"],
            "wretr": counters.retries,
            "wredis": counters.retries,
            "status": "UP" if usable else "DOWN",
            "weight": round(sum(host.effectiveWeight for host in group.hosts if host.held)),
            "uweight": sum(host.weight for host in group.hosts),
            "act": sum(row["act"] == 1 for row in usable),
            "bck": sum(row["bck"] == 1 for row in usable),
            "pid": 1,
            "iid": number,
            "sid": 0,
            "type": 1,
            "lbtot": connections,
            "cli_abrt": outcomes["client-reset"] + outcomes["client-gone"],
            "srv_abrt": outcomes["host-reset"],
            "ctime": None if ring is None else round(ring.latest("connectTime") * 1000),
            "ttime": round(durations.sum / max(durations.count, 1) * 1000),
            "connect": connections + failures,
            "mode": "tcp",
            "algo": snapshot.scheduler,
            "agg_server_status": states["UP"],
            "agg_server_check_status": states["UP"],
            "-": "-",
            **self._measured(group.service, snapshot.name),
        }

    def _server(
        self, group: GroupFacts, host: Host, number: int, place: int, layer: str
    ) -> StatRow:
        counters, health, word = host.counters, host.health, host.stateWord
        backup = host.configured.backup
        row: dict[str, object] = {
            **ZEROS["server"],
            "pxname": backendName(group),
            "svname": host.name,
            "scur": host.active,
            "stot": counters.connections,
            "bin": counters.bytesIn,
            "bout": counters.bytesOut,
            "econ": counters.failures,
            "status": STATUS[word],
            "weight": round(host.effectiveWeight),
            "uweight": host.weight,
            "act": 0 if backup else 1,
            "bck": 1 if backup else 0,
            "lastchg": int(self.scene.now - host.since),
            "pid": 1,
            "iid": number,
            "sid": place,
            "type": 2,
            "lbtot": counters.connections,
            "ctime": round((host.connectTime or 0.0) * 1000),
            "connect": counters.connections + counters.failures,
            "used_conn_cur": host.active,
            "addr": str(host.configured.address),
            "mode": "tcp",
            "-": "-",
            **self._measured(*host.key),
        }
        if word == "unresolved":
            row["status"] = "MAINT (resolution)"
        if host.maxConnections is not None:
            row["slim"] = host.maxConnections
        if health.watched:
            row["chkfail"] = counters.checkFailures
            row["chkdown"] = counters.downs
            row["downtime"] = int(host.downTime(self.scene.now))
            row["check_rise"], row["check_fall"] = health.rise, health.fall
        last = health.last
        if last is not None:
            good, bad = (f"{layer}OK", "L4CON" if layer == "L4" else "L7RSP")
            row["check_status"] = good if last.passed else bad
            row["check_duration"] = round(last.duration * 1000)
            row["last_chk"] = row["check_desc"] = last.detail
        return row


def backendName(group: GroupFacts) -> str:
    """
    Return the name of a group as a backend.
    """
    return f"{group.service}:{group.snapshot.name}"


def stateOf(row: StatRow) -> str:
    """
    Return the state of a server as the exporter has it.
    """
    word = str(row["status"]).partition(" ")[0]
    return "UP" if word == "no" else word

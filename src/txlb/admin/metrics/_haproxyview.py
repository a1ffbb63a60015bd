"""
A balancer as HAProxy's statistics show one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from txlb.admin.metrics._columns import ZEROS, StatRow
from txlb.admin.metrics._scene import Scene
from txlb.admin.metrics._servers import EXPORTED, Servers

if TYPE_CHECKING:
    from txlb.admin._target import Target
    from txlb.admin.metrics._groupfacts import GroupFacts
    from txlb.pool import Host, ServiceSnapshot

#: Servers that are looked at at a time, in about 0.2 ms.
AT_ONCE = 100


class HAProxyView:
    """
    A balancer as HAProxy's statistics show one: a service is a frontend of its name; a group is a
    backend C{service:group}, and its hosts are the servers of that. The rows are those of
    HAProxy's C{show stat}; both its CSV and the names of its exporter are made of them.

    @param target: the balancer.

    @ivar scene: what there is.
    @ivar frontends: a row for each service.
    @ivar backends: a row for each group, in the order of C{scene.groups}.
    @ivar servers: the hosts of all groups in their order, some at a time.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.scene = Scene(target)
        self.frontends: list[StatRow] = []
        self.backends: list[StatRow] = []
        self.servers: list[Servers] = []

    def collecting(self) -> Iterator[None]:
        """
        Collect everything, in steps of less than a millisecond.
        """
        scene = self.scene
        yield from scene.collecting()
        groups: dict[str, list[GroupFacts]] = {}
        for group in scene.groups:
            groups.setdefault(group.service, []).append(group)
        number = 1
        numbers = []
        for service in scene.services:
            number += 1
            mine = groups.get(service.name, [])
            self.frontends.append(self._frontend(service, mine, number))
            for _ in mine:
                number += 1
                numbers.append(number)
            yield
        yield from self._collectingServers(numbers)
        status = [word for servers in self.servers for word in servers.status]
        begin = 0
        for group, number in zip(scene.groups, numbers, strict=True):
            end = begin + len(group.hosts)
            self.backends.append(self._backend(group, status[begin:end], number))
            begin = end
            yield

    def _collectingServers(self, numbers: Sequence[int]) -> Iterator[None]:
        """
        Collect the hosts of all groups, some at a time, small groups together.

        @param numbers: the number of each group as a backend.
        """
        hosts: list[Host] = []
        facts: list[tuple[str, int, int, str]] = []
        for group, number in zip(self.scene.groups, numbers, strict=True):
            name, layer = backendName(group), self._checkOf(group)
            hosts += group.hosts
            facts += [(name, number, place, layer) for place in range(1, len(group.hosts) + 1)]
        yield
        for begin in range(0, len(hosts), AT_ONCE):
            some = hosts[begin : begin + AT_ONCE]
            names, each, places, layers = zip(*facts[begin : begin + AT_ONCE], strict=True)
            rings = [self._ring(*host.key) for host in some]
            made = Servers(some, names, each, places, layers, rings, self.scene.now)
            self.servers.append(made)
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

    def _backend(self, group: GroupFacts, status: Sequence[str], number: int) -> StatRow:
        """
        Make the row of a group.

        @param status: the word of each host for its state.
        """
        counters, snapshot = group.pool.counters, group.snapshot
        connections, failures = group.total("connections"), group.total("failures")
        pairs = zip(group.hosts, status, strict=True)
        isBackup = [host.configured.backup for host, word in pairs if EXPORTED[word] == "UP"]
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
            "status": "UP" if isBackup else "DOWN",
            "weight": round(sum(host.effectiveWeight for host in group.hosts if host.held)),
            "uweight": sum(host.weight for host in group.hosts),
            "act": isBackup.count(False),
            "bck": isBackup.count(True),
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
            "agg_server_status": len(isBackup),
            "agg_server_check_status": len(isBackup),
            "-": "-",
            **self._measured(group.service, snapshot.name),
        }


def backendName(group: GroupFacts) -> str:
    """
    Return the name of a group as a backend.
    """
    return f"{group.service}:{group.snapshot.name}"

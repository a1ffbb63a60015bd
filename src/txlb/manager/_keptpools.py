"""
The pools, for another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IKeptInParts
from txlb.manager._running import Running
from txlb.model import CLONES, HealthCheck
from txlb.pool import Host, HostPool

#: Pools of which one piece of the state is made, if they have few hosts.
POOLS_AT_ONCE = 50


@implementer(IKeptInParts)
class KeptPools:
    """
    Hands the pools over: for each its hosts, with their health and their counts, and whose turn
    it is. Owned by the manager.

    @param defaultCheck: returns the check of hosts that have none of their own.
    """

    name = "pools"

    def __init__(self, running: Running, defaultCheck: Callable[[], HealthCheck | None]) -> None:
        self._running = running
        self._defaultCheck = defaultCheck

    def state(self) -> object:
        return self._of(lambda pool: pool.kept.state())

    def rest(self) -> object:
        return self._of(lambda pool: pool.kept.rest())

    def ahead(self) -> Iterator[object]:
        gathered: dict[str, dict[str, object]] = {}
        count = 0
        for (service, group), pool in tuple(self._running.pools.items()):
            for number, piece in enumerate(pool.kept.ahead()):
                if number or count == POOLS_AT_ONCE:
                    yield {"services": gathered}
                    gathered, count = {}, 0
                gathered.setdefault(service, {})[group] = piece
                count += 1
        yield {"services": gathered}

    def _of(self, state: Callable[[HostPool], dict[str, object]]) -> object:
        running = self._running
        found: dict[str, dict[str, dict[str, object]]] = {}
        # The hosts of groups that were removed, and of others that had their names.
        leaving: dict[tuple[str, str], list[dict[str, object]]] = {}
        for pool in running.allPools():
            key = pool.service, pool.group
            if running.pools.get(key) is not pool:
                leaving.setdefault(key, []).extend(pool.kept.leaving())
        for key, pool in running.pools.items():
            row = found.setdefault(key[0], {})[key[1]] = state(pool)
            alone = [host.name for host in pool.hosts if self._isAlone(pool, host)]
            if alone:
                row["watchedAlone"] = alone
            if key in leaving:
                row["leaving"] = [*pool.kept.leaving(), *leaving.pop(key)]
        for (service, group), hosts in leaving.items():
            found.setdefault(service, {})[group] = {"names": [], "leaving": hosts}
        return {"services": found}

    def _isAlone(self, pool: HostPool, host: Host) -> bool:
        """
        Return whether a host is watched without a configured check, as a program reports of it.
        """
        configured = host.configured
        if not host.health.watched:
            return False
        if configured.origin == CLONES:
            return True
        return (configured.check or pool.settings.check or self._defaultCheck()) is None

    def restore(self, state: object) -> None:
        running = self._running
        now = running.seconds()
        taking: list[Callable[[], None]] = []
        # The pieces of one group are for one pool.
        pools: dict[tuple[str, str], HostPool] = {}
        for service, groups in Facts(state, self.name).each("services"):
            for group, value in groups.values.items():
                facts = Facts(value, f"group {group} of service {service}")
                pool = pools.setdefault((service, group), running.poolFor(service, group))
                taking.append(self._restoring(pool, facts, now))
        for take in taking:
            take()

    def _restoring(self, pool: HostPool, facts: Facts, now: float) -> Callable[[], None]:
        restored = pool.kept.restoring(facts, now)
        whole, alone = "names" in facts, frozenset(facts.texts("watchedAlone"))

        def take() -> None:
            self._running.keep(pool)
            restored()
            for host in pool.hosts if whole else ():
                if host.name not in alone and self._isAlone(pool, host):
                    # The new file has no check for it.
                    pool.unwatch(host.name)

        return take

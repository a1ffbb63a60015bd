"""
What a pool hands to its successor if the balancer is upgraded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from txlb._facts import Facts
from txlb.errors import ModelError, StateError
from txlb.model import ProxyHost
from txlb.pool._announcer import Announcer
from txlb.pool._backup import Backups
from txlb.pool._circuit import CircuitBreaker
from txlb.pool._drains import Drains
from txlb.pool._groupcounters import GroupCounters
from txlb.pool._host import Host, readTraffic
from txlb.pool._members import Members
from txlb.pool._rotation import Rotation
from txlb.pool._tracker import HealthTracker
from txlb.pool._weighing import Weighing
from txlb.schedulers import Key

#: The hosts of one piece of the state, which takes about 2 ms with its JSON.
HOSTS_AT_ONCE = 100

#: A host by its name and the time at which it was added.
Identity = tuple[str, float]


class KeptPool:
    """
    The state of a pool as plain values, and the way back. Owned by the pool.

    A host that only the process before had is kept aside. With the first connection that claims
    it, it is a host that is leaving; L{settle} forgets it if there was none.
    """

    def __init__(
        self,
        members: Members,
        rotation: Rotation,
        weighing: Weighing,
        backups: Backups,
        drains: Drains,
        tracker: HealthTracker,
        circuit: CircuitBreaker,
        announcer: Announcer,
        counters: GroupCounters,
    ) -> None:
        self._members = members
        self._rotation = rotation
        self._weighing = weighing
        self._backups = backups
        self._drains = drains
        self._tracker = tracker
        self._circuit = circuit
        self._announcer = announcer
        self._counters = counters
        # What was yielded ahead of each host: its mark and its traffic.
        self._yielded: dict[int, tuple[object, object]] = {}
        # The hosts that only the process before had, and those of them that it had configured.
        self._former: dict[Identity, Host] = {}
        self._removed: dict[str, Host] = {}

    # Handing over

    def state(self) -> dict[str, object]:
        """
        Return all of it.
        """
        hosts = self._members.configured.values()
        return {"hosts": {host.name: self._row(host) for host in hosts}, **self._small()}

    def ahead(self) -> Iterator[dict[str, object]]:
        """
        Begin anew, and yield most of it in pieces.
        """
        self._yielded.clear()
        hosts = iter(list(self._members.configured.values()))
        policy = self._rotation.keptPolicy()
        if policy is not None:
            yield {"scheduler": policy}
        while some := list(islice(hosts, HOSTS_AT_ONCE)):
            piece: dict[str, object] = {}
            for host in some:
                if not host.leaving:
                    piece[host.name] = self._row(host)
                    self._yielded[id(host)] = host.mark(), host.traffic()
            yield {"hosts": piece}

    def rest(self) -> dict[str, object]:
        """
        Return what has changed since the last L{ahead}, and what is small.
        """
        yielded = self._yielded
        hosts: dict[str, object] = {}
        traffic: dict[str, object] = {}
        for host in self._members.configured.values():
            known, now = yielded.get(id(host)), host.traffic()
            if known is None or known[0] != host.mark():
                hosts[host.name] = self._row(host)
            elif known[1] != now:
                traffic[host.name] = now
        return {"hosts": hosts, "traffic": traffic, **self._small()}

    def _row(self, host: Host) -> dict[str, object]:
        row = host.kept()
        deadline = self._drains.deadlineOf(host)
        if deadline is not None:
            row["deadline"] = deadline
        return row

    def leaving(self) -> list[dict[str, object]]:
        """
        Return the hosts that are leaving.
        """
        return [self._leavingRow(host) for host in self._members.leaving]

    def _leavingRow(self, host: Host) -> dict[str, object]:
        """
        Return a host as the configuration of the successor does not have it.
        """
        row = {"name": host.name, "effectiveWeight": host.effectiveWeight, **self._row(host)}
        if host.maxConnections is not None:
            row["maxConnections"] = host.maxConnections
        return row

    def _small(self) -> dict[str, object]:
        """
        Return what is not about a single host that is configured.
        """
        found: dict[str, object] = {
            "names": list(self._members.configured),
            "counters": self._counters.kept(),
        }
        leaving = self.leaving()
        if leaving:
            found["leaving"] = leaving
        backups, down = self._backups.kept(), self._rotation.downOrder()
        policy = self._rotation.keptPolicy()
        if backups:
            found["backups"] = backups
        if len(down) > 1:
            found["down"] = down
        if policy is not None:
            found["scheduler"] = policy
        return found

    # Taking over

    def restoring(self, facts: Facts, now: float) -> Callable[[], None]:
        """
        Read what the pool of this group has returned in another process, or a piece of it.

        @param now: in seconds of the pool's clock.
        @return: takes it over.
        @raise StateError: a value can't be right.
        """
        whole = "names" in facts
        names = frozenset(facts.texts("names"))
        backups = self._backups.restoring(facts.inside("backups"), now) if whole else None
        taking = [self._counters.restoring(facts.inside("counters"))] if whole else []
        taking += [self._reading(name, row, now) for name, row in facts.each("hosts")]
        traffic = {
            name: readTraffic(value, name) for name, value in facts.inside("traffic").values.items()
        }
        for row in facts.items("leaving"):
            read = Facts(row, "a host that leaves")
            taking.append(self._readingFormer(read.text("name"), read, now, removed=False))
        down = facts.texts("down")
        policy = None
        if "scheduler" in facts:
            policy = self._rotation.restoringPolicy(facts.inside("scheduler"))

        def take() -> None:
            if backups is not None:
                backups()
            for each in taking:
                each()
            for name, row in traffic.items():
                self._takeTraffic(name, row)
            if whole:
                self._startNew(names, now)
            self._rotation.restoreOrder(down, self._keyOf)
            if policy is not None:
                policy()
                self._rotation.settle(everything=True)

        return take

    def _keyOf(self, name: str) -> Key:
        return self._announcer.service, self._announcer.group, name

    def _takeTraffic(self, name: str, traffic: Sequence[float | None]) -> None:
        """
        Take over the traffic of a host that the process before has configured.
        """
        host = self._members.configured.get(name)
        if host is not None:
            host.takeTraffic(traffic)
            return
        if name in self._removed:
            self._removed[name].takeTraffic(traffic)

    def _reading(self, name: str, facts: Facts, now: float) -> Callable[[], None]:
        host = self._members.configured.get(name)
        if host is None:
            return self._readingFormer(name, facts, now, removed=True)
        restored = host.restoring(facts, now)
        deadline = facts.coming("deadline", now, now) if "deadline" in facts else None

        def take() -> None:
            restored()
            self._drains.forget(host)
            if deadline is not None and host.state != "ready":
                self._drains.setDeadline(host, deadline)
            self._tracker.restored(host)
            self._weighing.weigh(host, now)
            self._rotation.refresh(host)

        return take

    def _readingFormer(
        self, name: str, facts: Facts, now: float, *, removed: bool
    ) -> Callable[[], None]:
        """
        Read a host that the configuration does not have.

        @param removed: whether the process before had it configured.
        """
        settings: dict[str, Any] = {
            "state": facts.text("state", "ready"),
            "backup": facts.flag("backup"),
        }
        if "maxConnections" in facts:
            settings["maxConnections"] = facts.whole("maxConnections", 1, 1)
        weight = facts.whole("weight", 1)
        host = self._made(name, facts.text("address"), now, weight=weight, **settings)
        weighs = facts.number("effectiveWeight", float(weight), 0.0)
        restored = host.restoring(facts, now)
        deadline = facts.coming("deadline", now, now) if "deadline" in facts else None
        leftAt = now if removed else facts.past("changedAt", now, now)

        def take() -> None:
            restored()
            host.effectiveWeight = weighs
            host.leave(leftAt)
            identity = name, host.began
            if identity not in self._former:
                self._former[identity] = host
                if removed:
                    self._removed[name] = host
            if deadline is not None:
                self._drains.setDeadline(self._former[identity], deadline)

        return take

    def _made(self, name: str, address: str, now: float, **settings: Any) -> Host:
        try:
            configured = ProxyHost.at(name, address, **settings)
        except ModelError as error:
            raise StateError(f"a host that was removed: {error}") from None
        return Host(self._keyOf(name), configured, now)

    def _startNew(self, names: frozenset[str], now: float) -> None:
        """
        Let the hosts that the process before did not have start slowly, as they do if a file is
        loaded again.
        """
        for host in self._members.configured.values():
            if host.name not in names and not host.wasUsed and host.slowSince is None:
                self._weighing.started(host, now)
                self._rotation.refresh(host)

    def claimed(self, name: str, began: float | None, address: str, now: float) -> Host:
        """
        Find the host of a connection that moves.

        @param began: the L{Host.began} of its host; L{None} if it is not known.
        @param address: its address, for a host of which nothing else is known.
        @raise StateError: it is no address.
        """
        configured = self._members.configured.get(name)
        if configured is not None and began in {None, configured.began}:
            return configured
        if began is not None:
            former = self._former.get((name, began))
            if former is not None:
                self._members.takeLeaving(former)
                return former
        for host in self._members.leaving:
            if host.name == name and began in {None, host.began}:
                return host
        if configured is not None:
            return configured
        host = self._made(name, address, now)
        host.leave(now)
        self._members.takeLeaving(host)
        self._former[name, host.began if began is None else began] = host
        return host

    def settle(self, now: float) -> None:
        """
        Tell of the hosts that have gone, and review the circuits, when all connections that move
        have claimed their hosts.
        """
        self._yielded.clear()
        former, self._former = self._former, {}
        removed, self._removed = self._removed, {}
        for (name, _), host in former.items():
            if removed.get(name) is host:
                self._members.announceRemoved(host, now)
            if not host.active:
                self._members.announceGone(host, now)
        for host in self._members.configured.values():
            if host.tripped:
                self._circuit.review(host, now)

"""
Tests for L{txlb.pool._pool}, with L{txlb.pool._host}, L{txlb.pool._rotation}
and L{txlb.pool._snapshots}.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import REFUSED, Bench
from txlb.errors import NoHostAvailable, UnknownName
from txlb.interfaces import IHost
from txlb.model import ProxyHost
from txlb.pool import Attempt, Event, EventKind, HostPool, RefusalKind, ServiceCounters
from txlb.schedulers import LeastConnections, RoundRobin, Scheduler, schedulerFactory


def keysOf(names: str) -> set[tuple[str, str, str]]:
    """
    The keys of some hosts of a L{Bench}.
    """
    return {("web", "g", name) for name in names}


class AcquireTests(SynchronousTestCase):
    def test_alone(self) -> None:
        """
        A pool needs a list of hosts and nothing else.
        """
        pool = HostPool(hosts=[ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 2)])
        with pool.acquire() as one, pool.acquire() as other:
            self.assertEqual({one.host.name, other.host.name}, {"a", "b"})
            self.assertEqual(pool.active, 2)
        self.assertEqual(pool.active, 0)
        self.assertEqual([host.counters.connections for host in pool.hosts], [1, 1])
        self.assertIs(pool.seconds, time.monotonic)
        error = self.assertRaises(NoHostAvailable, HostPool().acquire)
        self.assertEqual(str(error), "no host of the pool can take work now (0 configured)")

    def test_excluded(self) -> None:
        bench = Bench("a", "b")
        excluded = frozenset({("web", "g", "a")})
        for _ in range(3):
            self.assertEqual(bench.pool.acquire(None, excluded).host.name, "b")
        both = excluded | {("web", "g", "b")}
        self.assertRaises(NoHostAvailable, bench.pool.acquire, None, both)

    def test_clientAddr(self) -> None:
        """
        The client's address gets to the policy.
        """
        bench = Bench("a", "b", "c", scheduler="sticky")
        for number in range(10):
            address = f"192.0.2.{number}"
            one = bench.pool.acquire((address, 1)).host
            self.assertIs(bench.pool.acquire((address, 2)).host, one)
            attempt = bench.dial(clientAddr=(address, 3)).start()
            assert isinstance(attempt, Attempt)
            self.assertIs(attempt.host, one)

    def test_unknown(self) -> None:
        bench = Bench("a", "b")
        for ask in (bench.pool.getHost, bench.pool.removeHost):
            error = self.assertRaises(UnknownName, ask, "x")
            self.assertEqual(
                str(error),
                "no host of group 'g' of service 'web' is called 'x'; there are: a, b",
            )
        self.assertRaises(UnknownName, bench.pool.setWeight, "x", 1)
        self.assertRaises(UnknownName, bench.pool.setAddresses, "x", [])
        self.assertRaises(UnknownName, bench.pool.reportUnresolved, "x", "")
        self.assertEqual(bench.told(), [])


class SchedulerTests(SynchronousTestCase):
    def test_change(self) -> None:
        """
        Another policy may take over at any time: leases, counts and marks stay.
        """
        bench = Bench("a", "b", "c")
        leases = [bench.pool.acquire() for _ in range(4)]
        bench.fell("c")
        for word in ("weightlc", "roundr", "rand", "weightr", "sticky", "leastc"):
            bench.pool.setScheduler(word)
            self.assertEqual(bench.pool.scheduler.name, word)
            self.assertEqual(set(bench.pool.scheduler.explain(None)), keysOf("ab"))
            self.assertEqual((bench.pool.active, bench.state("c")), (4, "down"))
        counts = {host.name: host.active for host in bench.pool.hosts}
        self.assertEqual(counts, {"a": 2, "b": 1, "c": 1})
        self.assertEqual(bench.pool.acquire().host.name, "b")
        for lease in leases:
            lease.release()
        self.assertEqual(bench.pool.active, 1)

    def test_dropped(self) -> None:
        """
        A policy that the pool made of its word is dropped as it is, as it costs time to take
        thousands of hosts from it and nothing else uses it.
        """
        bench = Bench("a", "b")
        bench.pool.setScheduler("sticky")
        removed: list[object] = []
        self.patch(bench.pool.scheduler, "hostRemoved", removed.append)
        bench.pool.setScheduler("roundr")
        self.assertEqual(removed, [])

    def test_ready(self) -> None:
        """
        The new policy holds all that are ready. The old one, which its maker may use for
        something else, holds none any more.
        """
        bench = Bench("a", "b")
        old = RoundRobin(Random(1))
        bench.pool.setScheduler(old)
        new = RoundRobin(Random(1))
        bench.pool.setScheduler(new)
        self.assertIs(bench.pool.scheduler, new)
        self.assertEqual((dict(old.explain(None)), len(new.explain(None))), ({}, 2))
        bench.pool.setScheduler(new)
        self.assertEqual(len(new.explain(None)), 2)

    def test_factory(self) -> None:
        """
        The factory sets it at a pool.
        """
        bench = Bench("a")
        made = schedulerFactory("roundr", bench.pool)
        self.assertIs(bench.pool.scheduler, made)

    def test_unknown(self) -> None:
        bench = Bench("a")
        self.assertRaises(UnknownName, bench.pool.setScheduler, "best")
        self.assertIsInstance(bench.pool.scheduler, LeastConnections)

    def test_faulty(self) -> None:
        """
        A policy that can't take the hosts changes nothing.
        """

        class Picky(Scheduler):
            name = "picky"

            def hostAdded(self, host: IHost) -> None:
                raise ValueError(host.key[2])

        bench = Bench("a", "b")
        old = bench.pool.scheduler
        self.assertRaises(ValueError, bench.pool.setScheduler, Picky(Random(1)))
        self.assertIs(bench.pool.scheduler, old)
        self.assertEqual(bench.pool.acquire().host.name, "a")
        self.assertEqual(bench.pool.acquire().host.name, "b")


class ViewTests(SynchronousTestCase):
    def test_snapshot(self) -> None:
        """
        A snapshot says how things stand, in plain values.
        """
        bench = Bench("a", "b", "c")
        bench.pool.addHost(ProxyHost("d", "web.example", 80, 5, 9))
        lease = bench.attempt().connected()
        lease.add(10, 20)
        bench.fell("b")
        leaving = bench.pool.claim(None, frozenset(keysOf("ab")))
        assert leaving is not None
        bench.pool.removeHost("c")
        bench.now += 7.5
        found = bench.pool.snapshot()
        self.assertEqual(
            (found.name, found.scheduler, found.enabled, found.ready), ("g", "leastc", True, 1)
        )
        states = [(host.name, host.state, host.active) for host in found.hosts]
        self.assertEqual(
            states,
            [("a", "up", 1), ("b", "down", 0), ("d", "unresolved", 0), ("c", "leaving", 1)],
        )
        a, b, d, _ = found.hosts
        self.assertEqual((a.connections, a.bytesIn, a.bytesOut, a.since), (1, 10, 20, 7.5))
        self.assertEqual((b.failures, b.reason, b.connectTime), (1, str(REFUSED), None))
        self.assertEqual((d.address, d.weight, d.maxConnections), ("web.example:80", 5, 9))
        self.assertEqual(a.address, "127.0.0.1:7000")
        self.assertEqual(json.loads(json.dumps(asdict(found)))["hosts"][0]["name"], "a")
        self.assertFalse(bench.pool.snapshot(False).enabled)
        lease.release()
        self.assertEqual(a.active, 1)

    def test_repr(self) -> None:
        bench = Bench("a")
        bench.pool.acquire()
        self.assertEqual(repr(bench.pool.getHost("a")), "<Host web/g/a up active=1>")

    def test_event(self) -> None:
        """
        An event is plain data, and reads well.
        """
        event = Event(EventKind.HOST_UP, ("web", "g", "a"), "is back", 5.0, {"after": 3})
        self.assertEqual(str(event), "host-up web/g/a: is back")
        self.assertEqual(
            str(replace(event, by="ssh:alice")), "host-up web/g/a: is back, by ssh:alice"
        )
        self.assertEqual(
            json.loads(json.dumps(event.asDict())),
            {
                "kind": "host-up",
                "key": ["web", "g", "a"],
                "message": "is back",
                "when": 5.0,
                "details": {"after": 3},
                "by": "",
            },
        )

    def test_serviceCounters(self) -> None:
        """
        All that can be counted begins at 0.
        """
        counters = ServiceCounters()
        self.assertEqual((counters.active, counters.accepted), (0, 0))
        self.assertEqual(counters.refused, dict.fromkeys(RefusalKind, 0))

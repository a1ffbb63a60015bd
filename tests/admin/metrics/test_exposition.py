"""
The text of metrics.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.metrics.texts import Labels, ReadFamily, readText, valuesOf
from tests.admin.targets import FakeClones
from tests.certificates import Authority, put
from tests.clients.stompbrokers import Brokers
from txlb.admin import Target
from txlb.admin._cloned import ClonedBalancer
from txlb.admin._history import History
from txlb.admin.metrics import FAMILIES, Exposition, Kind
from txlb.application import EventPublisher, LoadBalancedService
from txlb.cluster import ClusterState, MemberRecord
from txlb.discovery import DiscoveryState
from txlb.manager import proxyManagerFactory
from txlb.model import Listener, ListenTLS, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Attempt, CheckResult, Failure, FailureKind, RefusalKind

A: Labels = (("service", "web"), ("group", "prod"), ("host", "a"))
B: Labels = (("service", "web"), ("group", "prod"), ("host", "b"))
PROD: Labels = A[:2]

#: Names that try to break out of labels.
NASTY = 'ev"il\\}'


class ExpositionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        hosts = [ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 2)]
        web = ProxyService(
            "web",
            [("127.0.0.1", 8080)],
            [ProxyGroup("prod", "roundr", True, hosts), ProxyGroup("spare", "leastc", False, [])],
        )
        other = ProxyService(
            NASTY,
            [("127.0.0.1", 8081)],
            [ProxyGroup(NASTY, "roundr", True, [ProxyHost(NASTY, "127.0.0.1", 1)])],
        )
        self.manager = proxyManagerFactory([web, other], seconds=self.clock.seconds)
        self.lbs: Any = LoadBalancedService(self.manager)
        self.pool = self.manager.getPool("web", "prod")
        self.exposition = Exposition(Target(self.lbs, None, History()))

    def small(self, name: str = "small") -> ProxyService:
        """
        Make a service without hosts.
        """
        port = 8080 + int("0" + name.strip("abcdefghijklmnopqrstuvwxyz"))
        return ProxyService(name, [("127.0.0.1", port)], [ProxyGroup("x", "roundr", True, [])])

    def read(self, openMetrics: bool = False) -> dict[str, ReadFamily]:
        text = b"".join(self.exposition.text(openMetrics)).decode()
        return dict(readText(text, openMetrics))

    def values(self, name: str) -> dict[Labels, float]:
        return valuesOf(self.read(), name)


class ExpositionTests(ExpositionCase):
    def test_both(self) -> None:
        """
        Both formats have the same samples. The families are those of the list, with their
        kinds and docs.
        """
        text, openMetrics = self.read(), self.read(openMetrics=True)
        self.assertEqual({name.removesuffix("_total") for name in text}, set(openMetrics))
        for family in text.values():
            other = openMetrics[family.name.removesuffix("_total")]
            self.assertEqual(family.kind, other.kind)
            self.assertEqual(set(family.samples), set(other.samples))
        known = {family.name: family for family in FAMILIES}
        self.assertEqual(len(known), len(FAMILIES))
        for name, read in text.items():
            self.assertEqual(read.kind, known[name].kind.value)
            self.assertEqual(read.doc, known[name].doc + ".")

    def test_list(self) -> None:
        """
        Names follow the conventions of Prometheus, and no name is part of another one's family.
        """
        taken: set[str] = set()
        for family in FAMILIES:
            self.assertEqual(family.name.endswith("_total"), family.kind is Kind.COUNTER)
            self.assertRegex(family.name, "^(txlb|process)_[a-z_]+$")
            self.assertNotRegex(family.name, "_(ms|kb|kilobytes|minutes|count|sum|bucket)$")
            self.assertFalse(family.doc.endswith("."), family.doc)
            names = {family.name.removesuffix("_total")}
            if family.kind is Kind.HISTOGRAM:
                names |= {family.name + each for each in ("_bucket", "_sum", "_count")}
            self.assertFalse(names & taken)
            taken |= names

    def test_labels(self) -> None:
        """
        Each sample has the labels that the list says.
        """
        known = {family.name: family for family in FAMILIES}
        for name, read in self.read().items():
            for _, labels in read.samples:
                wanted = [*known[name].labels, *(["le"] if ("le" in dict(labels)) else [])]
                self.assertEqual([label for label, _ in labels], wanted, name)

    def test_hosts(self) -> None:
        lease = self.pool.acquire()
        lease.add(100, 2000)
        step = self.pool.dial().start()
        assert isinstance(step, Attempt)
        self.assertEqual(self.values("txlb_host_pending_connections")[B], 1)
        step.failed(Failure(FailureKind.REFUSED, "refused"))
        step.dial.cancel()
        self.manager.setWeight("web", "prod", "b", 3)
        self.pool.watch("a", 1, 1)
        self.pool.reportCheck("a", CheckResult(False, "status 500", 0.25))
        self.pool.reportLoad("b", 0.75)
        self.clock.advance(5)
        families = self.read()
        for name, a, b in (
            ("txlb_host_state_seconds", 5, 5),
            ("txlb_host_down_seconds_total", 5, 5),
            ("txlb_host_last_check_age_seconds", 5, None),
            ("txlb_host_load_age_seconds", None, 5),
            ("txlb_host_active_connections", 1, 0),
            ("txlb_host_connections_total", 1, 0),
            ("txlb_host_connect_failures_total", 0, 1),
            ("txlb_host_in_bytes_total", 100, 0),
            ("txlb_host_out_bytes_total", 2000, 0),
            ("txlb_host_up", 0, 0),
            ("txlb_host_ready", 0, 0),
            ("txlb_host_weight", 1, 3),
            ("txlb_host_downs_total", 1, 1),
            ("txlb_host_check_passed", 0, None),
            ("txlb_host_checks_total", 1, None),
            ("txlb_host_check_failures_total", 1, None),
            ("txlb_host_last_check_duration_seconds", 0.25, None),
            ("txlb_host_load", None, 0.25),
            ("txlb_host_connections_limit", None, None),
        ):
            with self.subTest(name):
                found = valuesOf(families, name)
                self.assertEqual((found.get(A), found.get(B)), (a, b))
        states = {key[-1] for key in valuesOf(families, "txlb_host_state") if key[:3] == A}
        self.assertEqual(states, {("state", "down")})

    def test_limit(self) -> None:
        self.manager.setHost("web", "prod", "a", maxConnections=7)
        self.assertEqual(self.values("txlb_host_connections_limit"), {A: 7})

    def test_groups(self) -> None:
        """
        Sums of a group only grow, also if a host is removed.
        """
        with self.pool.acquire() as lease:
            lease.add(1, 2)
        held = self.pool.acquire()
        held.add(10, 20)
        before = self.read()
        self.manager.delHost("web", "prod", "a")
        self.manager.delHost("web", "prod", "b")
        after = self.read()
        for families in (before, after):
            for name, wanted in (
                ("txlb_group_connections_total", 2),
                ("txlb_group_in_bytes_total", 11),
                ("txlb_group_out_bytes_total", 22),
                ("txlb_group_active_connections", 1),
            ):
                self.assertEqual(valuesOf(families, name)[PROD], wanted, name)
        self.assertEqual(valuesOf(before, "txlb_group_hosts")[PROD], 2)
        self.assertEqual(valuesOf(after, "txlb_group_hosts")[PROD], 0)
        self.assertEqual(valuesOf(after, "txlb_group_leaving_hosts")[PROD], 1)
        self.assertNotIn(A, valuesOf(after, "txlb_host_connections_total"))
        # A new host of the same name is another one.
        self.manager.addHost("web", "prod", "b", "127.0.0.1:9")
        self.assertEqual(self.values("txlb_host_connections_total")[B], 0)
        held.release()
        self.assertEqual(self.values("txlb_group_out_bytes_total")[PROD], 22)

    def test_histograms(self) -> None:
        for seconds in (0.0004, 0.02, 20.0):
            step = self.pool.dial().start()
            assert isinstance(step, Attempt)
            self.clock.advance(seconds)
            step.connected().release()
        families = self.read()
        name = "txlb_group_connect_duration_seconds"
        buckets = {
            dict(labels)["le"]: value
            for labels, value in valuesOf(families, f"{name}_bucket").items()
            if labels[:2] == PROD
        }
        for bound, count in (("0.00025", 0), ("0.0005", 1), ("0.025", 2), ("10.0", 2), ("+Inf", 3)):
            self.assertEqual(buckets[bound], count, bound)
        self.assertEqual(list(buckets.values()), sorted(buckets.values()))
        self.assertEqual(valuesOf(families, f"{name}_count")[PROD], 3)
        self.assertAlmostEqual(valuesOf(families, f"{name}_sum")[PROD], 20.0204)
        ends = valuesOf(families, "txlb_group_connection_ends_total")
        self.assertEqual(ends[*PROD, ("outcome", "done")], 3)
        self.assertEqual(ends[*PROD, ("outcome", "not-connected")], 0)

    def test_services(self) -> None:
        counters = self.manager.getCounters("web")
        counters.active, counters.accepted = 2, 5
        counters.refused[RefusalKind.DENIED] = 4
        counters.notAccepting = "it has no host with an address"
        families = self.read()
        web: Labels = (("service", "web"),)
        self.assertEqual(valuesOf(families, "txlb_service_active_connections")[web], 2)
        self.assertEqual(valuesOf(families, "txlb_service_accepted_connections_total")[web], 5)
        self.assertEqual(valuesOf(families, "txlb_service_accepting")[web], 0)
        refused = valuesOf(families, "txlb_service_refused_connections_total")
        self.assertEqual(refused[*web, ("reason", "denied")], 4)
        self.assertEqual(refused[*web, ("reason", "full")], 0)

    def test_balancer(self) -> None:
        families = self.read()
        [(labels, value)] = valuesOf(families, "txlb_build_info").items()
        self.assertEqual(value, 1)
        self.assertIn("twisted", dict(labels))
        self.assertEqual(valuesOf(families, "txlb_connections"), {(): 0})
        # It does not run.
        self.assertNotIn("txlb_connections_limit", families)
        for name in ("cpu_seconds_total", "resident_memory_bytes", "start_time_seconds", "max_fds"):
            self.assertGreater(valuesOf(families, f"process_{name}")[()], 0)

    def test_nastyNames(self) -> None:
        """
        Names with quotes and backslashes arrive as they are.
        """
        escaped = NASTY.replace("\\", "\\\\").replace('"', '\\"')
        self.assertIn(
            (("service", escaped), ("group", escaped), ("host", escaped)),
            self.values("txlb_host_up"),
        )

    def test_whileItChanges(self) -> None:
        """
        Services and hosts may come and go between two slices: the text is whole nevertheless.
        """
        parts = []
        for number, part in enumerate(self.exposition.text()):
            parts.append(part)
            if number == 0:
                self.manager.apply([self.small()])
            elif number % 10 == 0:
                self.manager.apply([self.small("more" if number % 20 else "web")])
        readText(b"".join(parts).decode())

    def test_certificates(self) -> None:
        """
        A certificate that several listeners use has one sample.
        """
        folder = self.mktemp()
        put(folder, "a.pem", *Authority().certify(["a.example"]))
        tls = ListenTLS(folder)
        listeners = [Listener(f"127.0.0.1:{port}", tls=tls) for port in (8443, 8444)]
        mine = ProxyService("web", listeners, [ProxyGroup("x", "roundr", True, [])])
        other = ListenTLS(folder, alpn=("h2",))
        more = ProxyService(
            "more",
            [Listener("127.0.0.1:8445", tls=other)],
            [ProxyGroup("x", "roundr", True, [])],
        )
        self.manager.apply([mine, more])
        self.lbs.tls.prepare(self.manager.services.values())
        families = self.read()
        found = valuesOf(families, "txlb_certificate_expiry_timestamp_seconds")
        [(labels, expires)] = found.items()
        self.assertEqual(dict(labels)["name"], "a.example")
        self.assertGreater(expires, 1_600_000_000)
        self.assertEqual(valuesOf(families, "txlb_certificate_faults"), {(): 0})

    def test_cluster(self) -> None:
        """
        A member of a cluster tells how it stands; a balancer in none has no such sample.
        """
        names = ("connected", "leads", "term", "changes_behind", "members", "differing_members")
        families = self.read()
        for name in names:
            self.assertEqual(valuesOf(families, f"txlb_cluster_{name}"), {})
        digests = {"a": "1", "b": "2", "c": "2", "d": ""}
        members = tuple(MemberRecord(name, digest=each) for name, each in digests.items())
        state = ClusterState(
            "prod", "active-standby", "b", True, False, False, "a", 1.0, 17, 9, 7, members, ""
        )
        self.patch(type(self.lbs.cluster), "state", state)
        families = self.read()
        found = [valuesOf(families, f"txlb_cluster_{name}") for name in names]
        label = (("cluster", "prod"),)
        self.assertEqual(found, [{label: each} for each in (1, 0, 17, 2, 4, 1)])

    def test_sources(self) -> None:
        """
        Each group that has a source of hosts tells how old the last answer is, and what is wrong
        with it.
        """
        states = [
            DiscoveryState(("web", "prod"), "etcd:x", 7, 3.0, "", None, ()),
            DiscoveryState(("web", "spare"), "dns:y", 2, 1.0, "no answer", 1, ("a", "b")),
            DiscoveryState(("web", "new"), "dns:z", 0, None, "", None, ()),
        ]
        self.patch(type(self.lbs.discovery), "states", lambda _: states)
        self.clock.advance(5)
        families = self.read()
        found = {
            name: list(valuesOf(families, f"txlb_source_{name}").values())
            for name in ("answers", "age_seconds", "hosts", "answer_held", "skipped_entries")
        }
        wanted = {
            "answers": [1, 0, 0],
            "age_seconds": [2, 4],
            "hosts": [7, 2, 0],
            "answer_held": [0, 1, 0],
            "skipped_entries": [0, 2, 0],
        }
        self.assertEqual(found, wanted)

    def test_publishers(self) -> None:
        """
        The topics to which the balancer publishes events, and no other balancer does.
        """
        Brokers(self, self.clock)
        other = proxyManagerFactory([self.small()])
        publishers = []
        for manager in (self.manager, other):
            publisher = EventPublisher(
                manager,
                "stomp://127.0.0.1:1",
                "/topic/events",
                reactor=self.clock,
                seconds=self.clock.seconds,
            )
            publisher.startService()
            self.addCleanup(publisher.stopService)
            publishers.append(publisher)
        publishers[0].published, publishers[0].dropped = 5, 3
        families = self.read()
        found = [
            valuesOf(families, f"txlb_events_{name}")
            for name in ("published_total", "dropped_total", "broker_up")
        ]
        label = (("topic", "/topic/events"),)
        self.assertEqual(found, [{label: 5}, {label: 3}, {label: 0}])

    def test_manyServices(self) -> None:
        """
        Hundreds of services are collected, and written, in several steps.
        """
        self.manager.apply([self.small(f"s{number}") for number in range(120)])
        families = self.read()
        self.assertEqual(len(valuesOf(families, "txlb_service_accepting")), 120)
        name = "txlb_group_connect_duration_seconds_count"
        self.assertEqual(len(valuesOf(families, name)), 120)

    def test_labelsAreForgotten(self) -> None:
        self.read()
        self.assertIn(("web", "prod", "a"), self.exposition._labels)
        self.manager.apply([self.small()])
        self.read()
        self.assertEqual(self.exposition._labels, {})

    def test_slices(self) -> None:
        """
        A slice has the samples of at most 500 hosts.
        """
        hosts = [ProxyHost(f"h{n}", "127.0.0.1", n + 1) for n in range(1234)]
        group = ProxyGroup("many", "roundr", True, hosts)
        self.manager.apply([ProxyService("many", [("127.0.0.1", 8080)], [group])])
        parts = list(self.exposition.text())
        self.assertLessEqual(max(part.count(b"\n") for part in parts), 500)
        families = readText(b"".join(parts).decode())
        self.assertEqual(len(valuesOf(families, "txlb_host_up")), 1234)


class ClonedTests(SynchronousTestCase):
    def test_clones(self) -> None:
        """
        A cloned application has its processes, with their lag and memory.
        """
        clones = FakeClones()
        target = Target(ClonedBalancer(clones), None, History(), clones=clones)
        text = b"".join(Exposition(target).text()).decode()
        families = readText(text)
        place: Labels = (("service", ""), ("group", ""), ("process", "manager"))
        self.assertEqual(valuesOf(families, "txlb_process_lag_seconds"), {place: 0.00125})
        self.assertEqual(valuesOf(families, "txlb_process_memory_bytes"), {place: 52_000_000})
        self.assertEqual(len(valuesOf(families, "txlb_process_info")), 2)
        self.assertNotIn("txlb_connections", families)
        self.assertEqual(len(valuesOf(families, "txlb_host_up")), 2)
        [listener] = valuesOf(families, "txlb_listener_accepting")
        self.assertIn(("address", "0.0.0.0:8080"), listener)

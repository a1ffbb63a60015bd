"""
Tests for L{txlb.admin._status}.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import FakeListener, fakeBalancer
from txlb.admin import statusTable
from txlb.admin._filerow import fileRow
from txlb.admin._status import WIDTH, bytesText, durationText, fitted
from txlb.model import ProxyService
from txlb.pool import Attempt, CheckResult, Failure, FailureKind, RefusalKind, Waiting


class FakeConfiguration:
    path = "/etc/txlb.xml"
    services: tuple[ProxyService, ...] = ()
    edits: list[str] | None = None

    def __init__(self, *changes: str) -> None:
        self._changes = list(changes)
        self.asked: list[ProxyService] = []

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        self.asked = list(services)
        return self._changes


class StatusTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.balancer = fakeBalancer(lambda: self.now)
        self.manager = self.balancer.manager

    def test_fresh(self) -> None:
        self.assertEqual(
            statusTable(self.balancer),
            """\
listeners
  web  127.0.0.1:8080

service web: 0 active, 0 accepted, 0 refused
  group blue (leastc, enabled): 2 of 2 hosts ready
    host  address         state      weight  active  total  failed   in  out
    h1    127.0.0.1:7001  unchecked       1       0      0       0  0 B  0 B
    h2    127.0.0.1:7002  unchecked       3       0      0       0  0 B  0 B
  group green (rand, not enabled): 1 of 1 hosts ready
    host  address         state      weight  active  total  failed   in  out
    h3    127.0.0.1:7003  unchecked       1     0/9      0       0  0 B  0 B

no configuration file: what is changed lasts until the end of the process""",
        )

    def test_found(self) -> None:
        """
        A host that a source has found is told as that.
        """
        self.manager.addHost("web", "blue", "f1", "127.0.0.1:7009", origin="dns:web.example")
        table = statusTable(self.balancer)
        self.assertRegex(table, r"\n    f1  .*\n      found by dns:web.example\n")
        self.assertEqual(table.count("found by"), 1)

    def test_notAccepting(self) -> None:
        """
        A service that accepts no clients says why.
        """
        self.manager.getCounters("web").notAccepting = "standby"
        table = statusTable(self.balancer)
        self.assertIn("0 refused\n  accepts no clients: standby\n  group blue", table)

    def test_busy(self) -> None:
        pool = self.manager.getPool("web")
        lease = pool.acquire()
        lease.add(1500, 2_500_000)
        second = pool.acquire()
        self.manager.delHost("web", "blue", second.host.name)
        counters = self.manager.getCounters("web")
        counters.active, counters.accepted = 2, 10
        counters.refused[RefusalKind.LIMIT] = 3
        counters.refused[RefusalKind.TIMEOUT] = 1
        table = statusTable(self.balancer)
        self.assertIn("web: 2 active, 10 accepted, 4 refused (limit 3, timeout 1)\n", table)
        self.assertIn("enabled): 1 of 1 hosts ready\n", table)
        self.assertRegex(table, r"h1 .* up +1 +1 +1 +0  1.5 kB  2.5 MB\n")
        self.assertRegex(table, r"h2 .* leaving +3 +1 +1 +0 +0 B +0 B\n")

    def test_down(self) -> None:
        dial = self.manager.getPool("web").dial()
        attempt = dial.start()
        assert isinstance(attempt, Attempt)
        dial.failed(attempt, Failure(FailureKind.REFUSED, "connection refused"))
        self.now = 300.0
        table = statusTable(self.balancer)
        self.assertRegex(table, r"h1 .* down +1 +0 +0 +1 ")
        self.assertIn("\n      refused (connection refused), since 5 min\n", table)

    def test_drained(self) -> None:
        self.manager.setWeight("web", "blue", "h1", 0)
        self.now = 60.0
        table = statusTable(self.balancer)
        self.assertRegex(table, r"h1 .* drain +0 .*\n +since 60 s\n")

    def test_slowStart(self) -> None:
        self.manager.getPool("web").getHost("h2").effectiveWeight = 0.3
        self.assertRegex(statusTable(self.balancer), r"h2 .* unchecked +0.3 of 3 ")

    def test_unresolved(self) -> None:
        self.manager.addHost("web", "blue", "named", "backend.example:80")
        self.now = 60.0
        table = statusTable(self.balancer)
        self.assertRegex(table, r"named +backend.example:80 +unresolved .*\n +since 60 s\n")

    def test_maintenance(self) -> None:
        """
        The time is that of the maintenance, and why the host was down before is
        not why it is out now.
        """
        pool = self.manager.getPool("web")
        for _ in range(3):
            pool.reportCheck("h1", CheckResult(False, "HTTP 500", 0.0123))
        self.now = 300.0
        self.manager.maintenance("web", "blue", "h1")
        self.now = 330.0
        self.assertRegex(statusTable(self.balancer), r"h1 .* maintenance .*\n +since 30 s\n")

    def test_allDrained(self) -> None:
        """
        With C{whenAllDown="try"} hosts that are down are tried, but none that is
        drained or in maintenance.
        """
        self.manager.drain("web", "blue", "h1")
        self.manager.maintenance("web", "blue", "h2")
        table = statusTable(self.balancer)
        told = "    every host is drained or in maintenance: clients are closed at once\n"
        self.assertIn(told, table)
        self.manager.ready("web", "blue", "h1")
        pool = self.manager.getPool("web")
        attempt = pool.dial().start()
        assert isinstance(attempt, Attempt)
        attempt.failed(Failure(FailureKind.REFUSED, "connection refused"))
        table = statusTable(self.balancer)
        self.assertIn("    no host is up: clients are sent to those that are down\n", table)

    def test_due(self) -> None:
        """
        With C{whenAllDown="close"} too a host that is due gets a client.
        """
        self.manager.setGroup("web", "blue", whenAllDown="close")
        self.manager.drain("web", "blue", "h2")
        pool = self.manager.getPool("web")
        attempt = pool.dial().start()
        assert isinstance(attempt, Attempt)
        attempt.failed(Failure(FailureKind.REFUSED, "connection refused"))
        self.assertIn("    no host is up: clients are closed at once\n", statusTable(self.balancer))
        self.now = 1.0
        pool.advance(self.now)
        self.assertIn(
            "    no host is up: the next client tries one again, others are closed at once\n",
            statusTable(self.balancer),
        )

    def test_onTrial(self) -> None:
        """
        A state without a reason still has a beginning.
        """
        host = self.manager.getPool("web").getHost("h1")
        host.passive.failed("", 1, False, 0.0)
        self.now = 60.0
        self.assertIn("\n      since 60 s\n", statusTable(self.balancer))

    def test_checked(self) -> None:
        """
        Of a host that is checked the last answer, and the share of its time that
        it was in.
        """
        pool = self.manager.getPool("web")
        self.now = 75.0
        for _ in range(3):
            pool.reportCheck("h1", CheckResult(False, "HTTP 500", 0.0123))
        self.now = 100.0
        table = statusTable(self.balancer)
        self.assertRegex(table, r"h1 .* down +1 ")
        self.assertIn(
            "      check failed in 0.0123 s: HTTP 500, 25 s ago; in for 75.0% of its time\n", table
        )

    def test_groupStates(self) -> None:
        """
        What is out of the ordinary with a group is said.
        """
        pool = self.manager.getPool("web")
        self.manager.setGroup("web", "blue", maxQueue=5)
        self.manager.setGroup("web", "green", backup=True)
        self.assertIn("green (rand, backup)", statusTable(self.balancer))
        for host in pool.hosts:
            for _ in range(3):
                pool.reportCheck(host.name, CheckResult(False, "no answer", 1.0))
        table = statusTable(self.balancer)
        self.assertIn("backup, standing in", table)
        # Its clients are another group's now.
        self.assertIn("    no host is up\n", table)
        self.manager.setGroup("web", "green", backup=False)
        table = statusTable(self.balancer)
        self.assertIn("    no host is up: clients are sent to those that are down\n", table)
        self.manager.setGroup("web", "blue", whenAllDown="close")
        table = statusTable(self.balancer)
        self.assertIn("    no host is up: clients are closed at once\n", table)
        self.manager.addHost("web", "blue", "s", "127.0.0.1:9", backup=True, maxConnections=1)
        lease = pool.acquire()
        self.assertIsInstance(pool.dial().start(), Waiting)
        table = statusTable(self.balancer)
        self.assertIn("    the backup hosts are used: 0 others are up\n", table)
        self.assertIn("    1 clients wait for room, of 5 that may\n", table)
        lease.release()

    def test_noHosts(self) -> None:
        self.manager.delHost("web", "green", "h3")
        table = statusTable(self.balancer)
        self.assertIn("0 of 0 hosts ready\n\nno configuration", table)

    def test_listeners(self) -> None:
        self.balancer.listeners = {
            "web-1": FakeListener(["0.0.0.0:80", "[::]:80"]),
            "web-2": FakeListener([]),
        }
        table = statusTable(self.balancer)
        self.assertIn("  web-1  0.0.0.0:80, [::]:80\n  web-2  not listening\n", table)
        self.balancer.listeners = {}
        self.assertTrue(statusTable(self.balancer).startswith("listeners\n\nservice"))

    def test_width(self) -> None:
        long = "x" * 250
        self.manager.addHost("web", "blue", long, f"{'y' * 60}.{'z' * 60}.example:80")
        self.manager.getPool("web").getHost("h1").passive.failed("why " * 50, 1, False, 0.0)
        self.balancer.listeners[long] = FakeListener([f"127.0.0.1:{n}" for n in range(99)])
        rows = statusTable(self.balancer, FakeConfiguration()).splitlines()
        self.assertEqual(max(map(len, rows)), WIDTH)
        self.assertTrue(any("xxx…xxx" in row and "…zzz" in row for row in rows))

    def test_certificates(self) -> None:
        """
        Those that need care are told.
        """
        self.assertNotIn("certificates", statusTable(self.balancer))
        line = "certs/a.pem: the certificate for a.example expires in 9 days"
        self.balancer.certificates.lines.append(line)
        self.assertIn(f"\n\ncertificates\n  {line}\n\nservice", statusTable(self.balancer))
        self.assertNotIn(line, statusTable(self.balancer, only="web"))

    def test_changes(self) -> None:
        config = FakeConfiguration("host web/blue/h4 added", "group web/blue switched")
        self.assertTrue(
            statusTable(self.balancer, config).endswith(
                "\n\nchanged live, and not in /etc/txlb.xml:\n"
                "  host web/blue/h4 added\n"
                "  group web/blue switched"
            )
        )
        self.assertEqual(config.asked, list(self.manager.services.values()))

    def test_edited(self) -> None:
        """
        What was edited in the file stands beside what was changed live. A file that was edited
        is told of, also if it says the same.
        """
        config = FakeConfiguration("host web/blue/h4 added")
        config.edits = ["user ann removed"]
        self.assertTrue(
            statusTable(self.balancer, config).endswith(
                "\n\nchanged live, and not in /etc/txlb.xml:\n"
                "  host web/blue/h4 added\n"
                "edited in /etc/txlb.xml since it was read, and not loaded:\n"
                "  user ann removed"
            )
        )
        config = FakeConfiguration()
        config.edits = []
        self.assertTrue(
            statusTable(self.balancer, config).endswith(
                "\n\n/etc/txlb.xml was edited since it was read, and says the same"
            )
        )

    def test_manyChanges(self) -> None:
        """
        Of thousands of live changes the status has the first ones and the count, as a row of an
        answer has no room for more.
        """
        config = FakeConfiguration(*(f"host web/blue/h{number} added" for number in range(3000)))
        row = fileRow(config, ())
        changes = row["changes"]
        assert isinstance(changes, list)
        self.assertEqual(len(changes), 51)
        self.assertEqual(changes[-1], "and 2950 more; diff tells all")

    def test_noChanges(self) -> None:
        table = statusTable(self.balancer, FakeConfiguration())
        self.assertTrue(table.endswith("\n\nas in /etc/txlb.xml"))


class WordsTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        for count, text in (
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1234, "1.23 kB"),
            (999_499, "999 kB"),
            (999_501, "1 MB"),
            (5 * 10**12, "5 TB"),
            (5 * 10**15, "5 PB"),
            (7 * 10**17, "700 PB"),
        ):
            self.assertEqual(bytesText(count), text)

    def test_duration(self) -> None:
        for seconds, text in (
            (0.0, "0 s"),
            (119.4, "119 s"),
            (120.0, "2 min"),
            (7200.0, "2 h"),
            (172_800.0, "2 days"),
        ):
            self.assertEqual(durationText(seconds), text)

    def test_fitted(self) -> None:
        self.assertEqual(fitted("abcdef", 6), "abcdef")
        self.assertEqual(fitted("abcdefg", 6), "ab…efg")
        self.assertEqual(fitted("abcdefgh", 7), "abc…fgh")

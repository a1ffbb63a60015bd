"""
Tests for what L{txlb.pool.Host} says of its state: the word for it, and since when.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import REFUSED, Bench
from txlb.model import ProxyHost, TCPAddress
from txlb.pool import CheckResult, EventKind
from txlb.wire import AgentReply, AgentState

PASSED = CheckResult(True, "HTTP 200", 0.01)
FAILED = CheckResult(False, "HTTP 500", 0.01)


class SinceCase(SynchronousTestCase):
    def bench(self, *names: str, **settings: Any) -> Bench:
        self.made = Bench(*(names or ("a", "b")), **settings)
        return self.made

    def later(self, seconds: float = 100.0) -> None:
        self.made.now += seconds
        self.made.pool.advance(self.made.now)

    def shown(self, name: str = "a") -> tuple[str, float]:
        """
        @return: what a view says of a host: its state, and for how many seconds.
        """
        hosts = self.made.pool.snapshot().hosts
        (found,) = (host for host in hosts if host.name == name)
        return found.state, found.since


class SinceTests(SinceCase):
    """
    The time is that of the state that is shown. It was that of the health, which is
    the age of the process if nothing was wrong with the host.
    """

    def test_maintenance(self) -> None:
        bench = self.bench()
        self.later()
        bench.pool.setState("a", "maintenance")
        self.later(30.0)
        self.assertEqual(self.shown(), ("maintenance", 30.0))
        bench.pool.setState("a", "maintenance")
        self.assertEqual(self.shown(), ("maintenance", 30.0))
        bench.pool.setState("a", "ready")
        self.later(7.0)
        self.assertEqual(self.shown(), ("unchecked", 7.0))

    def test_maintenanceOfOneThatIsDown(self) -> None:
        """
        Afterwards it has been down since it went down.
        """
        bench = self.bench()
        bench.fell("a")
        self.later()
        bench.pool.setState("a", "maintenance")
        self.later(30.0)
        self.assertEqual(self.shown(), ("maintenance", 30.0))
        bench.pool.setState("a", "ready")
        self.assertEqual(self.shown()[1], 130.0)

    def test_drain(self) -> None:
        bench = self.bench()
        for drain, back in (
            (lambda: bench.pool.setState("a", "drain"), lambda: bench.pool.setState("a", "ready")),
            (lambda: bench.pool.setWeight("a", 0), lambda: bench.pool.setWeight("a", 5)),
        ):
            self.later()
            drain()
            self.later(30.0)
            self.assertEqual(self.shown(), ("drain", 30.0))
            back()
            self.later(5.0)
            self.assertEqual(self.shown(), ("unchecked", 5.0))
            bench.pool.setWeight("a", 7)
            self.assertEqual(self.shown(), ("unchecked", 5.0))

    def test_agent(self) -> None:
        """
        So it is if the host's agent wants it.
        """
        bench = self.bench()
        for wanted, back, shown in (
            (AgentReply(state=AgentState.MAINT), AgentReply(state=AgentState.READY), "maintenance"),
            (AgentReply(state=AgentState.DRAIN), AgentReply(state=AgentState.READY), "drain"),
            (AgentReply(percent=0), AgentReply(percent=50), "drain"),
        ):
            self.later()
            bench.pool.reportAgent("a", wanted)
            self.later(30.0)
            self.assertEqual(self.shown(), (shown, 30.0))
            bench.pool.reportAgent("a", back)
            self.later(5.0)
            self.assertEqual(self.shown(), ("unchecked", 5.0))
        bench.pool.reportAgent("a", AgentReply(percent=60))
        self.assertEqual(self.shown(), ("unchecked", 5.0))

    def test_downAndTried(self) -> None:
        """
        It has been down since it went down, however often it was tried since.
        """
        bench = self.bench("a", whenAllDown="close")
        self.later()
        bench.fell("a")
        for number, wait in enumerate((1.0, 2.0, 4.0, 8.0)):
            before = 1.0 * (2**number - 1)
            self.assertEqual(self.shown(), ("down", before))
            self.later(wait)
            self.assertEqual(self.shown(), ("due", before + wait))
            attempt = bench.attempt()
            self.assertEqual(self.shown(), ("trial", before + wait))
            attempt.failed(REFUSED)
        self.later(16.0)
        bench.attempt().connected().release()
        self.later(3.0)
        self.assertEqual(self.shown(), ("up", 3.0))

    def test_downByChecks(self) -> None:
        bench = self.bench()
        self.later()
        for state in ("going-down", "going-down", "down"):
            bench.pool.reportCheck("a", FAILED)
            self.assertEqual(self.shown()[0], state)
        self.later(10.0)
        bench.pool.reportCheck("a", PASSED)
        self.assertEqual(self.shown(), ("coming-up", 10.0))
        self.later(10.0)
        bench.pool.reportCheck("a", FAILED)
        self.assertEqual(self.shown(), ("down", 20.0))
        for _ in range(2):
            bench.pool.reportCheck("a", PASSED)
        self.later(5.0)
        self.assertEqual(self.shown(), ("up", 5.0))

    def test_starting(self) -> None:
        bench = self.bench(initialState="check")
        self.later()
        bench.pool.watch("a")
        self.later(2.0)
        self.assertEqual(self.shown(), ("starting", 2.0))

    def test_standby(self) -> None:
        bench = self.bench("a")
        bench.pool.addHost(ProxyHost("s", "127.0.0.1", 9, backup=True))
        bench.pool.acquire().release()
        self.later()
        self.assertEqual(self.shown("s"), ("standby", 100.0))
        bench.pool.setState("a", "drain")
        self.later(3.0)
        self.assertEqual(self.shown("s"), ("unchecked", 3.0))
        bench.pool.setState("a", "ready")
        self.later(10.0)
        self.later(4.0)
        self.assertEqual(self.shown("s"), ("standby", 4.0))

    def test_becomesBackup(self) -> None:
        bench = self.bench()
        self.later()
        bench.pool.changeHost(ProxyHost("a", "127.0.0.1", 7000, backup=True))
        self.later(4.0)
        self.assertEqual(self.shown(), ("standby", 4.0))

    def test_leaving(self) -> None:
        bench = self.bench("a")
        lease = bench.pool.acquire()
        self.later()
        bench.pool.removeHost("a")
        self.later(6.0)
        self.assertEqual(self.shown(), ("leaving", 6.0))
        lease.release()

    def test_unresolved(self) -> None:
        bench = self.bench("a")
        self.later()
        bench.pool.changeHost(ProxyHost("a", "web.example", 80))
        self.later(6.0)
        self.assertEqual(self.shown(), ("unresolved", 6.0))


class UncheckedTests(SinceCase):
    """
    A host of which nobody knows whether it works is not called up. HAProxy's word for
    a server without checks is "no check".
    """

    def test_untilAConnection(self) -> None:
        bench = self.bench("a")
        self.assertEqual(self.shown()[0], "unchecked")
        attempt = bench.attempt()
        self.assertEqual(self.shown()[0], "unchecked")
        attempt.connected().release()
        self.assertEqual(self.shown()[0], "up")

    def test_untilACheck(self) -> None:
        bench = self.bench("a")
        bench.pool.watch("a")
        self.assertEqual(self.shown()[0], "unchecked")
        bench.pool.reportCheck("a", PASSED)
        self.assertEqual(self.shown()[0], "up")
        bench.pool.unwatch("a")
        self.assertEqual(self.shown()[0], "unchecked")

    def test_isUsed(self) -> None:
        """
        It gets clients all the same, and counts where hosts that are up count.
        """
        bench = self.bench()
        found = bench.pool.snapshot()
        self.assertEqual((found.ready, found.up, found.allDown), (2, 2, ""))

    def test_whatSaysNothing(self) -> None:
        """
        A failure that does not put it out is no proof that it is up.
        """
        bench = self.bench("a", passiveFall=3)
        bench.attempt().failed(REFUSED)
        self.assertEqual(self.shown()[0], "unchecked")

    def test_moved(self) -> None:
        """
        At its new address it is new.
        """
        bench = self.bench("a")
        bench.attempt().connected().release()
        bench.pool.changeHost(ProxyHost("a", "127.0.0.1", 9))
        self.assertEqual(self.shown()[0], "unchecked")
        bench.attempt().connected().release()
        self.assertEqual(self.shown()[0], "up")

    def test_resolvedAnew(self) -> None:
        """
        Another answer to a look-up of its name is the same host.
        """
        bench = self.bench("a")
        bench.attempt().connected().release()
        bench.pool.setAddresses("a", [TCPAddress("127.0.0.1", 5)])
        self.assertEqual(self.shown()[0], "up")


class FateTests(SinceCase):
    """
    What becomes of clients is what is said to become of them.
    """

    def fate(self) -> str:
        return self.made.pool.snapshot().allDown

    def test_tried(self) -> None:
        bench = self.bench()
        bench.fell("a")
        self.assertEqual(self.fate(), "")
        bench.fell("b")
        self.assertEqual(self.fate(), "try")
        self.assertIsNotNone(bench.pool.claim(None, frozenset()))
        bench.pool.setSettings(bench.pool.settings.__class__("g", whenAllDown="close"))
        self.assertEqual(self.fate(), "close")

    def test_nobodyToTry(self) -> None:
        """
        Of hosts that are drained, in maintenance or without an address none is
        tried, whatever C{whenAllDown} says.
        """
        bench = self.bench("a", "b", "c")
        bench.events.clear()
        bench.pool.setState("a", "drain")
        bench.pool.setState("b", "maintenance")
        bench.pool.changeHost(ProxyHost("c", "web.example", 80))
        self.assertEqual(self.fate(), "close")
        self.assertIsNone(bench.pool.claim(None, frozenset()))
        (told,) = (each for each in bench.events if each.kind is EventKind.GROUP_DOWN)
        self.assertEqual(told.message, "no host takes clients, so they are closed at once")

    def test_firstCheck(self) -> None:
        """
        A host that waits for its first check is not tried either.
        """
        bench = self.bench("a", initialState="check")
        bench.pool.watch("a")
        self.assertEqual(self.fate(), "close")
        self.assertIsNone(bench.pool.claim(None, frozenset()))

    def test_told(self) -> None:
        for setting, message in (
            ("try", "no host is up; whenAllDown=try sends clients to those that are down"),
            ("close", "no host is up; whenAllDown=close closes clients at once"),
        ):
            bench = self.bench("a", whenAllDown=setting)
            bench.fell("a")
            (told,) = (each for each in bench.events if each.kind is EventKind.GROUP_DOWN)
            self.assertEqual(told.message, message)

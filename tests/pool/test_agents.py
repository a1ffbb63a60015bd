"""
What agents beside hosts ask for.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import UnknownName
from txlb.model import ProxyHost
from txlb.pool import Event, EventKind, HostPool
from txlb.wire import parseAgentReply


class AgentTests(SynchronousTestCase):
    """
    L{HostPool.reportAgent}.
    """

    def setUp(self) -> None:
        """
        Two hosts.
        """
        self.clock = Clock()
        self.events: list[Event] = []
        hosts = [ProxyHost("a", "10.0.0.1", 80, 10), ProxyHost("b", "10.0.0.2", 80, 10)]
        self.pool = HostPool(
            "roundr", hosts, seconds=self.clock.seconds, publish=self.events.append
        )
        del self.events[:]

    def says(self, line: bytes) -> list[str]:
        """
        The agent of the first host says something.

        @return: what is told of it.
        """
        del self.events[:]
        self.pool.reportAgent("a", parseAgentReply(line))
        for event in self.events:
            self.assertIs(event.kind, EventKind.HOST_STATE)
        return [event.message for event in self.events]

    def picks(self, count: int = 20) -> int:
        """
        How many of so many connections the first host gets.
        """
        return sum(self._pick() == "a" for _ in range(count))

    def _pick(self) -> str:
        with self.pool.acquire() as lease:
            return lease.host.name

    def test_drainAndReady(self) -> None:
        self.assertEqual(self.says(b"drain\n"), ["its agent says: state ready -> drain"])
        self.assertEqual(self.pool.getHost("a").stateWord, "drain")
        self.assertEqual(self.picks(), 0)
        # Said once, and what is not mentioned stays.
        self.assertEqual(self.says(b"drain up\n"), [])
        self.assertEqual(self.says(b"up\n"), [])
        self.assertEqual(self.picks(), 0)
        self.assertEqual(self.says(b"ready\n"), ["its agent says: state drain -> ready"])
        self.assertEqual(self.picks(), 10)

    def test_maint(self) -> None:
        self.says(b"maint\n")
        self.assertEqual(self.pool.getHost("a").stateWord, "maintenance")
        # It is asked on, or it could never say otherwise.
        self.assertTrue(self.pool.getHost("a").enabled)
        self.assertEqual(self.picks(), 0)

    def test_peopleAndAgents(self) -> None:
        """
        Neither takes back what the other one wants.
        """
        self.pool.setState("a", "drain")
        self.says(b"ready\n")
        self.assertEqual(self.picks(), 0)
        self.says(b"drain\n")
        self.pool.setState("a", "ready")
        self.assertEqual(self.picks(), 0)
        self.says(b"ready\n")
        self.assertEqual(self.picks(), 10)

    def test_weight(self) -> None:
        self.assertEqual(self.says(b"50%\n"), ["its agent says: weight 100% -> 50%"])
        self.assertEqual(self.pool.getHost("a").effectiveWeight, 5.0)
        self.assertIn(self.picks(30), (9, 10, 11))
        self.says(b"weight:20\n")
        self.assertEqual(self.pool.getHost("a").effectiveWeight, 20.0)
        # It has no end.
        self.clock.advance(1e6)
        self.pool.advance(self.clock.seconds())
        self.assertEqual(self.pool.getHost("a").effectiveWeight, 20.0)
        self.pool.setWeight("a", 20)
        self.assertEqual(self.pool.getHost("a").effectiveWeight, 40.0)

    def test_nothing(self) -> None:
        self.says(b"0%\n")
        self.assertEqual(self.pool.getHost("a").stateWord, "drain")
        self.assertEqual(self.picks(), 0)
        self.says(b"100%\n")
        self.assertEqual(self.picks(), 10)

    def test_limit(self) -> None:
        """
        It may take fewer connections than are configured, and not more.
        """
        host = self.pool.getHost("a")
        self.assertEqual(
            self.says(b"maxconn:2\n"), ["its agent says: maxConnections no limit -> 2"]
        )
        leases = [self.pool.acquire() for _ in range(6)]
        self.assertEqual([lease.host.name for lease in leases].count("a"), 2)
        self.assertEqual(host.stateWord, "full")
        # What was not mentioned stays.
        self.assertEqual(self.says(b"75% maxconn:2\n"), ["its agent says: weight 100% -> 75%"])
        self.pool.changeHost(replace(host.configured, maxConnections=1))
        self.assertEqual(host.maxConnections, 1)
        self.pool.changeHost(replace(host.configured, maxConnections=100))
        self.assertEqual(host.maxConnections, 2)
        self.assertEqual(
            self.says(b"maxconn:0\n"), ["its agent says: maxConnections 2 -> no limit"]
        )
        self.assertEqual(host.maxConnections, 100)
        self.assertEqual(host.settings["maxConnections"], 100)
        self.assertEqual(host.stateWord, "up")
        for lease in leases:
            lease.release()

    def test_unknown(self) -> None:
        self.assertRaises(UnknownName, self.pool.reportAgent, "c", parseAgentReply(b"up\n"))

    def test_bounded(self) -> None:
        """
        An agent gets at most 256 % of the configured weight, so that it can't take
        all clients. HAProxy caps weights at 256 in the same way.
        """
        for line in (b"1000000000%\n", b"weight:1000000000\n", b"257%\n", b"weight:26\n"):
            self.says(b"100%\n")
            self.assertEqual(self.says(line), ["its agent says: weight 100% -> 256%"], line)
            self.assertEqual(self.pool.getHost("a").effectiveWeight, 25.6)
        self.assertEqual(self.says(b"256%\n"), [])
        self.assertEqual(self.says(b"255%\n"), ["its agent says: weight 256% -> 255%"])

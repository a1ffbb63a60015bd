"""
Tests for how a L{txlb.application.LoadBalancedService} stops.
"""

from __future__ import annotations

from tests.application.balancers import LOCAL, ServiceCase
from tests.proxy.fakes import logOf


class StopTests(ServiceCase):
    def test_idle(self) -> None:
        """
        Without connections it is stopped at once, and leaves nothing behind.
        """
        self.balancer()
        self.start()
        address = self.lbs.getProxyService("web").addresses[0]
        self.successResultOf(self.lbs.stopService())
        self.assertRaises(ConnectionRefusedError, self.connectTo, address)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_neverStarted(self) -> None:
        """
        One that was not started, or was only bound, can be stopped.
        """
        self.balancer()
        self.successResultOf(self.lbs.stopService())
        self.lbs.bind()
        address = self.lbs.getProxyService("web").addresses[0]
        self.successResultOf(self.lbs.stopService())
        self.assertRaises(ConnectionRefusedError, self.connectTo, address)

    def test_waits(self) -> None:
        """
        It stops accepting at once, and waits for the connections to end.
        """
        self.balancer()
        self.start()
        relay = self.relay()
        self.come()
        self.come()
        address = self.lbs.getProxyService("web").addresses[0]
        stopped = self.lbs.stopService()
        self.assertRaises(ConnectionRefusedError, self.connectTo, address)
        self.endConnection(relay)
        self.reactor.advance(5)
        self.assertNoResult(stopped)
        self.endConnection(relay)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(relay.aborted, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_backlog(self) -> None:
        """
        Who waited in the backlog when it stopped has been told to be connected,
        and is served.
        """
        self.balancer()
        self.start()
        relay = self.relay()
        self.frontend = self.frontendOf("web")
        self.connectTo(self.lbs.getProxyService("web").addresses[0])
        stopped = self.lbs.stopService()
        self.assertEqual(len(relay.started), 1)
        self.assertNoResult(stopped)
        self.endConnection(relay)
        self.successResultOf(stopped)

    def test_grace(self) -> None:
        """
        Connections that don't end within the grace time are reset, and those
        who look at the log learn how many.
        """
        log = logOf(self)
        self.balancer(graceTime=3.0)
        self.start()
        relay = self.relay()
        self.come()
        stopped = self.lbs.stopService()
        self.reactor.pump([0.5] * 5)
        self.assertEqual(relay.aborted, 0)
        self.reactor.advance(0.5)
        self.assertEqual(relay.aborted, 1)
        self.assertNoResult(stopped)
        self.endConnection(relay)
        self.successResultOf(stopped)
        texts = [event["log_format"] for event in log]
        for begin in ("waiting {graceTime:g} s", "resetting {active}"):
            self.assertTrue(any(text.startswith(begin) for text in texts), texts)

    def test_oneListener(self) -> None:
        """
        A single listener can be stopped, and started again; the others go on.
        """
        self.balancer(LOCAL, LOCAL)
        self.start()
        listener = self.lbs.getProxyService("web-1")
        address = listener.addresses[0]
        listener.stopService()
        self.assertFalse(listener.running)
        self.assertRaises(ConnectionRefusedError, self.connectTo, address)
        self.assertEqual(len(self.reactor.getReaders()), 1)
        listener.startService()
        self.connectTo(listener.addresses[0])
        self.assertEqual(len(self.reactor.getReaders()), 2)

    def test_abort(self) -> None:
        """
        To abort resets the connections of a run, and those of one that is
        being stopped.
        """
        self.balancer()
        self.lbs.abortConnections()
        self.start()
        relay = self.relay()
        self.come()
        self.lbs.abortConnections()
        self.assertEqual(relay.aborted, 1)
        stopped = self.lbs.stopService()
        self.lbs.abortConnections()
        self.assertEqual(relay.aborted, 2)
        self.endConnection(relay)
        self.successResultOf(stopped)
        self.lbs.abortConnections()
        self.assertEqual(relay.aborted, 2)

    def test_again(self) -> None:
        """
        It can be started again after a stop, as often as wanted, with the hosts'
        counters kept.
        """
        self.balancer()
        for turn in (1, 2, 3):
            self.start()
            relay = self.relay()
            self.come()
            self.endConnection(relay)
            self.successResultOf(self.lbs.stopService())
            host = self.manager.getPool("web").getHost("h0")
            self.assertEqual(host.counters.connections, turn)
            self.assertEqual(host.active, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_againDuringAStop(self) -> None:
        """
        It can be started again while connections of the run before still end.
        """
        self.balancer()
        self.start()
        before = self.relay()
        self.come()
        frontend = self.frontend
        stopped = self.lbs.stopService()
        self.start()
        after = self.relay()
        self.come()
        self.assertEqual(len(after.started), 1)
        self.frontend, current = frontend, self.frontend
        self.endConnection(before)
        self.successResultOf(stopped)
        self.frontend = current
        self.endConnection(after)
        self.assertEqual(self.manager.getCounters("web").active, 0)

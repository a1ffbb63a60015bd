"""
Tests for L{txlb.cloning._remotehosts}: hosts beside the clones of an application whose processes
are in this one.
"""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.cloning.inside import InsideTestCase
from tests.proxy.fakes import logOf
from txlb.cloning import CloneGroup, CloningError, _pluginloading
from txlb.cloning._ownhosts import SERVICE
from txlb.errors import ModelError
from txlb.interfaces import IHostRelay, IHostRelayPlugin
from txlb.model import ProxyHost
from txlb.pool import Lease, Outcome

GROUP = "tcp-127.0.0.1-0"


@implementer(IHostRelay, IHostRelayPlugin)
class Relay:
    """
    Answers each client itself.

    @ivar taken: the sockets and the leases.
    @ivar graceTime: what it was told when it was stopped.
    """

    modules: tuple[str, ...] = ("os", "os")
    problem: Exception | None = None

    def __init__(self) -> None:
        self.started = 0
        self.taken: list[tuple[socket.socket, Lease]] = []
        self.graceTime: float | None = None
        self.ended = Deferred[None]()

    def start(self, pools: Any, reactor: object) -> IHostRelay:
        if self.problem is not None:
            raise self.problem
        self.started += 1
        return self

    def take(self, number: int, descriptor: int, peer: object, lease: Lease) -> None:
        sock = socket.socket(fileno=descriptor)
        sock.send(b"far")
        self.taken.append((sock, lease))

    def connectionCount(self) -> int:
        return len(self.taken)

    def stop(self, graceTime: float) -> Deferred[None]:
        self.graceTime = graceTime
        return self.ended

    def end(self) -> None:
        """
        End all connections.
        """
        for sock, lease in self.taken:
            sock.close()
            lease.release(Outcome.DONE)
        self.taken.clear()
        if not self.ended.called:
            self.ended.callback(None)


class RemoteHostsTests(InsideTestCase):
    scheduler = "roundr"
    admission = {"hosts": [ProxyHost.at("far", "192.0.2.1:80", 2)]}  # noqa: RUF012 - not changed

    def setUp(self) -> None:
        super().setUp()
        self.relay = Relay()
        self.plugins: list[Any] = [self.relay]
        self.patch(_pluginloading, "getPlugins", lambda _: iter(self.plugins))
        # After endAll, which lets time pass.
        self.addCleanup(self.relay.end)

    def begin(self) -> CloneGroup:
        manager = self.group()
        self.until(lambda: self.joined(manager, self.processes))
        return manager

    def served(self, count: int) -> Counter[bytes]:
        return Counter(self.answer(self.connect()) for _ in range(count))

    def test_interfaces(self) -> None:
        verifyObject(IHostRelay, self.relay)
        verifyObject(IHostRelayPlugin, self.relay)

    def test_weights(self) -> None:
        """
        The scheduler chooses among clones and hosts by their weights, and the process shows
        the connections that it relays.
        """
        manager = self.begin()
        self.until(lambda: self.relay.started == 1)
        self.assertEqual(self.served(8), {b"far": 4, b"1": 2, b"2": 2})
        self.assertEqual(manager.active, 4)

    def test_passed(self) -> None:
        """
        So it is if the manager accepts all connections.
        """
        self.admission = {**self.admission, "allow": ["127.0.0.0/8"]}
        self.begin()
        self.assertEqual(self.served(8), {b"far": 4, b"1": 2, b"2": 2})

    def test_none(self) -> None:
        """
        Without such hosts nothing is looked for.
        """
        self.admission = {}
        plugins = mock.Mock(return_value=iter(()))
        self.patch(_pluginloading, "getPlugins", plugins)
        self.begin()
        self.pass_(1.0)
        plugins.assert_not_called()
        self.assertEqual(self.served(4), {b"1": 2, b"2": 2})

    def notRelayed(self) -> list[Any]:
        """
        Begin, and see that the clones get all connections.

        @return: what is logged.
        """
        log = logOf(self)
        self.begin()
        self.assertEqual(self.served(4), {b"1": 2, b"2": 2})
        return [each for each in log if "get nothing" in str(each.get("log_format"))]

    def test_noPlugin(self) -> None:
        self.plugins.clear()
        self.assertEqual(len(self.notRelayed()), 1)

    def test_wrongSetting(self) -> None:
        """
        A wrong setting is told in one line.
        """
        self.relay.problem = ModelError("no such check")
        [event] = self.notRelayed()
        self.assertEqual(str(event["problem"]), "no such check")
        self.assertNotIn("log_failure", event)

    def test_brokenPlugin(self) -> None:
        self.relay.problem = ZeroDivisionError()
        self.assertEqual(len(self.notRelayed()), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stopped(self) -> None:
        """
        The process ends when the relayed connections have ended.
        """
        manager = self.begin()
        self.served(4)
        ended = manager.stop()
        # The clones end after their grace time.
        self.pass_(8.0, 80)
        self.assertNoResult(ended)
        self.assertEqual(self.relay.graceTime, 5.0)
        self.relay.end()
        self.pass_(1.0)
        self.successResultOf(ended)

    def test_stoppedBefore(self) -> None:
        """
        A process that ends while it loads does not relay.
        """
        self.relay.modules = ("os",) * 100
        manager = self.group()
        self.until(lambda: manager.manager is not None)
        ended = manager.stop()
        self.pass_(3.0, 200)
        self.successResultOf(ended)
        self.assertEqual(self.relay.started, 0)

    def test_handedOver(self) -> None:
        """
        A manager that has handed over listens no more, and ends when the connections that it
        relays have ended. The next one relays.
        """
        first = self.begin()
        self.served(4)
        old = self.relay
        self.relay = Relay()
        self.addCleanup(self.relay.end)
        self.plugins[:] = [self.relay]
        first.replaceManager()
        self.until(lambda: bool(self.groups[-1].manager) and first.manager is None)
        self.until(lambda: self.joined(self.groups[-1], 2) and self.relay.started == 1)
        self.pass_(1.0)
        self.assertEqual((self.reactor.stopped, old.graceTime), (0, 5.0))
        self.assertEqual(first._listeners[0].sock.fileno(), -1)
        self.assertEqual(self.served(8)[b"far"], 4)
        old.end()
        self.assertEqual(self.reactor.stopped, 1)

    def test_stoppedAfter(self) -> None:
        """
        A signal to end while a former manager relays is heard once.
        """
        first = self.begin()
        self.served(4)
        first.replaceManager()
        self.until(lambda: bool(self.groups[-1].manager) and first.manager is None)
        ended = first.stop()
        self.pass_(1.0)
        self.assertNoResult(ended)
        self.relay.end()
        self.pass_(1.0)
        self.successResultOf(ended)
        self.assertEqual(self.reactor.stopped, 0)

    def test_kept(self) -> None:
        """
        The next manager knows what was changed of a host, and the clones don't count it as
        theirs.
        """
        first = self.begin()
        manager = first.manager
        assert manager is not None
        self.pass_(1.0)
        self.assertEqual(manager.wanted.kept.hosts, {})
        manager.pools.drain(SERVICE, GROUP, "far")
        self.pass_(1.0)
        self.assertEqual(manager.wanted.kept.hosts, {GROUP: {"far": {"state": "drain"}}})
        self.assertEqual(self.served(4), {b"1": 2, b"2": 2})
        first.replaceManager()
        self.until(lambda: self.joined(self.groups[-1], 2))
        after = self.groups[-1].manager
        assert after is not None
        host = after.pools.getHost(SERVICE, GROUP, "far")
        self.assertEqual((host.state, host.weight), ("drain", 2))

    def test_remove(self) -> None:
        """
        It is no process that could be ended.
        """
        manager = self.begin().manager
        assert manager is not None
        error = self.assertRaises(CloningError, manager.wanted.remove, "far")
        self.assertIn("far is no clone: drain it", str(error))

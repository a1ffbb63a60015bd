"""
Tests for L{txlb.application._hostrelay}, and for the plugin that makes it.
"""

from __future__ import annotations

import socket
from importlib import import_module
from typing import Any

from twisted.internet.defer import Deferred
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.proxy.fakes import logOf
from tests.proxy.reactors import TurnedEPoll
from txlb.application._hostrelay import HostRelay
from txlb.errors import ModelError
from txlb.interfaces import IHostRelay, IHostRelayPlugin
from txlb.manager import ProxyManager
from txlb.model import CLONES, ProxyGroup, ProxyHost, ProxyService

NONE: frozenset[tuple[str, str, str]] = frozenset()


class HostRelayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = TurnedEPoll()
        self.addCleanup(self.reactor.close)
        self.listener = self.listen()
        self.host = self.listen()

    def listen(self) -> socket.socket:
        sock = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(sock.close)
        return sock

    def addressOf(self, sock: socket.socket) -> str:
        return f"127.0.0.1:{sock.getsockname()[1]}"

    def pools(self, **settings: Any) -> ProxyManager:
        """
        Make the pools of an application with a clone and a host.
        """
        hosts = [
            ProxyHost.at("far", self.addressOf(self.host), **settings),
            ProxyHost.at("clone0", "unix:clone0", origin=CLONES),
        ]
        group = ProxyGroup("tcp-1", "roundr", True, hosts, whenAllDown="close")
        service = ProxyService("clones", [self.addressOf(self.listener)], groups=[group])
        return ProxyManager([service], seconds=self.reactor.seconds)

    def begin(self, **settings: Any) -> IHostRelay:
        self.manager = self.pools(**settings)
        relay = HostRelay(self.manager, self.reactor)
        relay.start()
        self.addCleanup(self.end, relay)
        self.ended: Deferred[None] | None = None
        return relay

    def end(self, relay: IHostRelay) -> None:
        ended = relay.stop(0.0) if self.ended is None else self.ended
        self.reactor.now += 1.0
        self.assertTrue(self.reactor.turnUntil(lambda: ended.called))

    def client(self, relay: IHostRelay) -> tuple[socket.socket, socket.socket]:
        """
        Let a client's connection be relayed.

        @return: the client, and the host's end.
        """
        client = socket.create_connection(self.listener.getsockname(), 5)
        self.addCleanup(client.close)
        accepted, peer = self.listener.accept()
        accepted.setblocking(False)
        pool = self.manager.getPool("clones", "tcp-1")
        clones = frozenset(host.key for host in pool.hosts if host.name == "clone0")
        lease = pool.claim(None, clones, 0.0)
        assert lease is not None
        relay.take(0, accepted.detach(), peer, lease)
        self.host.setblocking(False)
        found: list[socket.socket] = []

        def came() -> bool:
            try:
                found.append(self.host.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.assertTrue(self.reactor.turnUntil(came))
        self.addCleanup(found[0].close)
        found[0].setblocking(False)
        return client, found[0]

    def readsAt(self, sock: socket.socket) -> bytes:
        """
        Turn the reactor until an end has something to read.
        """
        sock.setblocking(False)
        found: list[bytes] = []

        def has() -> bool:
            try:
                found.append(sock.recv(100))
            except BlockingIOError:
                return False
            return True

        self.assertTrue(self.reactor.turnUntil(has))
        return found[0]

    def test_interface(self) -> None:
        verifyObject(IHostRelay, HostRelay(self.pools(), self.reactor))

    def test_relays(self) -> None:
        """
        Bytes go both ways, and the connection counts until it has ended.
        """
        relay = self.begin()
        client, host = self.client(relay)
        client.send(b"question")
        self.assertEqual(self.readsAt(host), b"question")
        host.send(b"answer")
        self.assertEqual(self.readsAt(client), b"answer")
        self.assertEqual(relay.connectionCount(), 1)
        [pooled] = [each for each in self.manager.getPool("clones").hosts if each.name == "far"]
        self.assertEqual(pooled.active, 1)
        client.close()
        host.close()
        self.assertTrue(self.reactor.turnUntil(lambda: not relay.connectionCount()))
        self.assertEqual(pooled.active, 0)

    def test_stop(self) -> None:
        """
        Connections have the grace time, and are reset after it.
        """
        relay = self.begin()
        client, host = self.client(relay)
        self.ended = ended = relay.stop(5.0)
        self.reactor.turn(20)
        self.assertNoResult(ended)
        client.send(b"question")
        self.assertEqual(self.readsAt(host), b"question")
        self.reactor.now += 5.0
        self.assertTrue(self.reactor.turnUntil(lambda: ended.called))
        self.successResultOf(ended)
        self.assertRaises(ConnectionResetError, self.readsAt, client)
        self.assertIsNone(self.manager.onCut)

    def test_cut(self) -> None:
        """
        A host that is drained with a deadline loses its connections then.
        """
        relay = self.begin()
        client, _ = self.client(relay)
        self.manager.drain("clones", "tcp-1", "far", 2.0)
        self.reactor.now += 2.1
        self.assertRaises(ConnectionResetError, self.readsAt, client)
        self.assertEqual(relay.connectionCount(), 0)

    def test_checks(self) -> None:
        """
        Hosts are checked, and the events are left to the manager of clones to log.
        """
        log = logOf(self)
        self.begin(check="tcp")
        self.host.close()
        pool = self.manager.getPool("clones")
        [host] = [each for each in pool.hosts if each.name == "far"]

        def isDown() -> bool:
            self.reactor.now += 0.05
            return not host.healthy

        self.assertTrue(self.reactor.turnUntil(isDown))
        self.assertEqual([each for each in log if "event" in each], [])

    def test_wrong(self) -> None:
        """
        A check that can't be made is told when the relay is made.
        """
        self.assertRaises(ModelError, HostRelay, self.pools(check="nosuch"), self.reactor)

    def test_plugin(self) -> None:
        """
        The plugin starts the relay, and names the modules of it.
        """
        [plugin] = getPlugins(IHostRelayPlugin)
        verifyObject(IHostRelayPlugin, plugin)
        for name in plugin.modules:
            import_module(name)
        self.manager = self.pools()
        relay = plugin.start(self.manager, self.reactor)
        self.assertIsInstance(relay, HostRelay)
        self.ended = None
        self.end(relay)

"""
A balancer under a reactor for tests: it opens nothing.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import error as neterror
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txlb._reactor import opensSockets
from txlb.application import LoadBalancedService
from txlb.errors import ListenError
from txlb.manager import proxyManagerFactory
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService, TCPAddress
from txlb.testing import FlowTransport


class MemoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock: Any = MemoryReactorClock()
        self.patch(socket, "socket", NoSocket)
        self.before = set(os.listdir("/proc/self/fd"))

    def balancer(self, *addresses: str, **settings: Any) -> LoadBalancedService:
        hosts = [ProxyHost("a", "10.0.0.1", 80), ProxyHost("b", "unix:/run/b")]
        group = ProxyGroup("main", "roundr", True, hosts, **settings)
        manager = proxyManagerFactory(
            [ProxyService("web", addresses, [group])], seconds=self.clock.seconds
        )
        lbs = LoadBalancedService(manager, self.clock)
        lbs.privilegedStartService()
        lbs.startService()
        self.addCleanup(self.end, lbs)
        return lbs

    def end(self, lbs: LoadBalancedService) -> None:
        stopped = lbs.stopService()
        lbs.abortConnections()
        self.clock.advance(1.0)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.clock.readers, self.clock.writers), (set(), set()))


class NoSocket(socket.socket):
    """
    Nobody gets one.
    """

    def __init__(self, *_arguments: object, **_settings: object) -> None:
        raise AssertionError("a socket is opened")


class ReactorTests(SynchronousTestCase):
    def test_which(self) -> None:
        self.assertTrue(opensSockets(reactor))
        self.assertFalse(opensSockets(MemoryReactorClock()))


class ListeningTests(MemoryCase):
    """
    It listens where the reactor says.
    """

    def test_listens(self) -> None:
        lbs = self.balancer("127.0.0.1:8080", "[::1]:8081", ":8082", "unix:/run/web")
        self.assertEqual(
            [(port, interface) for port, _, _, interface in self.clock.tcpServers],
            [(8080, "127.0.0.1"), (8081, "::1"), (8082, "")],
        )
        ((path, _, _, mode, _),) = self.clock.unixServers
        self.assertEqual((path, mode), ("/run/web", 0o600))
        self.assertEqual(
            [str(*lbs.getProxyService(name).addresses) for name in lbs.getProxyNames()],
            ["127.0.0.1:8080", "[::1]:8081", "*:8082", "unix:/run/web"],
        )
        self.assertEqual(set(os.listdir("/proc/self/fd")), self.before)

    def test_left(self) -> None:
        """
        While it is not to accept, no client gets a protocol.
        """
        lbs = self.balancer("127.0.0.1:8080")
        factory = self.clock.tcpServers[0][1]
        readiness = lbs.engine.readiness
        for accepted in (True, False, True):
            if accepted:
                readiness.release("standby")
            else:
                readiness.hold("standby")
            protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 4711))
            self.assertEqual(protocol is not None, accepted)

    def test_taken(self) -> None:
        """
        What the reactor can't have is told, and nothing is listened on.
        """
        stopped = []

        class Port:
            def getHost(self) -> IPv4Address:
                return IPv4Address("TCP", "127.0.0.1", 1)

            def stopListening(self) -> None:
                stopped.append(self)

        def listenTCP(port: int, *_rest: object, interface: str, **_more: object) -> Any:
            if port == 2:
                raise CannotListenError(interface, port, OSError(98, "Address already in use"))
            return Port()

        self.clock.listenTCP = listenTCP
        group = ProxyGroup("main", enabled=True)
        service = ProxyService("web", ["127.0.0.1:1", "127.0.0.1:2"], [group])
        lbs = LoadBalancedService(proxyManagerFactory([service]), self.clock)
        error = self.assertRaises(ListenError, lbs.privilegedStartService)
        self.assertIn("can't listen on 127.0.0.1:2", str(error))
        self.assertIn("Address already in use", str(error))
        self.assertEqual(len(stopped), 1)

    def test_inherited(self) -> None:
        group = ProxyGroup("main", enabled=True)
        service = ProxyService("web", ["systemd:web"], [group])
        lbs = LoadBalancedService(proxyManagerFactory([service]), self.clock)
        error = self.assertRaises(ListenError, lbs.bind)
        self.assertIn("no sockets of systemd's", str(error))

    def test_notStarted(self) -> None:
        """
        Between listening and starting nobody is accepted, nor after stopping.
        """
        group = ProxyGroup("main", enabled=True)
        service = ProxyService("web", ["127.0.0.1:1"], [group])
        manager = proxyManagerFactory([service], seconds=self.clock.seconds)
        lbs = LoadBalancedService(manager, self.clock)
        lbs.privilegedStartService()
        ((_, factory, _, _),) = self.clock.tcpServers
        peer = IPv4Address("TCP", "192.0.2.1", 5)
        self.assertIsNone(factory.buildProtocol(peer))
        lbs.startService()
        self.assertIsNotNone(factory.buildProtocol(peer))
        self.successResultOf(lbs.stopService())
        self.assertIsNone(factory.buildProtocol(peer))


class ConnectionTests(MemoryCase):
    """
    A client that the reactor has accepted.
    """

    def client(self, transport: Any, server: int = 0) -> Any:
        """
        @return: what serves it.
        """
        factory = self.clock.tcpServers[server][1]
        protocol = factory.buildProtocol(transport.getPeer())
        protocol.makeConnection(transport)
        return protocol

    def accept(self) -> FlowTransport:
        """
        @return: the host's end of the connection that was asked for.
        """
        _, _, factory, _, _ = self.clock.tcpClients.pop()
        return FlowTransport(factory.buildProtocol(None))

    def test_relays(self) -> None:
        self.balancer("127.0.0.1:80")
        client = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 5))
        protocol = self.client(client)
        # A test's transport does not wait to be asked.
        protocol.dataReceived(b"early ")
        self.assertEqual(client.producerState, "paused")
        self.assertEqual(self.clock.tcpClients[0][:2], ("10.0.0.1", 80))
        host = self.accept()
        self.assertEqual(client.producerState, "producing")
        protocol.dataReceived(b"bytes")
        self.assertEqual(host.take(), b"early bytes")
        host.send(b"answer")
        self.assertEqual(client.value(), b"answer")
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(set(os.listdir("/proc/self/fd")), self.before)

    def test_nextHost(self) -> None:
        """
        A host that can't be reached costs the client nothing; the next one is a UNIX
        socket here.
        """
        lbs = self.balancer("127.0.0.1:80")
        client = FlowTransport(self.clientProtocol())
        _, _, factory, _, _ = self.clock.tcpClients.pop()
        refused: Any = neterror.ConnectionRefusedError
        factory.clientConnectionFailed(None, Failure(refused(111, "Connection refused")))
        ((path, factory, _, _),) = self.clock.unixClients
        self.assertEqual(path, "/run/b")
        host = FlowTransport(factory.buildProtocol(None))
        client.send(b"x")
        self.assertEqual(host.take(), b"x")
        self.assertEqual(lbs.manager.getPool("web").getHost("a").stateWord, "down")

    def clientProtocol(self) -> Any:
        return self.clock.tcpServers[0][1].buildProtocol(IPv4Address("TCP", "192.0.2.1", 5))

    def test_clientLeaves(self) -> None:
        """
        One that goes before it has a host is not held against the host.
        """
        lbs = self.balancer("127.0.0.1:80")
        client = FlowTransport(self.clientProtocol())
        client.reset()
        host = self.accept()
        self.assertTrue(host.closed)
        self.assertEqual(lbs.manager.getPool("web").active, 0)
        self.assertEqual(lbs.manager.getPool("web").getHost("a").stateWord, "up")

    def test_noHost(self) -> None:
        lbs = self.balancer("127.0.0.1:80", whenAllDown="close")
        for name in "ab":
            lbs.manager.drain("web", "main", name)
        client = FlowTransport(self.clientProtocol())
        self.assertTrue(client.closed)
        gone = FlowTransport(self.clientProtocol())
        gone.reset()
        self.assertEqual(lbs.manager.getCounters("web").active, 0)

    def test_tooMuchTooEarly(self) -> None:
        """
        A transport that does not hold back what the client sends does not fill the
        memory.
        """
        self.balancer("127.0.0.1:80")
        client = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 5))
        protocol = self.client(client)
        protocol.dataReceived(b"x" * 65_536)
        self.assertFalse(client.disconnecting)
        protocol.dataReceived(b"x")
        self.assertTrue(client.disconnected)

    def test_addresses(self) -> None:
        """
        Clients of all kinds of socket have names, as with sockets of our own.
        """
        lbs = self.balancer("[::1]:80", "unix:/run/web")
        records: list[Any] = []
        lbs.record = records.append
        for factory, host, peer, wanted in (
            (
                self.clock.tcpServers[0][1],
                IPv6Address("TCP", "::1", 80),
                IPv6Address("TCP", "2001:db8::1", 5),
                "[2001:db8::1]:5",
            ),
            (
                self.clock.unixServers[0][1],
                UNIXAddress("/run/web"),
                UNIXAddress(None),
                "unix:/run/web",
            ),
        ):
            client = FlowTransport(factory.buildProtocol(peer), host=host, peer=peer)  # type: ignore[arg-type]
            lbs.abortConnections()
            self.assertTrue(client.closed)
            self.assertEqual(records.pop().client, wanted)


class CheckTests(MemoryCase):
    def test_reactorConnects(self) -> None:
        lbs = self.balancer("127.0.0.1:80", check=HealthCheck("tcp", 1.0))
        self.clock.advance(1.0)
        self.assertEqual(self.clock.tcpClients[0][:2], ("10.0.0.1", 80))
        self.assertEqual(self.clock.unixClients[0][0], "/run/b")
        host = FlowTransport(self.clock.tcpClients[0][2].buildProtocol(None))
        self.assertTrue(host.aborted)
        pool = lbs.manager.getPool("web")
        self.assertEqual(pool.getHost("a").stateWord, "up")
        self.clock.advance(1.1)
        self.assertEqual(pool.getHost("b").stateWord, "going-down")
        self.assertIn("no connection within 1 s", str(pool.getHost("b").health.last))


class AddressTests(SynchronousTestCase):
    def test_port0(self) -> None:
        """
        The port that the reactor chose is told.
        """
        clock: Any = MemoryReactorClock()
        listen = clock.listenTCP
        clock.listenTCP = lambda port, *rest, **more: listen(port or 4711, *rest, **more)
        group = ProxyGroup("main", enabled=True)
        manager = proxyManagerFactory([ProxyService("web", ["127.0.0.1:0"], [group])])
        lbs = LoadBalancedService(manager, clock)
        lbs.bind()
        self.assertEqual(lbs.getProxyService("web").addresses, (TCPAddress("127.0.0.1", 4711),))
        lbs.stopService()

"""
Tests for L{txlb.endpoints._poolendpoint}.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import IHalfCloseableProtocol, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txlb.endpoints import PoolEndpoint
from txlb.errors import NoHostAvailable
from txlb.model import ProxyHost
from txlb.pool import DialLimits, HostPool, Outcome


class Client(Protocol):
    """
    A client that keeps what it gets.
    """

    def __init__(self) -> None:
        self.received = b""
        self.reason: Failure | None = None
        self.made = 0

    def connectionMade(self) -> None:
        """
        Count it.
        """
        self.made += 1

    def dataReceived(self, data: bytes) -> None:
        """
        Keep it.
        """
        self.received += data

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """
        Keep why.
        """
        self.reason = reason


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Client):
    """
    A client that is told of half a close.
    """

    halves = ""

    def readConnectionLost(self) -> None:
        """
        Note it.
        """
        self.halves += "r"

    def writeConnectionLost(self) -> None:
        """
        Note it.
        """
        self.halves += "w"


class Clients(Factory):
    """
    A factory that counts what it is told.
    """

    protocol = Client
    starts = stops = 0

    def startFactory(self) -> None:
        """
        Count it.
        """
        self.starts += 1

    def stopFactory(self) -> None:
        """
        Count it.
        """
        self.stops += 1


class PoolEndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def pool(self, *names: str, **settings: Any) -> HostPool:
        """
        Make a pool of hosts on the reactor's clock.
        """
        hosts = [ProxyHost.at(name, f"192.0.2.{n}:80") for n, name in enumerate(names, 1)]
        return HostPool("roundr", hosts, seconds=self.reactor.seconds, **settings)

    def connect(self, pool: HostPool, **more: Any) -> Deferred[Any]:
        """
        Connect a client.
        """
        self.factory = Clients()
        return PoolEndpoint(pool, self.reactor, **more).connect(self.factory)

    def accept(self) -> tuple[Any, StringTransport]:
        """
        Let the host accept that was connected to last.

        @return: the protocol of the socket, and its transport.
        """
        protocol: Any = self.reactor.tcpClients[-1][2].buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        return protocol, transport

    def refuse(self) -> None:
        """
        Let the host refuse that was connected to last.
        """
        factory: Any = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectError(errno.ECONNREFUSED)))

    def tried(self) -> list[str]:
        """
        The addresses that were connected to.
        """
        return [client[0] for client in self.reactor.tcpClients]

    def test_connection(self) -> None:
        """
        The host is busy while the connection is open, and the bytes count.
        """
        pool = self.pool("a")
        connecting = self.connect(pool)
        self.assertEqual(self.factory.starts, 0)
        socket, transport = self.accept()
        client = self.successResultOf(connecting)
        self.assertIsInstance(client, Client)
        self.assertEqual((client.made, self.factory.starts, pool.active), (1, 1, 1))
        verifyObject(ITransport, client.transport)
        client.transport.write(b"ques")
        client.transport.writeSequence([b"ti", b"on"])
        socket.dataReceived(b"answer")
        self.assertEqual((transport.value(), client.received), (b"question", b"answer"))
        host = pool.getHost("a")
        self.assertEqual((host.counters.bytesIn, host.counters.bytesOut), (8, 6))
        socket.connectionLost(Failure(ConnectionDone()))
        assert client.reason is not None
        self.assertTrue(client.reason.check(ConnectionDone))
        self.assertEqual((pool.active, self.factory.stops), (0, 1))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nextHost(self) -> None:
        """
        A host that refuses is left for the next; the client's protocol is made once.
        """
        pool = self.pool("a", "b")
        connecting = self.connect(pool)
        self.refuse()
        self.assertEqual(self.tried(), ["192.0.2.1", "192.0.2.2"])
        self.accept()
        self.assertEqual(self.successResultOf(connecting).made, 1)
        self.assertEqual([host.active for host in pool.hosts], [0, 1])
        self.assertEqual(pool.getHost("a").stateWord, "down")

    def test_silentHost(self) -> None:
        """
        A host that does not answer is left after C{connectTimeout}.
        """
        pool = self.pool("a", "b")
        connecting = self.connect(pool, limits=DialLimits(connectTimeout=2, dialTimeout=9))
        self.reactor.pump([0.5] * 5)
        self.assertEqual(self.tried(), ["192.0.2.1", "192.0.2.2"])
        self.accept()
        self.assertEqual(self.successResultOf(connecting).made, 1)

    def test_noHost(self) -> None:
        """
        If all refuse, the error says so, and nothing is left behind.
        """
        pool = self.pool("a", "b")
        connecting = self.connect(pool)
        self.refuse()
        self.refuse()
        error = self.failureResultOf(connecting, NoHostAvailable).value
        self.assertIn("no host could be reached: unreachable; the last failure", str(error))
        self.assertEqual((pool.active, self.reactor.getDelayedCalls()), (0, []))

    def test_queue(self) -> None:
        """
        If all hosts are full, the client waits in the group's queue for its time.
        """
        pool = self.pool("a", maxQueue=1, queueTimeout=3)
        pool.changeHost(ProxyHost.at("a", "192.0.2.1:80", maxConnections=1))
        self.connect(pool)
        socket, _ = self.accept()
        second = self.connect(pool)
        self.assertNoResult(second)
        self.assertEqual(pool.snapshot().waiting, 1)
        socket.connectionLost(Failure(ConnectionDone()))
        self.accept()
        self.assertEqual(self.successResultOf(second).made, 1)
        third = self.connect(pool)
        self.reactor.pump([0.5] * 7)
        self.assertIn("queue-timeout", str(self.failureResultOf(third, NoHostAvailable).value))
        fourth = self.connect(pool)
        fourth.cancel()
        self.failureResultOf(fourth, CancelledError)
        self.assertEqual(pool.snapshot().waiting, 0)

    def test_cancelled(self) -> None:
        """
        A connection that is cancelled is no failure of the host's.
        """
        pool = self.pool("a")
        connecting = self.connect(pool)
        connecting.cancel()
        self.failureResultOf(connecting, Exception)
        host = pool.getHost("a")
        self.assertEqual((host.active, host.counters.failures), (0, 0))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_noProtocol(self) -> None:
        """
        A factory that makes no protocol, or raises, leaves nothing behind.
        """
        for make, error in ((lambda _: None, NoProtocol), (lambda _: 1 / 0, ZeroDivisionError)):
            pool = self.pool("a")
            connecting = self.connect(pool)
            self.patch(self.factory, "buildProtocol", make)
            socket, transport = self.accept()
            self.failureResultOf(connecting, error)
            self.assertTrue(transport.disconnecting or transport.disconnected)
            socket.connectionLost(Failure(ConnectionLost()))
            self.assertEqual((pool.active, self.factory.starts), (0, 0))
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_outcomes(self) -> None:
        """
        The end of the connection is the outcome of the work.
        """
        for error, outcome in (
            (ConnectionDone, Outcome.DONE),
            (ConnectionLost, Outcome.HOST_RESET),
        ):
            pool = self.pool("a")
            ends: list[tuple[Outcome | None, bool]] = []
            former = pool.released

            def released(lease: Any, former: Any = former, ends: list[Any] = ends) -> None:
                former(lease)
                ends.append((lease.outcome, lease.hostFirst))

            self.patch(pool, "released", released)
            for closed in (False, True):
                client = self.connect(pool)
                socket, _ = self.accept()
                if closed:
                    self.successResultOf(client).transport.loseConnection()
                socket.connectionLost(Failure(error()))
            self.assertEqual(ends, [(outcome, True), (outcome, False)])

    def test_removedByForce(self) -> None:
        """
        The connections of a host that is removed by force are reset, others are not.
        """
        pool = self.pool("a", "b")
        first = self.connect(pool)
        socket, transport = self.accept()
        self.connect(pool)
        other = self.accept()[1]
        host = pool.removeHost("a", force=True)
        self.assertTrue(transport.disconnected or transport.disconnecting)
        self.assertFalse(other.disconnecting)
        socket.connectionLost(Failure(ConnectionLost()))
        self.assertIsNotNone(self.successResultOf(first).reason)
        self.assertEqual((host.active, pool.active), (0, 1))

    def test_drained(self) -> None:
        """
        So are those of a host whose time to drain is over.
        """
        pool = self.pool("a", "b")
        self.connect(pool)
        transport = self.accept()[1]
        pool.setState("a", "drain", self.reactor.seconds() + 5)
        self.reactor.pump([0.5] * 9)
        self.assertFalse(transport.disconnecting)
        self.reactor.pump([0.5] * 2)
        self.assertTrue(transport.disconnecting or transport.disconnected)

    def test_comesBack(self) -> None:
        """
        A host that is down is tried again after its time, also if the endpoint was not
        in use meanwhile.
        """
        pool = self.pool("a", "b")
        self.connect(pool)
        self.refuse()
        socket = self.accept()[0]
        socket.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.advance(1.5)
        self.connect(pool)
        self.assertEqual(pool.getHost("a").stateWord, "due")

    def test_halfClose(self) -> None:
        """
        A protocol that asks for it is told of half a close. For another one the
        connection closes, as with Twisted's own endpoints.
        """
        pool = self.pool("a")
        connecting = self.connect(pool)
        self.patch(self.factory, "protocol", HalfCloseable)
        socket, transport = self.accept()
        client = self.successResultOf(connecting)
        wrapper = client.transport
        wrapper.readConnectionLost()
        wrapper.writeConnectionLost()
        self.assertEqual((client.halves, transport.disconnecting), ("rw", False))
        connecting = self.connect(pool)
        socket, transport = self.accept()
        wrapper = self.successResultOf(connecting).transport
        wrapper.writeConnectionLost()
        self.assertFalse(transport.disconnecting)
        wrapper.readConnectionLost()
        self.assertTrue(transport.disconnecting)
        socket.connectionLost(Failure(ConnectionDone()))

"""
What the portable relay does where the system, a policy or Twisted lets it down.
What it does in general is in the contract.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, ClassVar

from twisted.internet import error as neterror
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure as TwistedFailure

from tests.proxy.fakes import ReactorCase, accepted
from tests.proxy.fast.stage import reset
from txlb.model import ProxyHost
from txlb.pool import (
    Attempt,
    DialLimits,
    FailureKind,
    GaveUpReason,
    HostPool,
    Outcome,
    PassiveState,
)
from txlb.proxy import PortableRelay, Relayed, Timeouts, _portableconnection
from txlb.proxy._socketendpoint import SocketEndpoint


def deaf(*_arguments: object) -> None:
    raise ValueError("it was told")


class FakeEndpoint:
    """
    Connects when the test says so.

    @ivar made: all of them, in order.
    """

    made: ClassVar[list[FakeEndpoint]] = []

    def __init__(self, reactor: object, address: object) -> None:
        self.made.append(self)
        self.cancelled = False

    def connect(self, factory: Any) -> Deferred[Any]:
        self.protocol = factory.buildProtocol(None)
        self.done: Deferred[Any] = Deferred(self._cancel)
        return self.done

    def _cancel(self, deferred: Deferred[Any]) -> None:
        self.cancelled = True


class HostTransport(StringTransport):
    """
    A host's side that is closed as soon as it is told.
    """

    waiting = 0

    def __init__(self) -> None:
        super().__init__(
            IPv4Address("TCP", "127.0.0.1", 40000), IPv4Address("TCP", "127.0.0.1", 7001)
        )
        self.aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        assert self.protocol is not None
        self.protocol.connectionLost(TwistedFailure(neterror.ConnectionAborted()))

    protocol: Any = None

    def unregisterProducer(self) -> None:
        """
        As Twisted's own transports, which don't mind where there is none.
        """


def broken(*_: object) -> None:
    """
    Stands for what can't be made.
    """
    raise RuntimeError("no transport")


class ConnectionTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.ended: list[Relayed] = []
        self.relay = PortableRelay(self.reactor, self.deadlines, Timeouts(), self.ended.append)
        FakeEndpoint.made.clear()
        endpoint: Any = FakeEndpoint
        self.relay.makeEndpoint = endpoint

    def pool(self, scheduler: Any = "roundr", *addresses: str) -> HostPool:
        hosts = [
            ProxyHost.at(f"h{n}", address)
            for n, address in enumerate(addresses or ("127.0.0.1:7001", "127.0.0.1:7002"))
        ]
        return HostPool(scheduler, hosts, seconds=self.reactor.seconds)

    def start(self, pool: HostPool, limits: DialLimits | None = None) -> socket.socket:
        """
        @return: the client's end of a connection that the relay got.
        """
        ours, theirs = self.pair()
        step = pool.dial(("192.0.2.7", 1), limits).start()
        assert isinstance(step, Attempt)
        self.relay.start(accepted(ours.detach()), step)
        return theirs

    def connectHost(self) -> HostTransport:
        """
        The host that is tried now can be reached.
        """
        transport = HostTransport()
        endpoint = FakeEndpoint.made[-1]
        transport.protocol = endpoint.protocol
        endpoint.protocol.makeConnection(transport)
        endpoint.done.callback(endpoint.protocol)
        return transport

    def refuse(self) -> None:
        """
        The host that is tried now refuses.
        """
        reason = neterror.ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        FakeEndpoint.made[-1].done.errback(TwistedFailure(reason))

    def result(self, client: socket.socket, pool: HostPool) -> Relayed:
        """
        @return: the one result, after which nothing is held any more.
        """
        [result] = self.ended
        self.assertEqual(client.recv(1), b"")
        self.assertEqual(self.relay.connectionCount(), 0)
        self.assertEqual(pool.active, 0)
        self.assertEqual(len(self.deadlines), 0)
        return result

    def test_poolRaises(self) -> None:
        """
        A pool that raises when the next host is wanted ends the search.
        """
        pool = self.pool()
        client = self.start(pool)
        self.patch(pool, "claim", deaf)
        self.refuse()
        result = self.result(client, pool)
        assert result.gaveUp is not None
        self.assertIs(result.gaveUp.reason, GaveUpReason.LOCAL)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_poolIsDeaf(self) -> None:
        """
        If a pool raises when it is told of the connection, both sides are
        closed and nothing is held.
        """
        pool = self.pool()
        client = self.start(pool)
        self.patch(pool, "reportConnected", deaf)
        transport = self.connectHost()
        self.assertTrue(transport.aborted)
        result = self.result(client, pool)
        assert result.lease is not None
        self.assertIs(result.lease.outcome, Outcome.ERROR)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_clientGone(self) -> None:
        """
        A client that is gone when its host has been reached is recorded as
        that, and the host is not kept waiting.
        """
        pool = self.pool()
        ours, theirs = self.tcpPair()
        step = pool.dial(("192.0.2.7", 1)).start()
        assert isinstance(step, Attempt)
        self.relay.start(accepted(ours.detach()), step)
        reset(theirs)
        transport = self.connectHost()
        [reader] = self.reactor.getReaders()
        lost: Any = reader.doRead()
        reader.connectionLost(TwistedFailure(lost))
        self.assertTrue(transport.aborted)
        [result] = self.ended
        assert result.lease is not None
        self.assertIs(result.lease.outcome, Outcome.CLIENT_RESET)
        self.assertEqual((pool.active, self.reactor.getReaders()), (0, []))

    def test_clientBreaks(self) -> None:
        """
        Any trouble with the client's side is logged, and ends both.
        """
        self.patch(_portableconnection, "SocketTransport", broken)
        pool = self.pool()
        client = self.start(pool)
        transport = self.connectHost()
        self.assertTrue(transport.aborted)
        result = self.result(client, pool)
        assert result.lease is not None
        self.assertIs(result.lease.outcome, Outcome.ERROR)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_unexpected(self) -> None:
        """
        Where connecting breaks in a way that nobody foresaw, that is logged as
        our own fault, and no host is marked for it.
        """

        def getHost() -> IPv4Address:
            raise RuntimeError("no address")

        pool = self.pool()
        client = self.start(pool)
        transport = HostTransport()
        self.patch(transport, "getHost", getHost)
        endpoint = FakeEndpoint.made[-1]
        transport.protocol = endpoint.protocol
        endpoint.protocol.makeConnection(transport)
        endpoint.done.callback(endpoint.protocol)
        result = self.result(client, pool)
        assert result.gaveUp is not None
        assert result.gaveUp.failure is not None
        self.assertIs(result.gaveUp.failure.kind, FailureKind.LOCAL)
        self.assertEqual({host.passive.state for host in pool.hosts}, {PassiveState.UP})
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_abortWhileConnecting(self) -> None:
        """
        A connection that is aborted while its host is looked for is over, once,
        without a verdict on the host.
        """
        pool = self.pool()
        client = self.start(pool)
        [connection] = self.relay._connections
        self.relay.abortAll()
        connection.abort()
        result = self.result(client, pool)
        self.assertEqual((result.lease, result.gaveUp), (None, None))
        self.assertTrue(FakeEndpoint.made[-1].cancelled)
        self.assertEqual({host.passive.state for host in pool.hosts}, {PassiveState.UP})

    def test_manyThatFailAtOnce(self) -> None:
        """
        A hundred other hosts may be tried, though each fails within the same
        turn.
        """
        self.relay.makeEndpoint = SocketEndpoint
        folder = os.path.dirname(self.socketPath())
        pool = self.pool("roundr", *(f"unix:{folder}/{n}" for n in range(101)))
        client = self.start(pool, DialLimits(retries=100))
        result = self.result(client, pool)
        assert result.gaveUp is not None
        self.assertIs(result.gaveUp.reason, GaveUpReason.UNREACHABLE)
        self.assertEqual(result.dial.tries, 101)

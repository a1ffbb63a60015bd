"""
Tests for L{txlb.proxy._connect}.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet import error as neterror
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure as TwistedFailure

from tests.proxy.fakes import ReactorCase
from txlb.connecting import NO_PORTS, PortPauses
from txlb.model import Address, ProxyHost, TCPAddress, UNIXAddress
from txlb.pool import Attempt, DialLimits, Failure, FailureKind, HostPool
from txlb.proxy import ConnectFailed, connectTo


class Connected(StringTransport):
    """
    A transport that says which addresses it is between.
    """

    def __init__(self, host: int, peer: int) -> None:
        super().__init__(
            IPv4Address("TCP", "127.0.0.1", host), IPv4Address("TCP", "127.0.0.1", peer)
        )
        self.aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class ConnectToTests(ReactorCase):
    def attempt(self, address: Address) -> Attempt:
        pool = HostPool("leastc", [ProxyHost.at("a", address)], seconds=self.reactor.seconds)
        step = pool.dial(None, DialLimits(connectTimeout=5)).start()
        assert isinstance(step, Attempt)
        return step

    def connecting(self) -> tuple[Deferred[IProtocol], Protocol, Any, Any]:
        """
        @return: what fires, the protocol, and the factory and connector of the
            reactor.
        """
        protocol = Protocol()
        attempt = self.attempt(TCPAddress("127.0.0.1", 7001))
        connecting = connectTo(self.reactor, self.deadlines, attempt, protocol)
        host, port, factory, *_ = self.reactor.tcpClients[-1]
        self.assertEqual((host, port), ("127.0.0.1", 7001))
        return connecting, protocol, factory, self.reactor.connectors[-1]

    def failureOf(self, connecting: Deferred[IProtocol]) -> Failure:
        error = self.failureResultOf(connecting, ConnectFailed).value
        self.assertEqual(len(self.deadlines), 0)
        assert isinstance(error, ConnectFailed)
        self.assertEqual(str(error), str(error.failure))
        return error.failure

    def test_connected(self) -> None:
        """
        It fires with the protocol, and no deadline waits any more.
        """
        connecting, protocol, factory, _ = self.connecting()
        self.assertNoResult(connecting)
        factory.buildProtocol(None).makeConnection(Connected(40000, 7001))
        self.assertIs(self.successResultOf(connecting), protocol)
        self.assertEqual(len(self.deadlines), 0)

    def test_refused(self) -> None:
        """
        A refusal fails with what it means.
        """
        connecting, _, factory, connector = self.connecting()
        reason = neterror.ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        factory.clientConnectionFailed(connector, TwistedFailure(reason))
        self.assertIs(self.failureOf(connecting).kind, FailureKind.REFUSED)

    def test_deadline(self) -> None:
        """
        At the attempt's deadline the search for an answer ends, and the reactor
        is told to connect no more.
        """
        connecting, _, _, connector = self.connecting()
        self.reactor.advance(4.5)
        self.assertNoResult(connecting)
        self.reactor.advance(0.5)
        failure = self.failureOf(connecting)
        self.assertEqual(failure, Failure(FailureKind.TIMEOUT, "no answer in time"))
        self.assertTrue(connector.stoppedConnecting)

    def test_cancelled(self) -> None:
        """
        Whoever cancels it hears that, which says nothing about the host.
        """
        connecting, _, _, connector = self.connecting()
        connecting.cancel()
        self.failureResultOf(connecting, neterror.ConnectingCancelledError)
        self.assertTrue(connector.stoppedConnecting)

    def test_itself(self) -> None:
        """
        A socket that is connected to itself has found nobody, and is closed so
        that the port is free for the host.
        """
        connecting, _, factory, _ = self.connecting()
        transport = Connected(7001, 7001)
        factory.buildProtocol(None).makeConnection(transport)
        self.assertIs(self.failureOf(connecting).kind, FailureKind.REFUSED)
        self.assertTrue(transport.aborted)

    def test_UNIX(self) -> None:
        """
        What the UNIX endpoint says is passed on as it is.
        """
        attempt = self.attempt(UNIXAddress(self.socketPath()))
        connecting = connectTo(self.reactor, self.deadlines, attempt, Protocol())
        failure = self.failureOf(connecting)
        self.assertEqual(failure, Failure(FailureKind.REFUSED, "there is no such socket"))

    def test_noPorts(self) -> None:
        """
        Towards an address for which no local port is left nothing is begun for a
        tenth of a second; other addresses don't mind.
        """
        pauses = PortPauses(self.reactor.seconds)
        attempts = [self.attempt(TCPAddress("127.0.0.1", port)) for port in (7001, 7002)]

        def connect(which: int) -> Deferred[IProtocol]:
            return connectTo(self.reactor, self.deadlines, attempts[which], Protocol(), pauses)

        connecting = connect(0)
        reason = neterror.ConnectError(errno.EADDRNOTAVAIL, "none left")
        factory, connector = self.reactor.tcpClients[-1][2], self.reactor.connectors[-1]
        factory.clientConnectionFailed(connector, TwistedFailure(reason))
        self.assertEqual(self.failureOf(connecting), NO_PORTS)
        for _ in range(10):
            self.assertEqual(self.failureOf(connect(0)), NO_PORTS)
        self.assertEqual(len(self.reactor.tcpClients), 1)
        connect(1).addErrback(lambda _: None)
        self.assertEqual(len(self.reactor.tcpClients), 2)
        self.reactor.advance(0.2)
        connect(0).addErrback(lambda _: None)
        self.assertEqual(len(self.reactor.tcpClients), 3)

    def test_otherError(self) -> None:
        """
        Anything else that an endpoint says is a failure to reach the host.
        """
        connecting, _, factory, connector = self.connecting()
        factory.clientConnectionFailed(connector, TwistedFailure(CancelledError()))
        self.assertIs(self.failureOf(connecting).kind, FailureKind.UNREACHABLE)

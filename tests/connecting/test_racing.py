"""
Tests for L{txlb.connecting._racing}.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet import error as neterror
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure as TwistedFailure
from zope.interface.verify import verifyObject

from tests.proxy.fakes import ReactorCase
from txlb.connecting import (
    NO_PORTS,
    ConnectFailed,
    OneProtocolFactory,
    PortPauses,
    RacingEndpoint,
)
from txlb.connecting._racing import _FirstOnly
from txlb.model import TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind

ADDRESSES = [TCPAddress("::1", 80), TCPAddress("127.0.0.1", 80), TCPAddress("127.0.0.2", 80)]


class Transport(StringTransport):
    """
    A connection that says whether it was aborted.
    """

    def __init__(self, ownPort: int = 40000) -> None:
        super().__init__(
            IPv4Address("TCP", "127.0.0.1", ownPort), IPv4Address("TCP", "127.0.0.1", 80)
        )
        self.aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class RacingTests(ReactorCase):
    def begin(
        self, *addresses: TCPAddress | UNIXAddress, pauses: PortPauses | None = None
    ) -> Deferred[IProtocol]:
        self.protocol = Protocol()
        self.endpoint = RacingEndpoint(
            self.reactor, self.deadlines, addresses or ADDRESSES, 5.0, 10.0, pauses
        )
        return self.endpoint.connect(OneProtocolFactory(self.protocol))

    def tried(self) -> list[tuple[str, int]]:
        return [(host, port) for host, port, *_ in self.reactor.tcpClients]

    def connected(self, which: int, transport: Transport | None = None) -> Any:
        """
        @return: the protocol that is built for a connection that is established.
        """
        factory: Any = self.reactor.tcpClients[which][2]
        protocol = factory.buildProtocol(None)
        if protocol is not None:
            protocol.makeConnection(transport or Transport())
        return protocol

    def refused(self, which: int, number: int = errno.ECONNREFUSED) -> None:
        factory: Any = self.reactor.tcpClients[which][2]
        reason = TwistedFailure(neterror.ConnectError(number, "no"))
        factory.clientConnectionFailed(self.reactor.connectors[which], reason)

    def wait(self, seconds: float) -> None:
        self.reactor.pump([0.01] * round(seconds * 100))

    def test_interface(self) -> None:
        """
        It is an endpoint.
        """
        self.begin().addErrback(lambda _: None)
        verifyObject(IStreamClientEndpoint, self.endpoint)

    def test_second(self) -> None:
        """
        The second address is tried beside the first, and the first to answer is used;
        the others are stopped.
        """
        connecting = self.begin()
        self.assertEqual(self.tried(), [("::1", 80)])
        self.wait(0.3)
        self.assertEqual(self.tried(), [("::1", 80), ("127.0.0.1", 80)])
        self.assertNoResult(connecting)
        self.connected(1)
        self.assertIs(self.successResultOf(connecting), self.protocol)
        self.assertEqual(self.endpoint.reached, ADDRESSES[1])
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.assertEqual(len(self.deadlines), 0)

    def test_first(self) -> None:
        """
        The first address alone is tried if it answers soon.
        """
        connecting = self.begin()
        self.wait(0.1)
        self.connected(0)
        self.assertIs(self.successResultOf(connecting), self.protocol)
        self.assertEqual((self.endpoint.reached, len(self.tried())), (ADDRESSES[0], 1))
        self.wait(1)
        self.assertEqual(len(self.tried()), 1)

    def test_refused(self) -> None:
        """
        If all refuse, that is what it fails with.
        """
        connecting = self.begin()
        for which in range(3):
            self.refused(which)
        error = self.failureResultOf(connecting, ConnectFailed).value
        assert isinstance(error, ConnectFailed)
        self.assertIs(error.failure.kind, FailureKind.REFUSED)
        self.assertTrue(error.failure.detail.startswith("[::1]:80: connection refused; "))
        self.assertEqual(len(self.deadlines), 0)

    def test_timeout(self) -> None:
        """
        If none answers it fails with that, and connects no more.
        """
        connecting = self.begin()
        self.wait(6)
        error = self.failureResultOf(connecting, ConnectFailed).value
        assert isinstance(error, ConnectFailed)
        self.assertIs(error.failure.kind, FailureKind.TIMEOUT)
        self.assertTrue(all(each.stoppedConnecting for each in self.reactor.connectors))

    def test_cancelled(self) -> None:
        """
        Cancelled, it connects nowhere any more.
        """
        connecting = self.begin()
        self.wait(0.3)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual([each.stoppedConnecting for each in self.reactor.connectors], [True] * 2)
        self.assertEqual(len(self.deadlines), 0)

    def test_noPorts(self) -> None:
        """
        An address for which no local port is left is passed over for a moment.
        """
        pauses = PortPauses(self.reactor.seconds)
        for _ in range(3):
            connecting = self.begin(*ADDRESSES[1:], pauses=pauses)
            if ("127.0.0.1", 80) in self.tried():
                self.refused(0, errno.EADDRNOTAVAIL)
            self.connected(-1)
            self.assertIs(self.successResultOf(connecting), self.protocol)
            self.assertEqual(self.tried()[-1], ("127.0.0.2", 80))
            self.reactor.tcpClients.clear()
            self.reactor.connectors.clear()
        pauses.begin(ADDRESSES[2])
        error = self.failureResultOf(self.begin(*ADDRESSES[1:], pauses=pauses)).value
        assert isinstance(error, ConnectFailed)
        self.assertIs(error.failure.kind, FailureKind.PORTS)
        self.assertIn(NO_PORTS.detail, error.failure.detail)

    def test_itself(self) -> None:
        """
        A socket that is connected to itself has found no host. That ends it, as the
        protocol has been used up.
        """
        connecting = self.begin(*ADDRESSES[1:])
        transport = Transport(80)
        self.connected(0, transport)
        error = self.failureResultOf(connecting, ConnectFailed).value
        assert isinstance(error, ConnectFailed)
        self.assertEqual(error.failure, Failure(FailureKind.REFUSED, "connected to itself"))
        self.assertTrue(transport.aborted)

    def test_atOnce(self) -> None:
        """
        What fails within the call is followed by the next within the call.
        """
        missing = UNIXAddress(self.socketPath())
        connecting = self.begin(missing, ADDRESSES[1])
        self.assertEqual(self.tried(), [("127.0.0.1", 80)])
        self.connected(0)
        self.assertIs(self.successResultOf(connecting), self.protocol)
        error = self.failureResultOf(self.begin(missing, UNIXAddress("/no/such"))).value
        assert isinstance(error, ConnectFailed)
        self.assertEqual(error.failure.detail.count("there is no such socket"), 2)

    def test_oneProtocol(self) -> None:
        """
        A second connection gets no protocol, should there be one, and so is closed.
        """
        factory = _FirstOnly(OneProtocolFactory(Protocol()))
        self.assertIsNotNone(factory.buildProtocol(None))
        self.assertIsNone(factory.buildProtocol(None))

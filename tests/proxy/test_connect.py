"""
Tests for L{txlb.proxy._connect}.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import error as neterror
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure as TwistedFailure

from tests.proxy.fakes import ReactorCase, closeAll
from txlb.model import Address, ProxyHost, TCPAddress, UNIXAddress
from txlb.pool import Attempt, DialLimits, Failure, FailureKind, HostPool
from txlb.proxy import connectTo, endpointOf
from txlb.proxy._connect import ConnectFailed, OneProtocolFactory, failureFrom, failureOf

#: What each error of the system means that does not just mean that the host
#: can't be reached.
MEANINGS = {
    "ECONNREFUSED": FailureKind.REFUSED,
    "ECONNRESET": FailureKind.REFUSED,
    "ENOENT": FailureKind.REFUSED,
    "ETIMEDOUT": FailureKind.TIMEOUT,
    "EAGAIN": FailureKind.BUSY,
    "EMFILE": FailureKind.LOCAL,
    "ENFILE": FailureKind.LOCAL,
    "EADDRNOTAVAIL": FailureKind.LOCAL,
    "ENOBUFS": FailureKind.LOCAL,
    "ENOMEM": FailureKind.LOCAL,
}


class MeaningTests(ReactorCase):
    def test_everyNumber(self) -> None:
        """
        Each error that the system knows has its meaning and its words; those
        that are nobody's in particular mean that the host can't be reached.
        """
        for number, name in errno.errorcode.items():
            failure = failureOf(number)
            self.assertIs(failure.kind, MEANINGS.get(name, FailureKind.UNREACHABLE), name)
            self.assertEqual(failure.detail, os.strerror(number))

    def test_everyConnectError(self) -> None:
        """
        As Twisted wraps them they mean the same.
        """
        for number in errno.errorcode:
            wrapped = neterror.getConnectError((number, os.strerror(number)))
            self.assertEqual(failureFrom(TwistedFailure(wrapped)), failureOf(number))

    def test_noNumber(self) -> None:
        """
        Twisted's own time-out means a time-out, and anything else that the host
        can't be reached, in its words.
        """
        timeout = failureFrom(TwistedFailure(neterror.TimeoutError()))
        self.assertIs(timeout.kind, FailureKind.TIMEOUT)
        other = failureFrom(TwistedFailure(RuntimeError("strange")))
        self.assertEqual(other, Failure(FailureKind.UNREACHABLE, "strange"))
        unknown = failureFrom(TwistedFailure(neterror.DNSLookupError("no name")))
        self.assertIs(unknown.kind, FailureKind.UNREACHABLE)

    def test_unknownNumber(self) -> None:
        """
        A number that is no error is not taken for one.
        """
        wrapped = neterror.ConnectError(123456, "odd")
        self.assertIs(failureFrom(TwistedFailure(wrapped)).kind, FailureKind.UNREACHABLE)


class EndpointTests(ReactorCase):
    def test_kinds(self) -> None:
        """
        An address gets the endpoint of its kind.
        """
        four = endpointOf(self.reactor, TCPAddress("127.0.0.1", 80))
        self.assertIsInstance(four, TCP4ClientEndpoint)
        six = endpointOf(self.reactor, TCPAddress("::1", 80))
        self.assertIsInstance(six, TCP6ClientEndpoint)

    def test_noTimeout(self) -> None:
        """
        Twisted's own timeout, which goes by the wall clock, is not used.
        """
        endpointOf(self.reactor, TCPAddress("127.0.0.1", 80)).connect(
            OneProtocolFactory(Protocol())
        )
        [(_, _, _, timeout, _)] = self.reactor.tcpClients
        self.assertIsNone(timeout)

    def test_quiet(self) -> None:
        """
        A connection writes no line of Twisted's into the log.
        """
        self.assertFalse(OneProtocolFactory(Protocol()).noisy)


class UNIXTests(ReactorCase):
    def failed(self, path: str) -> Failure:
        """
        @return: why connecting failed, after which no descriptor is left open.
        """
        before = set(os.listdir("/proc/self/fd"))
        connecting = endpointOf(self.reactor, UNIXAddress(path)).connect(
            OneProtocolFactory(Protocol())
        )
        error = self.failureResultOf(connecting, ConnectFailed).value
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        failure = error.failure
        assert isinstance(failure, Failure)
        return failure

    def listen(self, backlog: int = 5) -> tuple[str, socket.socket]:
        path = self.socketPath()
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen(backlog)
        return path, listener

    def test_connected(self) -> None:
        """
        The reactor gets a connected, non-blocking socket and the protocol.
        """
        path, listener = self.listen()
        protocol = Protocol()
        connecting = endpointOf(self.reactor, UNIXAddress(path)).connect(
            OneProtocolFactory(protocol)
        )
        self.assertIs(self.successResultOf(connecting), protocol)
        [(fd, family, factory)] = self.reactor.adopted
        self.assertEqual(family, socket.AF_UNIX)
        self.assertIs(factory.buildProtocol(None), protocol)
        peer, _ = listener.accept()
        with peer:
            os.write(fd, b"hello")
            self.assertEqual(peer.recv(10), b"hello")

    def test_missing(self) -> None:
        """
        No file means that nobody listens.
        """
        self.assertIs(self.failed(self.socketPath()).kind, FailureKind.REFUSED)

    def test_dead(self) -> None:
        """
        Nor does anybody where its listener has died.
        """
        path, listener = self.listen()
        listener.close()
        self.assertIs(self.failed(path).kind, FailureKind.REFUSED)

    def test_backlogFull(self) -> None:
        """
        A host that does not keep up with its backlog is busy, which is known at
        once; no event would follow.
        """
        path, _ = self.listen(backlog=0)
        waiting: list[socket.socket] = []
        self.addCleanup(closeAll, waiting)
        for _ in range(10):
            sock = socket.socket(socket.AF_UNIX)
            waiting.append(sock)
            sock.setblocking(False)
            if sock.connect_ex(path) == errno.EAGAIN:
                break
        self.assertIs(self.failed(path).kind, FailureKind.BUSY)

    def test_noDescriptor(self) -> None:
        """
        Our own want of descriptors is not the host's fault.
        """
        path, _ = self.listen()
        self.reactor.adoptionError = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.assertIs(self.failed(path).kind, FailureKind.LOCAL)


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
        self.assertEqual(failure, Failure(FailureKind.REFUSED, os.strerror(errno.ENOENT)))

    def test_otherError(self) -> None:
        """
        Anything else that an endpoint says is a failure to reach the host.
        """
        connecting, _, factory, connector = self.connecting()
        factory.clientConnectionFailed(connector, TwistedFailure(CancelledError()))
        self.assertIs(self.failureOf(connecting).kind, FailureKind.UNREACHABLE)

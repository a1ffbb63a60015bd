"""
Tests for L{txlb.connecting._endpoint}.
"""

from __future__ import annotations

import errno
import os
import socket
from unittest import mock

from twisted.internet import error as neterror
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure as TwistedFailure
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import ReactorCase, closeAll
from txlb.connecting import (
    ConnectFailed,
    OneProtocolFactory,
    endpointOf,
    failureFrom,
    failureOf,
)
from txlb.model import TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind


class ReasonTests(SynchronousTestCase):
    """
    What Twisted says of why it did not connect.
    """

    def test_everyConnectError(self) -> None:
        """
        As Twisted wraps errors of the system they mean the same.
        """
        address = TCPAddress("127.0.0.1", 80)
        for number in errno.errorcode:
            wrapped = neterror.getConnectError((number, os.strerror(number)))
            reason = TwistedFailure(wrapped)
            self.assertEqual(failureFrom(reason, address), failureOf(number, address))

    def test_noSocket(self) -> None:
        """
        So does an error that is not wrapped at all.
        """
        for number in (errno.EAFNOSUPPORT, errno.EMFILE):
            reason = TwistedFailure(OSError(number, os.strerror(number)))
            self.assertEqual(failureFrom(reason), failureOf(number))

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

    def test_zone(self) -> None:
        """
        A link-local address is connected to with the number that its interface has
        then. One whose interface is gone fails, and it is said why.
        """
        endpoint = endpointOf(self.reactor, TCPAddress("fe80::1%wg0", 80))
        for number in (5, 9):
            with mock.patch("socket.if_nametoindex", return_value=number):
                endpoint.connect(OneProtocolFactory(Protocol()))
        clients = self.reactor.tcpClients
        self.assertEqual([each[:2] for each in clients], [("fe80::1%5", 80), ("fe80::1%9", 80)])
        error = self.failureResultOf(endpoint.connect(OneProtocolFactory(Protocol()))).value
        self.assertEqual(
            error.failure,
            Failure(FailureKind.UNREACHABLE, "this machine has no network interface wg0"),
        )

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

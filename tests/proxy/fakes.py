"""
What stands in for the reactor, the relay and the network in these tests.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.model import Listener
from txlb.pool import Attempt, Host, Outcome, Waiting
from txlb.proxy import ClientConnection


class FakeReactor(MemoryReactorClock):
    """
    Watches nothing by itself: a test says who can read.

    @ivar adopted: what descriptors were given to it with which factory.
    @ivar adoptionError: what it raises instead of taking one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.adopted: list[tuple[int, int, Any]] = []
        self.adoptionError: OSError | None = None

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Any) -> None:
        if self.adoptionError is not None:
            raise self.adoptionError
        self.adopted.append((os.dup(fileDescriptor), addressFamily, factory))

    def callFromThread(self, function: Any, *args: Any) -> None:
        self.callLater(0, function, *args)

    def readable(self) -> None:
        """
        Everything that is watched for reading gets one turn.
        """
        for reader in self.getReaders():
            reader.doRead()

    def closeAdopted(self) -> None:
        for fd, _, _ in self.adopted:
            os.close(fd)
        self.adopted.clear()


@implementer(IRelay)
class FakeRelay:
    """
    Takes connections and keeps them.

    @ivar started: the client's socket, the attempt, and what goes first to
        the host and to the client, of each connection.
    """

    name = "fake"

    def __init__(self) -> None:
        self.started: list[tuple[socket.socket, Any, bytes, bytes]] = []
        self.areUNIX: list[bool] = []
        self.aborted = 0
        self.noted = 0
        self.left: list[tuple[Host, Outcome]] = []

    def start(
        self,
        client: ClientConnection,
        attempt: Attempt | Waiting,
        toHost: bytes = b"",
        toClient: bytes = b"",
        header: bytes = b"",
    ) -> None:
        self.started.append((socket.socket(fileno=client.fd), attempt, header + toHost, toClient))
        self.areUNIX.append(client.isUNIX)

    def connectionCount(self) -> int:
        return len(self.started)

    def clientAddrs(self) -> list[object]:
        return [attempt.dial.clientAddr for _, attempt, _, _ in self.started]

    def abortAll(self) -> None:
        self.aborted += 1

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        self.left.append((host, outcome))

    def trackConnections(self) -> None:
        self.noted += 1

    def close(self) -> None:
        for sock, _, _, _ in self.started:
            sock.close()


def accepted(fd: int, peer: object = ("192.0.2.7", 4711)) -> ClientConnection:
    """
    @return: a connection that a listener has accepted.
    """
    return ClientConnection(fd, peer, Listener("127.0.0.1:80"))


class ReactorCase(SynchronousTestCase):
    """
    A test with a reactor of its own that only it moves on.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.deadlines = Deadlines(self.reactor, self.reactor.seconds)
        self.addCleanup(self.reactor.closeAdopted)
        self.addCleanup(self.deadlines.stop)

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """
        @return: our end, non-blocking, and the peer's.
        """
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        ours.setblocking(False)
        theirs.settimeout(10)
        return ours, theirs

    def tcpPair(self, host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """
        @return: the end that was accepted, non-blocking, and the client's.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as listener:
            listener.bind((host, 0))
            listener.listen(1)
            theirs = socket.create_connection(listener.getsockname()[:2], timeout=10)
            self.addCleanup(theirs.close)
            ours, _ = listener.accept()
        self.addCleanup(ours.close)
        ours.setblocking(False)
        return ours, theirs

    def connect(self, address: tuple[str, int] | str) -> socket.socket:
        """
        @return: a client of a listener.
        """
        if isinstance(address, str):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(10)
            client.connect(address)
        else:
            client = socket.create_connection(address, timeout=10)
        self.addCleanup(client.close)
        return client

    def socketPath(self, name: str = "socket") -> str:
        """
        @return: a path that is short enough for a socket, in a new folder.
        """
        folder = self.mktemp()
        os.makedirs(folder)
        # Relative, as a path of trial's own may be too long.
        return os.path.join(os.path.relpath(folder), name)


def logOf(case: SynchronousTestCase) -> EventLoggingObserver:
    """
    @return: what is logged from now to the end of the test.
    """
    observer = EventLoggingObserver()
    globalLogPublisher.addObserver(observer)
    case.addCleanup(globalLogPublisher.removeObserver, observer)
    return observer


def closeAll(sockets: Iterable[socket.socket]) -> None:
    """
    Close sockets, those that are added until this is called too.
    """
    for sock in sockets:
        sock.close()


def takesIPv6() -> bool:
    """
    Whether this machine has the loopback address of IPv6.
    """
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True

"""
A loop that a test turns by hand, with real sockets on the loopback.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import socket
import struct
import sys
import tempfile
import termios
import time
from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import accepted
from txlb.deadlines import Deadlines
from txlb.model import ProxyHost
from txlb.pool import Attempt, DialLimits, HostPool, Outcome
from txlb.proxy import Relayed, Timeouts, setStreamOptions
from txlb.proxy.fast import FastRelay, Loop
from txlb.proxy.fast._connection import Connection
from txlb.proxy.fast._hosting import BATCHES
from txlb.proxy.fast._pipes import PipePool
from txlb.testing._stage import openSockets

#: Turns without anything new after which nothing more will come.
QUIET = 3

#: Turns that any step may take.
TURNS = 20_000

#: What hosts and clients may be connected by.
FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def elsewhere() -> contextlib.AbstractContextManager[object]:
    """
    Take the hosts for ones on other machines, which are told of by the loop.
    """
    return mock.patch("txlb.proxy.fast._targets.isNear", return_value=False)


class HandReactor(Clock):
    """
    A clock, and whom it would watch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        """
        Remember it.
        """
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        """
        Forget it.
        """
        self.readers.discard(reader)


class HandTurned:
    """
    A fast relay whose loop is turned by hand.

    @param window: bytes that the far ends take before they read; L{None} for
        what the system gives.
    @param family: of the sockets on both sides.
    """

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        limits: DialLimits | None = None,
        window: int | None = None,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> None:
        self.window = window
        self.family = family
        self.folder = tempfile.mkdtemp(prefix="txlb")
        self.before = openSockets()
        self.reactor = self.makeReactor()
        self.deadlines = Deadlines(self.reactor, self.reactor.seconds)
        self.loop = Loop(self.reactor, self.deadlines)
        self.loop.start()
        self.results: list[Relayed] = []
        self.relay = FastRelay(self.loop, timeouts or Timeouts(), self.results.append)
        self.pool = HostPool(seconds=self.reactor.seconds)
        self.limits = limits or DialLimits()
        self.listener = self.listen("host")
        self.listener.setblocking(False)
        self.sockets: list[socket.socket] = [self.listener]

    def makeReactor(self) -> Any:
        """
        The reactor that hosts the loop.
        """
        return HandReactor()

    def close(self) -> None:
        """
        End everything, whatever the state.
        """
        self.relay.abortAll()
        self.turn()
        self.loop.stop()
        self.deadlines.stop()
        for sock in self.sockets:
            sock.close()
        shutil.rmtree(self.folder)

    def listen(self, name: str) -> socket.socket:
        """
        @param name: of the file, if it is a UNIX socket.
        @return: a listening socket of the stage's family.
        """
        listener = self.narrow(socket.socket(self.family))
        if self.family == socket.AF_UNIX:
            listener.bind(os.path.join(self.folder, name))
        else:
            listener.bind(("::1" if self.family == socket.AF_INET6 else "127.0.0.1", 0))
        listener.listen(16)
        return listener

    def narrow(self, sock: socket.socket) -> socket.socket:
        """
        Let a far end, or those that it will accept, take little.
        """
        if self.window is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
        return sock

    def addHost(self, name: str = "host", where: tuple[str, int] | None = None) -> None:
        """
        Add a host; by default the one whose connections L{connect} accepts.
        """
        if where is None:
            own = self.listener.getsockname()
            where = (f"unix:{own}", 0) if self.family == socket.AF_UNIX else own[:2]
        self.pool.addHost(ProxyHost(name, *where))

    def connection(self) -> Connection:
        """
        The one connection that the relay has.
        """
        [connection] = self.relay._connections
        assert isinstance(connection, Connection)
        return connection

    def ownSockets(self) -> int:
        """
        How many sockets the balancer has open: all that the test did not make.
        """
        far = {sock.fileno() for sock in self.sockets}
        return openSockets() - self.before - len(far - {-1})

    def turn(self, times: int = 1) -> None:
        """
        Let the loop do what it has to do now.
        """
        for _ in range(times):
            self.loop.turn(0.0, BATCHES)
            self.reactor.advance(0)

    def client(self) -> tuple[socket.socket, int]:
        """
        @return: a client, and the descriptor of the balancer's end of it.
        """
        with self.listen(f"client-{len(self.sockets)}") as listener:
            near = self.narrow(socket.socket(self.family))
            near.connect(listener.getsockname())
            far, _ = listener.accept()
        if self.window is not None:
            # What the balancer writes does not fit for long either.
            far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.window)
        if self.family != socket.AF_UNIX:
            # As our own listeners do.
            setStreamOptions(far)
        near.setblocking(False)
        self.sockets.append(near)
        return near, far.detach()

    def begin(self, clientFd: int, **first: bytes) -> None:
        """
        Give a client to the relay.
        """
        step = self.pool.dial(("127.0.0.1", 1), self.limits).start()
        assert isinstance(step, Attempt)
        peer = b"" if self.family == socket.AF_UNIX else ("127.0.0.1", 1)
        self.relay.start(accepted(clientFd, peer), step, **first)

    def connect(self, **first: bytes) -> tuple[socket.socket, socket.socket]:
        """
        @return: the far ends of a connection that is relayed.
        """
        client, fd = self.client()
        self.begin(fd, **first)
        for _ in range(TURNS):
            self.turn()
            with contextlib.suppress(BlockingIOError):
                server = self.accept()
                self.turn(QUIET)
                return client, server
        raise AssertionError("no connection came to the host")

    def accept(self) -> socket.socket:
        """
        @return: the host's end of the next connection.
        @raise BlockingIOError: there is none.
        """
        server, _ = self.listener.accept()
        server.setblocking(False)
        self.sockets.append(server)
        return server


#: More than the buffers of the system hold between two sockets.
MUCH = os.urandom(1 << 20) * 32


class StageCase(SynchronousTestCase):
    """
    A test of connections of the fast relay, each on a stage of its own.
    """

    def stage(
        self,
        family: socket.AddressFamily = socket.AF_INET,
        *,
        timeouts: Timeouts | None = None,
        window: int | None = None,
        limits: DialLimits | None = None,
        pipes: bool = True,
    ) -> HandTurned:
        """
        A stage with one host.

        @param pipes: whether the relay has pipes.
        """
        stage = HandTurned(timeouts, limits, window, family)
        self.addCleanup(stage.close)
        if not pipes:
            stage.loop.pipes = PipePool(0)
        stage.addHost()
        return stage

    def assertEnded(self, stage: HandTurned, outcome: Outcome) -> None:
        """
        The one connection has ended so, and the relay and the pool hold nothing of it.
        """
        self.assertEqual(len(stage.results), 1)
        lease = stage.results[0].lease
        assert lease is not None
        self.assertEqual(lease.outcome, outcome)
        self.assertEqual((stage.pool.active, stage.relay.connectionCount()), (0, 0))
        self.assertEqual(stage.loop.pipes.made, stage.loop.pipes.free)


def reset(sock: socket.socket) -> None:
    """
    Close with a reset.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def underWay(sock: socket.socket) -> int:
    """
    Count the bytes that a TCP socket has sent and that its peer's system has not acknowledged.
    """
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def delivered(sock: socket.socket) -> None:
    """
    Wait until all that a TCP socket has sent is with its peer's system.

    @raise AssertionError: it is not so within 10 s.
    """
    ends = time.monotonic() + 10
    while underWay(sock):
        assert time.monotonic() < ends, "what was sent does not arrive"
        select.select([], [], [], 0.001)


def readSome(sock: socket.socket, most: int) -> bytes | None:
    """
    @return: what is there, C{b""} for the end; L{None} for nothing now.
    """
    try:
        return sock.recv(most)
    except BlockingIOError:
        return None

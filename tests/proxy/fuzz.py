"""
A connection of either relay, and both far ends of it, which do what they like.

A reactor of Twisted's own is turned by hand, so that its time is the test's. The far ends
know what they have sent, and what the relay's system had of it when they reset.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import struct
import tempfile
import termios
from typing import Any

from tests.proxy.fakes import accepted, takesIPv6
from tests.proxy.fast.stage import elsewhere
from tests.proxy.reactors import HASTE, TURNS, WAIT, TurnedEPoll
from txlb.deadlines import Deadlines
from txlb.model import ProxyHost
from txlb.pool import Attempt, DialLimits, HostPool
from txlb.proxy import FastRelay, Loop, PortableRelay, Relayed, Timeouts
from txlb.proxy._sockets import setStreamOptions
from txlb.proxy.fast._pipes import PipePool
from txlb.testing._stage import openSockets

#: What is sent is cut from this, so that a byte in the wrong place shows.
NOISE = os.urandom(1 << 20)

#: Seconds that a turn takes.
TICK = 0.0005

#: Seconds of silence after which a connection is ended.
SILENCE = 10.0

#: Families of sockets.
FAMILIES = ("tcp4", "tcp6", "unix") if takesIPv6() else ("tcp4", "unix")


def noise(count: int) -> bytes:
    """
    The first so many bytes of what a far end sends.
    """
    return (NOISE * (count // len(NOISE) + 1))[:count]


class FarEnd:
    """
    One far end, and what it should have got.

    @ivar sent: bytes that it has written.
    @ivar arrived: of those, how many the relay's system had when this end closed.
    @ivar received: what it has got.
    @ivar ended: whether it has got the end.
    @ivar wasReset: whether it was reset.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.isUNIX = sock.family == socket.AF_UNIX
        self.sent = self.arrived = 0
        self.received = bytearray()
        self.finished = self.ended = self.wasReset = self.closed = False
        sock.setblocking(False)

    @property
    def isOver(self) -> bool:
        """
        Whether it gets nothing more.
        """
        return self.ended or self.wasReset

    def _next(self, count: int) -> bytes:
        offset = self.sent % len(NOISE)
        return NOISE[offset : offset + count]

    def write(self, count: int) -> None:
        """
        Write what can be written of the next so many bytes.
        """
        self._send(self._next(count), 0)

    def writeUrgent(self) -> None:
        """
        Write one byte that is urgent.
        """
        self._send(self._next(1), socket.MSG_OOB)

    def writeWithDescriptor(self, count: int) -> None:
        """
        Write bytes with a descriptor beside them, where a socket has that.
        """
        if not self.isUNIX:
            self.write(count)
            return
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.sock.fileno()]))
        self._send(self._next(count), 0, rights)

    def _send(self, data: bytes, flags: int, *ancillary: Any) -> None:
        if self.finished or self.closed:
            return
        try:
            self.sent += self.sock.sendmsg([data], ancillary, flags)
        except BlockingIOError:
            return
        except (ConnectionResetError, BrokenPipeError):
            self.finished = True

    def read(self, count: int) -> None:
        """
        Read at most so many bytes.
        """
        if self.isOver or self.closed:
            return
        try:
            data = self.sock.recv(count)
        except BlockingIOError:
            return
        except ConnectionError:
            self.wasReset = True
            return
        self.received += data
        self.ended = not data

    def finish(self) -> None:
        """
        Write no more.
        """
        if not (self.finished or self.closed):
            self.finished = True
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def close(self, abruptly: bool) -> None:
        """
        Close, with a reset where there is something unread, or in any case.
        """
        self.arrived = self.sent
        if not self.isUNIX:
            # What its system still holds a reset takes away.
            answer = fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0\0\0\0")
            self.arrived -= min(self.sent, int(struct.unpack("i", answer)[0]))
            if abruptly:
                linger = struct.pack("ii", 1, 0)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.closed = True
        self.sock.close()


class FuzzStage:
    """
    One relay, with one host.

    @param relay: which one: C{fast}, C{fast copying} where no pipe is to be had, C{fast
        elsewhere} where the host is taken for one on another machine, or C{portable}.
    @param window: bytes that the far ends take before they read; L{None} for what the
        system gives.
    """

    def __init__(
        self, relay: str, clientFamily: str, hostFamily: str, window: int | None = None
    ) -> None:
        self.before = openSockets()
        self.window = window
        self._isElsewhere = relay == "fast elsewhere"
        self.folder = tempfile.TemporaryDirectory(prefix="txlb")
        self.reactor: Any = TurnedEPoll()
        self.deadlines = Deadlines(self.reactor, self.reactor.seconds)
        self.results: list[Relayed] = []
        self.pool = HostPool(seconds=self.reactor.seconds)
        timeouts = Timeouts(idle=SILENCE, fin=SILENCE)
        self.loop: Loop | None = None
        self.relay: FastRelay | PortableRelay
        if relay == "portable":
            self.relay = PortableRelay(self.reactor, self.deadlines, timeouts, self.results.append)
        else:
            self.loop = Loop(self.reactor, self.deadlines)
            if relay == "fast copying":
                self.loop.pipes = PipePool(0)
            self.loop.start()
            self.relay = FastRelay(self.loop, timeouts, self.results.append)
        self._listeners = {
            "client": self._listen(clientFamily, "client"),
            "host": self._listen(hostFamily, "host"),
        }
        self._ends: list[FarEnd] = []

    def _listen(self, family: str, name: str) -> socket.socket:
        if family == "unix":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(self.folder.name, name))
        else:
            kind, where = {
                "tcp4": (socket.AF_INET, "127.0.0.1"),
                "tcp6": (socket.AF_INET6, "::1"),
            }[family]
            listener = socket.socket(kind)
            # Those that are accepted inherit them, as from a listener of the balancer's.
            setStreamOptions(listener)
            self._narrow(listener)
            listener.bind((where, 0))
        listener.listen(1)
        return listener

    def _narrow(self, sock: socket.socket) -> None:
        if self.window is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)

    def connect(self) -> tuple[FarEnd, FarEnd]:
        """
        @return: the far ends of a relayed connection, the client's and the host's.
        """
        listener = self._listeners["client"]
        near = socket.socket(listener.family)
        self._narrow(near)
        near.connect(listener.getsockname())
        far, peer = listener.accept()
        if self.window is not None:
            # What the balancer writes does not fit for long either.
            far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.window)
        where = self._listeners["host"].getsockname()
        if isinstance(where, str):
            self.pool.addHost(ProxyHost("host", f"unix:{where}", 0))
        else:
            self.pool.addHost(ProxyHost("host", where[0], where[1]))
        step = self.pool.dial(("127.0.0.1", 1), DialLimits()).start()
        assert isinstance(step, Attempt)
        with elsewhere() if self._isElsewhere else contextlib.nullcontext():
            self.relay.start(accepted(far.detach(), peer), step)
        host, _ = self._listeners["host"].accept()
        self._ends = [FarEnd(near), FarEnd(host)]
        self.turn(3)
        return self._ends[0], self._ends[1]

    def turn(self, times: int = 1) -> None:
        """
        Let the relay do what it has to do now.
        """
        for _ in range(times):
            self.reactor.now += TICK
            self.reactor.turn()

    def _wait(self) -> None:
        """
        A turn that waits for the system.
        """
        self.reactor.now += TICK
        self.reactor.turn(1, WAIT)

    def sleep(self) -> None:
        """
        Let the process sleep for longer than a connection may be silent. Deadlines come up
        before anything is read.
        """
        self.reactor.now += 6 * SILENCE
        self.reactor.runUntilCurrent()

    def settle(self, *ends: FarEnd) -> None:
        """
        Turn while these ends read, until they get nothing more and the connection is over.
        """
        for number in range(TURNS):
            if number < HASTE:
                self.turn()
            else:
                self._wait()
            for end in ends:
                end.read(1 << 20)
            if self.results and all(end.isOver for end in ends):
                break

    def ownSockets(self) -> int:
        """
        How many sockets the relay has.
        """
        theirs = sum(not end.closed for end in self._ends) + len(self._listeners)
        # The reactor has two for its waker.
        return openSockets() - self.before - theirs - self._ofReactor()

    def _ofReactor(self) -> int:
        count = 0
        for each in self.reactor._internalReaders:
            for name in ("i", "o"):
                with contextlib.suppress(AttributeError, OSError):
                    fd = getattr(each, name)
                    number = fd if isinstance(fd, int) else fd.fileno()
                    count += os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
        return count

    def close(self) -> None:
        """
        End everything, whatever the state.
        """
        self.relay.abortAll()
        self.turn(2)
        if self.loop is not None:
            self.loop.stop()
        self.deadlines.stop()
        self.reactor.close()
        for end in self._ends:
            end.sock.close()
        for listener in self._listeners.values():
            listener.close()
        self.folder.cleanup()

"""
A relayed connection: both ends, and the claim on the host.
"""

from __future__ import annotations

import _socket
import math
import select
import socket
import struct
from collections.abc import Callable, Sequence
from os import read, set_blocking, write
from typing import TYPE_CHECKING

from txlb.pool import Attempt, Dial, GaveUp, Host, Lease, Outcome
from txlb.proxy._results import Relayed
from txlb.proxy._sockets import bytesOnTheWay, keepAlive
from txlb.proxy.fast._bulk import move
from txlb.proxy.fast._end import READ, End
from txlb.proxy.fast._firstbytes import FirstBytes
from txlb.proxy.fast._lastbytes import LastBytes
from txlb.proxy.fast._loop import EDGES, READ_EDGES
from txlb.proxy.fast._search import Relay, Search, trackedConnection
from txlb.proxy.fast._secureends import PlainEnd, TLSEnd
from txlb.proxy.fast._unixend import UNIXEnd
from txlb.wire import BATCHED, FAILED, ChangedConnection, EndState, MovedConnection

if TYPE_CHECKING:
    from txlb.proxy._connectiontable import TrackedConnection
    from txlb.proxy._results import Timeouts
    from txlb.proxy._securedclient import SecuredClient
    from txlb.proxy.fast._hosthandshake import HostHandshake
    from txlb.proxy.fast._wheel import Slot

#: The value of C{SO_LINGER} with which close(2) sends a reset: on, and zero seconds.
RESET = struct.pack("ii", 1, 0)

#: Bytes that are read of a client while its host is asked, at most: the relay keeps them until a
#: host has them, and many clients may wait for one.
EARLY = 16384

#: Seconds between two looks at a connection without a timeout. A look turns on keepalive.
SELDOM = 3600.0


class Connection:
    """
    One client, from the search for its host to the end. Owned by its relay.

    It owns a L{Search} until a host is found, then two ends, and L{LastBytes} once one of
    them has failed.

    @ivar header: bytes that go to the host before anything else.
    @ivar dial: the pool's record of the search.
    @ivar lease: the claim on the host that was found; there is none before.
    @ivar begun: whether a host was found.
    @ivar over: whether it has ended.
    @ivar lastMoved: when bytes were read or written last, in seconds of the monotonic clock.
    @ivar search: the search for its host; L{None} once that is over.
    @ivar slot: where it stands in the wheel; that keeps this.
    """

    __slots__ = (
        "_askAt",
        "_client",
        "_clientFailed",
        "_clientSecured",
        "_first",
        "_host",
        "_lastBytes",
        "_onTheWay",
        "_relay",
        "_tracked",
        "begun",
        "dial",
        "header",
        "lastMoved",
        "lease",
        "loop",
        "over",
        "search",
        "slot",
    )

    lease: Lease
    _host: End

    def __init__(
        self,
        relay: Relay,
        clientFd: int,
        dial: Dial,
        first: FirstBytes | None = None,
        isUNIX: bool = False,
        header: bytes = b"",
        secured: SecuredClient | None = None,
    ) -> None:
        self._relay = relay
        self.loop = relay.loop
        self.dial = dial
        self.header = header
        self._client: End
        if secured is not None:
            # The loop watches it already.
            self._client = TLSEnd(self, clientFd, True, None, secured.handshake.side, isUNIX)
        else:
            self._client = (UNIXEnd if isUNIX else End)(self, clientFd, True)
            set_blocking(clientFd, False)
        self._clientSecured = secured
        self.search: Search | None = Search(self, relay)
        self._tracked: TrackedConnection | None = None
        self.slot: Slot | None = None
        self._lastBytes: LastBytes | None = None
        self._askAt = 0.0
        self.begun = self.over = self._clientFailed = False
        self._first = first

    @classmethod
    def adopt(
        cls,
        relay: Relay,
        dial: Dial,
        lease: Lease,
        moved: MovedConnection,
        descriptors: Sequence[int],
    ) -> Connection:
        """
        Make the connection that another process has served until now. Nothing is read, written
        or set before L{goOn}; L{become} comes between.

        @param descriptors: of the client's and of the host's socket, which are its from here.
        """
        self = cls.__new__(cls)
        self._relay, self.loop = relay, relay.loop
        self.dial, self.lease, self.header = dial, lease, b""
        self.search = self.slot = self._tracked = self._lastBytes = self._clientSecured = None
        self.begun, self.over = True, False
        self._clientFailed = False
        self._onTheWay, self._first, self._askAt = 0, None, math.inf
        # The system tells the family.
        sock = _socket.socket(fileno=descriptors[1])
        self._client = client = (UNIXEnd if moved.clientIsUNIX else End)(self, descriptors[0], True)
        makeEnd = UNIXEnd if sock.family == socket.AF_UNIX else End
        self._host = host = makeEnd(self, descriptors[1], False, sock)
        client.peer, host.peer = host, client
        return self

    # For the search

    def clientSocket(self) -> _socket.socket:
        return self._client.socket()

    def opening(self) -> bytes:
        first = self._first
        if first is None:
            client = self._client
            if type(client) is not End or self._clientFailed:
                return self.header if self._clientSecured is None else b""
            try:
                data = read(client.fd, EARLY)
            except BlockingIOError:
                return self.header
            except OSError:
                # The system tells it once.
                self._clientFailed = True
                return self.header
            if not data:
                return self.header
            first = self._first = FirstBytes(data, b"", 0)
        return self.header + first.toHost if self._clientSecured is None else b""

    def notFound(self, gaveUp: GaveUp) -> None:
        self._close(Relayed(self.dial, gaveUp=gaveUp))

    def found(
        self,
        attempt: Attempt,
        sock: _socket.socket,
        event: int,
        tracked: TrackedConnection | None,
        secured: HostHandshake | None = None,
        sent: int = 0,
    ) -> None:
        loop, client = self.loop, self._client
        if secured is None and self._clientSecured is None:
            makeEnd = UNIXEnd if sock.family == socket.AF_UNIX else End
            host = self._host = makeEnd(self, sock.fileno(), False, sock)
        else:
            client, host = self._secureEnds(sock, secured)
        client.peer, host.peer = host, client
        self._onTheWay = 0
        # It may be the reactor's turn, and not the loop's.
        self.lastMoved = now = loop.now = loop.seconds()
        # From here on the lease is released, also if something raises.
        self.search = None
        self._tracked = tracked
        self.lease = attempt.lease
        self.begun = True
        self.dial.connected(attempt)
        if event:
            # A handshake may have it watched for reading alone.
            host.hearsOut = secured is None
            loop.handle(host.fd, host)
        else:
            loop.watch(host.fd, host, READ_EDGES)
        idle = self._relay.timeouts.idle
        if idle and now + idle < self._askAt:
            self.askBy(now + idle)
        wasRead = self._first is not None and self._clientSecured is None
        if self.header or self._first is not None:
            self._begin(secured, client, host, sent)
        if not wasRead:
            # Bytes that the client sent early are there already. The loop watches it after that,
            # which saves an event. Most clients whose first bytes were read before have not sent
            # more, and if one has the loop tells that.
            self._readClient(client)
        if not self.over:
            if self._clientSecured is None:
                client.hearsOut = client.blocked = client.unsent is not None
                loop.watch(client.fd, client, EDGES if client.hearsOut else READ_EDGES)
            if event & READ:
                host.pump(event & ~select.EPOLLOUT)
        elif self._lastBytes is not None and self._clientSecured is None:
            # One of the two has failed meanwhile.
            loop.watch(client.fd, self._lastBytes.handlerOf(client), EDGES)

    def _readClient(self, client: End) -> None:
        """
        Read a client for the first time, unless L{opening} has found that its socket has failed.
        """
        if self._clientFailed:
            self.broke(client)
        else:
            client.pump()

    def _begin(self, secured: HostHandshake | None, client: End, host: End, sent: int) -> None:
        """
        Send what goes before the bytes of the client and of the host.

        @param sent: bytes of L{opening} that the host has taken already.
        """
        first = self._first
        toHost = self.header if secured is None else b""
        free, toClient = len(toHost), b""
        if first is not None:
            toHost, toClient = toHost + first.toHost, first.toClient
            free += first.freeIn
        if not (sent or toClient or secured) and not isinstance(host, PlainEnd):
            # Most hosts take all of it at once, and some calls are saved.
            try:
                sent = write(host.fd, toHost)
            except OSError:
                # Sending it again tells what is wrong.
                pass
        if sent:
            if sent > free:
                self.lease.addIn(sent - free)
            toHost, free = toHost[sent:], max(0, free - sent)
        if toHost or toClient:
            first = self._first = FirstBytes(toHost, toClient, free)
            self._sendFirst(first, client, host)
        else:
            self._first = None

    def _secureEnds(
        self, sock: _socket.socket, secured: HostHandshake | None
    ) -> tuple[PlainEnd, PlainEnd]:
        """
        Make the ends of a connection with TLS.

        @param secured: the handshake of the host; L{None} if no TLS is spoken to it.
        """
        host: PlainEnd
        fd, isUNIX = sock.fileno(), sock.family == socket.AF_UNIX
        if secured is None:
            host = PlainEnd(self, fd, False, sock, isUNIX)
        else:
            shaken = secured.handshake
            host = TLSEnd(self, fd, False, sock, shaken.side, isUNIX, secured.over)
            host.unsent, host.last = shaken.unsent, host.last or shaken.last
            host.unread = shaken.unread or host.last
            host.blocked = host.unsent is not None
        self._host = host
        before, clientSecured = self._client, self._clientSecured
        if clientSecured is None:
            client = PlainEnd(self, before.fd, True, before.socket(), isinstance(before, UNIXEnd))
        else:
            assert isinstance(before, TLSEnd)  # noqa: S101 - it was made so
            client = before
            shaken = clientSecured.handshake
            client.unsent, client.last = shaken.unsent, client.last or shaken.last
            client.unread = shaken.unread or client.last
            if client.unsent is not None:
                client.hearsOut = client.blocked = True
            self.loop.handle(client.fd, client)
        self._client = client
        return client, host

    def _sendFirst(self, first: FirstBytes, client: End, host: End) -> None:
        # Both ends have their first bytes before any are written: if one of them has failed,
        # the bytes that it had sent come after the first bytes.
        for end, data in ((client, first.toClient), (host, first.toHost)):
            if isinstance(end, PlainEnd):
                end.begin(data)
            else:
                end.unsent = data or None
        if client.unsent is not None:
            client.flush()
        if not self.over and host.unsent is not None and not host.flush():
            host.hearOut()
        if not self.over and client.unsent is not None and isinstance(client, PlainEnd):
            client.hearOut()

    # While it lasts

    def moved(self, end: End, count: int) -> None:
        """
        Count bytes that an end sent, which have been written to the other.
        """
        self.lastMoved = self.loop.now
        first = self._first
        if end.isClient:
            if first is not None and first.freeIn:
                free = min(first.freeIn, count)
                first.freeIn -= free
                count -= free
            self.lease.addIn(count)
        else:
            if first is not None and first.freeOut:
                free = min(first.freeOut, count)
                first.freeOut -= free
                count -= free
            self.lease.addOut(count)

    def moveBulk(self, end: End) -> None:
        move(end)

    def lasts(self, end: End) -> None:
        """
        Take note that an end sends much, for long.
        """
        host = self.lease.host
        if end.isClient and host.addresses:
            self._relay.targets.of(host.address).getsMuch()

    @property
    def timeouts(self) -> Timeouts:
        """
        The times after which a silent connection is ended.
        """
        return self._relay.timeouts

    def halfClosed(self, end: End) -> None:
        """
        Take note that an end has finished sending.
        """
        if not end.isClient and not end.peer.ended:
            self.lease.hostFirst = True
        self.lastMoved = now = self.loop.now
        fin = self._relay.timeouts.fin
        if fin and now + fin < self._askAt:
            self.askBy(now + fin)

    def askNoLaterThan(self, when: float) -> None:
        if self.slot is None:
            self._askAt = when
            self.loop.wheel.add(self, when)
        elif when < self._askAt:
            self.askBy(when)

    def askBy(self, when: float) -> None:
        """
        Have L{deadlinePassed} called by a time before that for which it is called anyway.
        """
        wheel = self.loop.wheel
        if self.slot is not None:
            wheel.remove(self)
        self._askAt = when
        wheel.add(self, when)

    def deadlinePassed(self, now: float) -> float | None:
        if self._lastBytes is not None:
            when = self._lastBytes.deadlinePassed(now)
            self._askAt = when or 0.0
            return when
        if self.search is not None:
            when = self.search.deadlinePassed(now)
            if when is not None:
                self._askAt = when
            return when
        self._askAt = self._nextSilence(now)
        return None if self.over else self._askAt

    def _nextSilence(self, now: float) -> float:
        """
        End the connection if it was silent for too long.

        @return: when to look next, in seconds of the monotonic clock.
        """
        client, host = self._client, self._host
        # The client's socket has it from its listener. A short connection ends before this,
        # and saves the system calls.
        keepAlive(host.socket())
        half = client.ended or host.ended
        timeouts = self._relay.timeouts
        timeout = timeouts.fin if half else timeouts.idle
        if not timeout:
            return now + SELDOM
        onTheWay = bytesOnTheWay(client.fd) + bytesOnTheWay(host.fd)
        if onTheWay != self._onTheWay or client.queued or host.queued:
            # A slow reader empties the system's buffers for a long time before the relay can
            # write again. An end that waits for its turn of bulk has something to move.
            self._onTheWay = onTheWay
            self.lastMoved = now
        # Bytes that were sent while the process slept may not have been read yet.
        silentAt = self.lastMoved + timeout + self.loop.deadlines.sleptSince(self.lastMoved)
        if now >= silentAt:
            self.end(Outcome.FIN_TIMEOUT if half else Outcome.IDLE_TIMEOUT)
        return silentAt

    def trackConnection(self) -> None:
        if self.search is not None:
            self.search.trackConnection()
        elif self._tracked is None and self.begun:
            sock = self._host.socket()
            self._tracked = trackedConnection(self._relay.table, sock, None, self.dial.clientAddr)

    @property
    def waits(self) -> bool:
        return self.search is not None and self.search.waits

    # The end

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        if self.search is not None:
            self.search.leaveHost(host, outcome)
        elif self.lease.host is host:
            self.end(outcome)

    def abort(self, outcome: Outcome = Outcome.STOPPED) -> None:
        """
        Reset the connection, in any state.
        """
        search, self.search = self.search, None
        if search is None:
            self.end(outcome)
        elif not self.over:
            search.cancel()
            self._close(Relayed(self.dial))

    def breakDown(self) -> None:
        """
        End the connection, as one of its handlers raised.
        """
        self.abort(Outcome.ERROR)

    def end(self, outcome: Outcome) -> None:
        """
        End the connection. The first outcome counts.
        """
        if self.over or not self.begun:
            if self._lastBytes is not None:
                self._lastBytes.stop()
            return
        if outcome is not Outcome.DONE:
            self._resetBoth()
        self._close(Relayed(self.dial, self.lease), outcome)

    def broke(self, end: End) -> None:
        """
        Deliver the bytes of an end whose socket has failed, then reset its peer. From here on
        L{LastBytes} has both ends, and for all other parts the connection is over.
        """
        if self.over:
            return
        self.over = True
        if not end.isClient:
            lease = self.lease
            lease.hostFirst = lease.hostFirst or not self._client.ended
        last = self._lastBytes = LastBytes(self, end)
        loop = self.loop
        for each in (self._client, self._host):
            loop.handle(each.fd, last.handlerOf(each))
        if last.lookAt < self._askAt:
            self.askBy(last.lookAt)
        last.go()

    def hostBroke(self) -> None:
        self.broke(self._host)

    def finish(self, outcome: Outcome) -> None:
        """
        End the connection, as the last bytes were delivered, or can't be. L{LastBytes} calls
        this once.
        """
        self._lastBytes = None
        self._resetBoth()
        self._close(Relayed(self.dial, self.lease), outcome)

    def _resetBoth(self) -> None:
        for end in (self._client, self._host):
            if end.saidWhy:
                continue
            # A UNIX socket accepts the option too, and does not use it.
            end.socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _close(self, result: Relayed, outcome: Outcome = Outcome.NOT_CONNECTED) -> None:
        self.over = True
        loop, client = self.loop, self._client
        loop.handle(client.fd, None)
        if self._tracked is not None:
            self._relay.table.remove(self._tracked)
            self._tracked = None
        if self.slot is not None:
            loop.wheel.remove(self)
        loop.closeSoon(self)
        if not self.begun and isinstance(client, TLSEnd):
            client.leave()
        if self.begun:
            host = self._host
            loop.handle(host.fd, None)
            if client.pipe is not None:
                client.leavePipe()
            if host.pipe is not None:
                host.leavePipe()
            self.lease.release(outcome)
        self._relay.finished(self, result)

    def close(self) -> None:
        """
        Close the sockets; the loop calls this at the end of a batch.
        """
        client = self._client
        client.close()
        # Break the circles of objects, which the collector would find late.
        del self._client
        self.search = None
        if self.begun:
            host = self._host
            host.close()
            del self._host, client.peer, host.peer

    # For an upgrade

    @property
    def whyStays(self) -> str:
        """
        The reason why no other process can take it over; empty if one can.
        """
        if self._clientSecured is not None or isinstance(self._client, PlainEnd):
            return "TLS"
        return ""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """
        The descriptors of the client's socket, and of the host's if it has a host.
        """
        if self.begun:
            return self._client.fd, self._host.fd
        return (self._client.fd,)

    @property
    def clientIsUNIX(self) -> bool:
        """
        Whether the client has come through a UNIX socket.
        """
        return isinstance(self._client, UNIXEnd)

    @property
    def isStill(self) -> bool:
        """
        Whether it holds no bytes. If that is so, it holds none until C{lastMoved} changes, or it
        is C{over}.
        """
        client, host = self._client, self._host
        return (
            client.unsent is None
            and host.unsent is None
            and client.pipe is None
            and host.pipe is None
            and self._lastBytes is None
        )

    @property
    def free(self) -> tuple[int, int]:
        """
        How many bytes to the host, and to the client, have yet to be written that are not the
        other side's.
        """
        return (0, 0) if self._first is None else (self._first.freeIn, self._first.freeOut)

    @property
    def firstBytes(self) -> tuple[bytes, bytes]:
        """
        The bytes that go to the host, and to the client, first, while it has no host.
        """
        return (b"", b"") if self._first is None else (self._first.toHost, self._first.toClient)

    def states(self, hold: Callable[[bytes], int]) -> tuple[EndState, EndState, tuple[int, ...]]:
        """
        Tell how its ends stand, for the process that takes it over.

        @param hold: keeps bytes for that process, and returns their place.
        @return: the client's end, the host's, and the descriptors of their pipes.
        """
        pipes: tuple[int, ...] = ()
        found, last = [], self._lastBytes
        for end in (self._client, self._host):
            if end.pipe is not None and end.pipe.held:
                pipes += (end.pipe.reader, end.pipe.writer)
            found.append(
                end.state(hold, last.left if last is not None and last.source is end else None)
            )
        return found[0], found[1], pipes

    def become(
        self,
        moved: MovedConnection | ChangedConnection,
        held: Callable[[int, int], bytes],
        pipes: Sequence[int],
    ) -> None:
        """
        Stand as the same connection did in the process that had it before. It may be called
        again, as that process went on.

        @param held: returns held bytes by their place and number.
        @param pipes: the descriptors of its pipes.
        """
        lease, client, host = self.lease, self._client, self._host
        lease.bytesIn, lease.bytesOut = moved.bytesIn, moved.bytesOut
        lease.hostFirst, self.lastMoved = moved.hostFirst, moved.lastMoved
        self._first = None
        if moved.freeIn or moved.freeOut:
            self._first = FirstBytes(b"", b"")
            self._first.freeIn, self._first.freeOut = moved.freeIn, moved.freeOut
        client.become(moved.client, held, pipes)
        host.become(moved.hostEnd, held, pipes[2:] if moved.client.piped else pipes)

    def register(self) -> None:
        """
        Have the loop watch its sockets. The loop does not run yet.
        """
        for end in (self._client, self._host):
            self.loop.watch(end.fd, end, EDGES if end.hearsOut else READ_EDGES)

    def registerAgain(self) -> None:
        """
        Have the loop tell everything anew, as the other process went on meanwhile.
        """
        for end in (self._client, self._host):
            if end.hearsOut:
                self.loop.watchAll(end.fd)

    def goOn(self, moved: MovedConnection | ChangedConnection) -> None:
        """
        Serve, as the process that had it before does not any more. It may have served before, or
        have ended.

        @param moved: what that process told last.
        """
        if self.over:
            return
        half = self._client.ended or self._host.ended
        timeouts = self._relay.timeouts
        timeout = timeouts.fin if half else timeouts.idle
        self.askNoLaterThan(self.lastMoved + timeout if timeout else self.loop.seconds() + SELDOM)
        for end, state in ((self._client, moved.client), (self._host, moved.hostEnd)):
            if state.flags & BATCHED:
                end.isReported()
        for end, state in ((self._client, moved.client), (self._host, moved.hostEnd)):
            if state.flags & FAILED:
                self.broke(end)

    def stop(self) -> None:
        """
        Do nothing more, as another process serves it. L{leave} comes next.
        """
        self.over = True
        loop = self.loop
        if self.search is not None:
            # Its client is not watched.
            search, self.search = self.search, None
            search.cancel()
        for fd in self.descriptors:
            loop.handle(fd, None)
        if self.slot is not None:
            loop.wheel.remove(self)
        if self._lastBytes is not None:
            self._lastBytes.leave()
        if self._tracked is not None:
            self._relay.table.remove(self._tracked)
            self._tracked = None

    def leave(self) -> None:
        """
        Close the descriptors of this process. The sockets stay as they are.
        """
        if self.begun:
            for end in (self._client, self._host):
                self.loop.unwatch(end.fd)
                end.leavePipe()
        self.close()

    def resetCopy(self) -> None:
        """
        Have its sockets send a reset when they are closed, as no process serves it.
        """
        self._resetBoth()

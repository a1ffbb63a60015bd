"""
A connection of the portable relay.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure

from txlb.connecting import ConnectFailed, PortPauses
from txlb.deadlines import Deadlines
from txlb.errors import CertificateError
from txlb.model import Address
from txlb.pool import (
    Attempt,
    Dial,
    Failure,
    FailureKind,
    GaveUp,
    GaveUpReason,
    Host,
    Lease,
    Outcome,
    Step,
    Waiting,
)
from txlb.proxy._acceptedclient import AcceptedClient
from txlb.proxy._clientwait import ClientWait
from txlb.proxy._connect import connectTo
from txlb.proxy._connectiontable import ConnectionTable, TrackedConnection
from txlb.proxy._hosthandshake import HostHandshake
from txlb.proxy._pair import Pair
from txlb.proxy._results import Relayed, Timeouts
from txlb.proxy._sockettransport import SocketTransport
from txlb.proxy._stepqueue import StepQueue
from txlb.tls import ClientContext
from txlb.wire import ChangedConnection, EndState, MovedConnection

_log = Logger()


class RelayParts(Protocol):
    """
    The parts of the portable relay that its connections use.

    @ivar pauses: the addresses that are not tried for lack of local ports.
    """

    reactor: Any
    deadlines: Deadlines
    timeouts: Timeouts
    pauses: PortPauses
    table: ConnectionTable

    steps: StepQueue

    def hostContext(self, attempt: Attempt) -> ClientContext | None:
        """
        Return the context for TLS to a host; L{None} if none is spoken.

        @raise CertificateError: it can't be made.
        """
        ...

    @property
    def makeEndpoint(self) -> Callable[[Any, Address], IStreamClientEndpoint]: ...

    def finished(self, connection: Any, result: Relayed) -> None:
        """
        Take the result of a connection that is over.
        """


class PortableConnection:
    """
    One client of the portable relay, from the search for its host to the end. Owned by its
    relay.

    First it holds the client's socket, unread, while a host is looked for. So the bytes that
    a client sends early wait in the kernel, and a host that can't be reached costs none of
    them. Then a L{Pair} moves the bytes. At the end the lease is released and the result
    told, exactly once.
    """

    def __init__(
        self,
        relay: RelayParts,
        client: socket.socket | AcceptedClient,
        dial: Dial,
        toHost: bytes,
        toClient: bytes,
        header: bytes = b"",
    ) -> None:
        self._header = header
        self._relay = relay
        self.dial = dial
        self._client: socket.socket | AcceptedClient | None = client
        self._toHost = toHost
        self._toClient = toClient
        self._connecting: Deferred[IProtocol] | None = None
        self._attempt: Attempt | None = None
        self._wait: ClientWait | None = None
        self._pair: Pair | None = None
        self._result: Relayed | None = None
        self._tracked: TrackedConnection | None = None
        # Of a connection that is taken over, until it goes on.
        self._pipes: list[int] = []
        self._heldBytes: list[bytes] = []

    def search(self, step: Step) -> None:
        """
        Connect to a host, wait for one, or end.
        """
        if isinstance(step, Attempt):
            self._tryHost(step)
        elif isinstance(step, Waiting):
            assert self._client is not None  # noqa: S101 - it is given away to a pair only
            self._wait = ClientWait(
                self._relay.deadlines, self._client, step, self._goOn, self._clientLeft
            )
        else:
            self._giveUp(step)

    def _goOn(self, step: Attempt | GaveUp) -> None:
        self._wait = None
        self.search(step)

    def _clientLeft(self) -> None:
        self._giveUp(GaveUp(GaveUpReason.CLIENT_GONE))

    def _giveUp(self, step: GaveUp) -> None:
        self._wait = None
        self._closeClient()
        self._relay.finished(self, Relayed(self.dial, gaveUp=step))

    def _tryHost(self, attempt: Attempt) -> None:
        self._attempt = attempt
        relay = self._relay
        pair = Pair(relay.deadlines, relay.timeouts, self._over)
        handshake = None
        protocol: Any = pair.host
        try:
            context = relay.hostContext(attempt)
        except CertificateError as error:
            self._attempt = None
            self.search(self._after(attempt, Failure(FailureKind.UNREACHABLE, str(error))))
            return
        if context is not None:
            handshake = HostHandshake(
                context,
                attempt,
                pair.host,
                relay.deadlines,
                relay.steps,
                self._header,
                relay.reactor,
            )
            protocol = handshake.layer
        connecting: Deferred[Any] = connectTo(
            relay.reactor, relay.deadlines, attempt, protocol, relay.pauses, relay.makeEndpoint
        )
        self._connecting = connecting
        first = self._toHost
        if handshake is not None:
            whenDone = handshake.whenDone
            connecting.addCallback(lambda _: whenDone())
        else:
            first = self._header + first
        connecting.addCallbacks(lambda _: self._connected(attempt, pair, first), self._failed)
        connecting.addErrback(self._broken)

    def _failed(self, reason: TwistedFailure) -> None:
        attempt, self._attempt, self._connecting = self._attempt, None, None
        if attempt is None:
            return  # the connection was aborted meanwhile
        error = reason.value
        failure = error.failure if isinstance(error, ConnectFailed) else _unexpected(reason)
        self.search(self._after(attempt, failure))

    def _after(self, attempt: Attempt, failure: Failure) -> Step:
        """
        Say that a host was not reached, and find the next step.
        """
        return attempt.failed(failure, self._relay.deadlines.sleptSince(self.dial.began))

    def _connected(self, attempt: Attempt, pair: Pair, toHost: bytes) -> None:
        self._connecting = self._attempt = None
        # From here on the pair closes the host's side and releases the lease, also if
        # something raises.
        self._pair = pair
        self._result = Relayed(attempt.dial, attempt.lease)
        pair.claim(attempt.lease)
        attempt.connected()
        if self._relay.table.tracking:
            self.trackConnection()
        client = self._client
        assert client is not None  # noqa: S101 - it is given away here only
        if isinstance(client, AcceptedClient):
            client.handTo(pair.client)
        else:
            SocketTransport(self._relay.reactor, client, pair.client)
        self._client = None
        pair.begin(toHost, self._toClient)
        if isinstance(client, AcceptedClient):
            client.begin()

    def _broken(self, reason: TwistedFailure) -> None:
        """
        End this connection only. A part of the balancer has raised, which is a fault.
        """
        _log.failure("a connection broke while it was set up", reason)
        self._closeClient()
        if self._pair is not None:
            self._pair.abort(Outcome.ERROR)
        else:
            failure = Failure(FailureKind.LOCAL, repr(reason.value))
            self._relay.finished(
                self, Relayed(self.dial, gaveUp=GaveUp(GaveUpReason.LOCAL, failure))
            )

    def _over(self, outcome: Outcome) -> None:
        """
        Release the lease, as both sides of the pair are closed.
        """
        if self._tracked is not None:
            self._relay.table.remove(self._tracked)
            self._tracked = None
        result = self._result
        if result is not None and result.lease is not None:
            result.lease.release(outcome)
            self._relay.finished(self, result)

    def trackConnection(self) -> None:
        """
        Add the connection to the relay's table, if it has a host and is not in it yet. Only
        the endpoint knows the port of a connection that is being established.
        """
        pair, result = self._pair, self._result
        if self._tracked is None and pair is not None and pair.host.isOpen and result is not None:
            transport = pair.host.transport
            self._tracked = self._relay.table.add(
                _nameOf(transport.getHost()), _nameOf(transport.getPeer()), result.dial.clientAddr
            )

    @property
    def waits(self) -> bool:
        return self._wait is not None

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        attempt, result = self._attempt, self._result
        if self._pair is not None:
            if result is not None and result.lease is not None and result.lease.host is host:
                self._pair.abort(outcome)
        elif attempt is not None and attempt.host is host and outcome is not Outcome.HOST_DOWN:
            self._stopConnecting()
            failure = Failure(FailureKind.BUSY, outcome.value)
            self.search(self._after(attempt, failure))

    def _stopConnecting(self) -> None:
        connecting, self._attempt, self._connecting = self._connecting, None, None
        if connecting is not None:
            connecting.cancel()

    def abort(self) -> None:
        """
        Reset the connection in any state.
        """
        attempt, wait = self._attempt, self._wait
        if self._pair is not None:
            self._pair.abort(Outcome.STOPPED)
        elif wait is not None:
            self._wait = None
            wait.cancel()
            self._closeClient()
            self._relay.finished(self, Relayed(self.dial))
        elif attempt is not None:
            self._stopConnecting()
            attempt.cancel()
            self._closeClient()
            self._relay.finished(self, Relayed(attempt.dial))

    # For an upgrade

    @classmethod
    def adopt(
        cls,
        relay: RelayParts,
        dial: Dial,
        lease: Lease,
        moved: MovedConnection,  # noqa: ARG003 - the fast relay has a use for it
        descriptors: Sequence[int],
    ) -> PortableConnection:
        """
        Make the connection that another process has served until now. Nothing is read or written
        before L{goOn}; L{become} comes between.

        @param descriptors: of the client's and of the host's socket, which are its from here.
        """
        client, host = [socket.socket(fileno=number) for number in descriptors]
        self = cls(relay, client, dial, b"", b"")
        self._client = None
        pair = self._pair = Pair(relay.deadlines, relay.timeouts, self._over)
        for sock, side in ((client, pair.client), (host, pair.host)):
            sock.setblocking(False)
            SocketTransport(relay.reactor, sock, side)
        pair.claim(lease)
        self._result = Relayed(dial, lease)
        return self

    @property
    def begun(self) -> bool:
        """
        Whether it has a host.
        """
        return self._pair is not None

    @property
    def over(self) -> bool:
        """
        Whether nothing is left of it to move.
        """
        return self._pair is None and self._client is None

    @property
    def lease(self) -> Lease:
        """
        The claim on its host, if it has one.
        """
        assert self._result is not None  # noqa: S101 - it has a host
        assert self._result.lease is not None  # noqa: S101 - as above
        return self._result.lease

    @property
    def header(self) -> bytes:
        """
        The bytes that go to the host before everything else, while there is none.
        """
        return self._header

    @property
    def lastMoved(self) -> float:
        """
        When something happened last, in seconds of the monotonic clock.
        """
        return 0.0 if self._pair is None else self._pair.lastMoved

    @property
    def whyStays(self) -> str:
        """
        The reason why no other process can take it over; empty if one can.
        """
        if self._pair is not None:
            return self._pair.whyStays
        return "" if isinstance(self._client, socket.socket) else "a transport of the reactor"

    def _sockets(self) -> list[socket.socket]:
        if self._pair is not None:
            return [side.transport.getHandle() for side in (self._pair.client, self._pair.host)]
        return [self._client] if isinstance(self._client, socket.socket) else []

    @property
    def descriptors(self) -> tuple[int, ...]:
        """
        The descriptors of the client's socket, and of the host's if it has a host.
        """
        return tuple(sock.fileno() for sock in self._sockets())

    @property
    def clientIsUNIX(self) -> bool:
        """
        Whether the client has come through a UNIX socket.
        """
        return self._sockets()[0].family == socket.AF_UNIX

    def _unsent(self) -> tuple[bytes, bytes]:
        pair = self._pair
        if pair is None:
            return b"", b""
        return pair.host.transport.unsent, pair.client.transport.unsent

    @property
    def isStill(self) -> bool:
        """
        Whether it holds no bytes. If that is so, it holds none until C{lastMoved} changes, or it
        is C{over}.
        """
        return not any(self._unsent())

    @property
    def free(self) -> tuple[int, int]:
        """
        How many bytes to the host, and to the client, have yet to be written that are counted
        already: all.
        """
        toHost, toClient = self._unsent()
        return len(toHost), len(toClient)

    @property
    def firstBytes(self) -> tuple[bytes, bytes]:
        """
        The bytes that go to the host, and to the client, first, while it has no host.
        """
        return self._toHost, self._toClient

    def states(self, hold: Callable[[bytes], int]) -> tuple[EndState, EndState, tuple[int, ...]]:
        """
        Tell how its sides stand, for the process that takes it over.

        @param hold: keeps bytes for that process, and returns their place.
        @return: the client's side, the host's, and no pipes.
        """
        assert self._pair is not None  # noqa: S101 - it has a host
        return (*self._pair.states(hold), ())

    def become(
        self,
        moved: MovedConnection | ChangedConnection,
        held: Callable[[int, int], bytes],
        pipes: Sequence[int],
    ) -> None:
        """
        Keep what the process before told, for L{goOn}.

        @param held: returns held bytes by their place and number.
        @param pipes: the descriptors of pipes with bytes, which are this object's from here.
        """
        lease = self.lease
        lease.bytesIn, lease.bytesOut = moved.bytesIn, moved.bytesOut
        lease.hostFirst = moved.hostFirst
        self._pipes = list(pipes)
        self._heldBytes = [
            held(state.heldAt, state.held) if state.held else b""
            for state in (moved.client, moved.hostEnd)
        ]

    def register(self) -> None:
        """
        Do nothing: the reactor watches its sockets when it goes on.
        """

    registerAgain = register

    def goOn(self, moved: MovedConnection | ChangedConnection) -> None:
        """
        Serve, as the process that had it before does not any more. It may have been ended before.

        @param moved: what that process told last.
        """
        pair = self._pair
        assert pair is not None  # noqa: S101 - it has a host
        if pair.isOver:
            return
        pipes = self._pipes
        for number, state in enumerate((moved.client, moved.hostEnd)):
            if state.piped:
                self._heldBytes[number] += _drained(pipes[:2], state.piped)
                del pipes[:2]
        toHost, toClient = self._heldBytes
        # Here bytes count when they are written to the transport, and in the fast relay when
        # the system has taken them.
        self.lease.add(len(toHost) - moved.freeIn, len(toClient) - moved.freeOut)
        pair.goOn(moved, {pair.client: toHost, pair.host: toClient})

    def stop(self) -> None:
        """
        Do nothing more, as another process serves it. L{leave} comes next.
        """
        wait, self._wait = self._wait, None
        attempt = self._attempt
        if self._pair is not None:
            self._pair.stop()
        elif wait is not None:
            wait.cancel()
        elif attempt is not None:
            self._stopConnecting()
            attempt.cancel()
        if self._tracked is not None:
            self._relay.table.remove(self._tracked)
            self._tracked = None

    def leave(self) -> None:
        """
        Close the descriptors of this process. The sockets stay as they are.
        """
        if self._pair is not None:
            self._pair.leave()
        self._closeClient()

    def resetCopy(self) -> None:
        """
        Have its sockets send a reset when they are closed, as no process serves it.
        """
        if self._pair is not None:
            for side in (self._pair.client, self._pair.host):
                side.transport.resetCopy()

    def _closeClient(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _nameOf(address: object) -> object:
    """
    Write an end of a connection as the system does.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return address.host, address.port
    return ""


def _unexpected(reason: TwistedFailure) -> Failure:
    _log.failure("connecting failed in an unexpected way", reason)
    return Failure(FailureKind.LOCAL, reason.getErrorMessage())


def _drained(pipe: Sequence[int], count: int) -> bytes:
    """
    Read the bytes that another process has left in a pipe, and close it.
    """
    data = b""
    while len(data) < count:
        data += os.read(pipe[0], count - len(data))
    for number in pipe:
        os.close(number)
    return data

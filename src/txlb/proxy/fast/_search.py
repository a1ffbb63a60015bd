"""
The search of one client for a host.
"""

from __future__ import annotations

import _socket
import errno
import select
import socket
from typing import TYPE_CHECKING, Any, Protocol

from txlb.connecting import RESET_SINCE
from txlb.errors import CertificateError
from txlb.pool import (
    Attempt,
    Dial,
    Failure,
    FailureKind,
    GaveUp,
    GaveUpReason,
    Host,
    Outcome,
    Step,
)
from txlb.proxy._clientwait import ClientWait
from txlb.proxy.fast._hosthandshake import HostHandshake
from txlb.proxy.fast._race import (
    CONNECTED_TO_ITSELF,
    FAILED,
    UNDER_WAY,
    AddressRace,
)
from txlb.proxy.fast._targets import Target, Targets, isSelfConnected
from txlb.proxy.fast._tlscalls import whyNot as whyNotTLS

if TYPE_CHECKING:
    from txlb.model import Address
    from txlb.proxy._connectiontable import ConnectionTable, TrackedConnection
    from txlb.proxy._results import Relayed, Timeouts
    from txlb.proxy.fast._loop import Loop
    from txlb.tls import ClientContext


class Relay(Protocol):
    """
    The parts of the fast relay that its connections use.
    """

    loop: Loop
    table: ConnectionTable
    targets: Targets

    def hostContext(self, attempt: Attempt) -> ClientContext | None:
        """
        Return the context for TLS to the host of an attempt; L{None} if none is spoken.
        """

    timeouts: Timeouts

    def finished(self, connection: Any, result: Relayed) -> None:
        """
        Take the result of a connection that is over.
        """


class Seeker(Protocol):
    """
    The owner of a search: the connection of a client that has no host yet.

    @ivar header: bytes that go to the host before TLS.
    """

    dial: Dial
    header: bytes

    def clientSocket(self) -> _socket.socket:
        """
        Make the object for the client's socket.
        """
        ...

    def askNoLaterThan(self, when: float) -> None:
        """
        Have C{deadlinePassed} called by a time.
        """

    def found(
        self,
        attempt: Attempt,
        sock: _socket.socket,
        event: int,
        tracked: TrackedConnection | None,
        secured: HostHandshake | None = None,
        sent: int = 0,
    ) -> None:
        """
        Take the host that was found. The search is over.

        @param sock: the connected socket, which belongs to the owner from here.
        @param event: the event of the loop that told it; 0 if the loop does not watch the
            socket yet.
        @param tracked: its entry in the table of connections; L{None} for none.
        @param secured: its TLS handshake, which is done; L{None} if no TLS is spoken to it.
        @param sent: bytes of L{opening} that it has taken already.
        """

    def hostBroke(self) -> None:
        """
        Take note that the host that was found has reset the connection since.
        """

    def opening(self) -> bytes:
        """
        Return the bytes that a host without TLS gets first: the header, those that were read
        before, and those that the client has sent by now. They are kept until L{found}.
        """
        ...

    def notFound(self, gaveUp: GaveUp) -> None:
        """
        Take the end of a search that found no host.
        """

    def breakDown(self) -> None:
        """
        End the connection, as a handler of the search raised.
        """


class Search:
    """
    The search of one client for a host. Owned by the client's connection, until a host is
    found.

    The client's socket is not registered and not read meanwhile. The bytes that it sends early
    wait in the kernel for the host that is found.

    @ivar attempt: the host that is being connected to; L{None} for none.
    """

    __slots__ = (
        "_client",
        "_handshake",
        "_race",
        "_relay",
        "_sock",
        "_tracked",
        "_wait",
        "attempt",
    )

    def __init__(self, client: Seeker, relay: Relay) -> None:
        self._client = client
        self._relay = relay
        self.attempt: Attempt | None = None
        # Of the host that is being connected to.
        self._sock: _socket.socket | None = None
        self._tracked: TrackedConnection | None = None
        self._race: AddressRace | None = None
        self._wait: ClientWait | None = None
        self._handshake: HostHandshake | None = None

    def run(self, step: Step) -> None:
        """
        Connect to a host, or to the next one if that fails at once, until
        one takes its time, there is none, or the client has to wait.
        """
        while isinstance(step, Attempt):
            self.attempt = step
            failure = self._connect(step)
            if failure is None:
                return
            step = self._after(step, failure)
        self.attempt = None
        if isinstance(step, GaveUp):
            self._client.notFound(step)
            return
        self._wait = ClientWait(
            self.loop.deadlines, self._client.clientSocket(), step, self._goOn, self._clientLeft
        )

    def _after(self, attempt: Attempt, failure: Failure) -> Step:
        """
        Report that a host was not reached.

        @return: the next step.
        """
        return attempt.failed(failure, self.loop.deadlines.sleptSince(attempt.dial.began))

    def _goOn(self, step: Attempt | GaveUp) -> None:
        self._wait = None
        try:
            self.run(step)
        except Exception:
            self._client.breakDown()
            raise

    def _clientLeft(self) -> None:
        self._wait = None
        self._client.notFound(GaveUp(GaveUpReason.CLIENT_GONE))

    def _connect(self, attempt: Attempt) -> Failure | None:
        """
        Begin to connect to a host.

        @return: why it failed, if it has failed already.
        """
        relay = self._relay
        target = relay.targets.of(attempt.address)
        try:
            sock, number = target.connect()
        except OSError as error:
            failure = relay.targets.failed(target, error.errno or 0)
            return self._elsewhere(attempt, failure)
        self._sock = sock
        if number not in UNDER_WAY:
            self._dropHost()
            return self._elsewhere(attempt, relay.targets.failed(target, number))
        # Its host may see the connection, and ask for its client, before the loop tells of it.
        if relay.table.tracking:
            self.trackConnection()
        self._client.askNoLaterThan(attempt.deadline)
        if target.near:
            if target.isUNIX:
                # A UNIX socket is connected by now, or connect() has failed.
                return self._found(attempt, sock, 0)
            return self._ask(attempt, sock, target)
        if len(attempt.lease.host.addresses) == 1:
            relay.loop.watch(sock.fileno(), self)
        else:
            self._raceFrom(attempt, sock, target)
        return None

    def _ask(self, attempt: Attempt, sock: _socket.socket, target: Target) -> Failure | None:
        """
        Ask a socket whether it is connected, by sending the first bytes. A near host has answered
        by now, so that this costs less than to wait for an event.
        """
        # Most hosts speak no TLS.
        plain = attempt.lease.host.configured.tls is None and attempt.dial.pool.settings.tls is None
        try:
            sent = sock.send(self._client.opening() if plain else b"")
        except BlockingIOError:
            if len(attempt.lease.host.addresses) == 1:
                self.loop.watch(sock.fileno(), self)
            else:
                self._raceFrom(attempt, sock, target)
            return None
        except OSError as error:
            if error.errno in RESET_SINCE:
                failure = self._found(attempt, sock, 0)
                if failure is None and self._handshake is None:
                    self._client.hostBroke()
                return failure
            self._dropHost()
            failure = self.targets.failed(target, error.errno or 0)
            return self._elsewhere(attempt, failure)
        if target.mayBeItself and isSelfConnected(sock):
            self._dropHost()
            return self._elsewhere(attempt, CONNECTED_TO_ITSELF)
        if plain:
            self._client.found(attempt, sock, 0, self._tracked, None, sent)
            return None
        return self._found(attempt, sock, 0)

    def _found(self, attempt: Attempt, sock: _socket.socket, event: int) -> Failure | None:
        """
        Take a host that was reached. If TLS is spoken to it the handshake comes first, within
        the time of the attempt.

        @param event: the event of the loop that told it; 0 if the loop does not watch it yet.
        @return: why it can't be used, if that is known.
        """
        try:
            context = self._relay.hostContext(attempt)
        except CertificateError as error:
            self._dropHost()
            return Failure(FailureKind.UNREACHABLE, str(error))
        if context is None:
            self._client.found(attempt, sock, event, self._tracked)
            return None
        why = whyNotTLS()
        if why is not None:
            # The host was given TLS after the relay was chosen for this connection.
            self._dropHost()
            return Failure(FailureKind.UNREACHABLE, f"the fast relay can't speak TLS: {why}")
        self._sock = sock
        self._handshake = HostHandshake(
            self.loop, sock, context, attempt, self._secured, self._notSecured
        )
        self._client.askNoLaterThan(attempt.deadline)
        self._handshake.start(self._client.header, bool(event))
        return None

    def _secured(self) -> None:
        """
        Go on, as the handshake with the host is done.
        """
        attempt, sock, handshake = self.attempt, self._sock, self._handshake
        if attempt is not None and sock is not None:
            event = select.EPOLLIN | select.EPOLLOUT
            self._client.found(attempt, sock, event, self._tracked, handshake)

    def _notSecured(self, reason: str) -> None:
        """
        Go on to the next host, as the handshake with this one has failed.
        """
        attempt = self.attempt
        if attempt is not None:
            detail = f"the TLS handshake failed: {reason}"
            self._failed(attempt, Failure(FailureKind.UNREACHABLE, detail))

    def _raceFrom(self, attempt: Attempt, sock: _socket.socket, target: Target) -> None:
        """
        Try the other addresses of a host as well, as the first one does not answer at once.
        """
        tracked, self._tracked, self._sock = self._tracked, None, None
        self._race = AddressRace(self, attempt)
        self._race.join(target, sock, tracked)

    def _elsewhere(self, attempt: Attempt, failure: Failure) -> Failure | None:
        """
        Try the other addresses of a host, if it has others, as the first one could not be
        reached.

        @return: why the host can't be reached, if that is known.
        """
        if len(attempt.lease.host.addresses) < 2 or failure.kind is FailureKind.LOCAL:
            return failure
        self._race = AddressRace(self, attempt)
        found = self._race.goOn(failure)
        if found is not None:
            self._race = None
        else:
            self._client.askNoLaterThan(attempt.deadline)
        return found

    def event(self, event: int) -> None:
        """
        Take the loop's event for a host that is being connected to.
        """
        attempt, sock = self.attempt, self._sock
        if attempt is None or sock is None:
            return
        targets = self.targets
        target = targets.of(attempt.address)
        if event & FAILED:
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number in RESET_SINCE:
                # The bytes that the host had sent can still be read.
                self._take(attempt, sock, select.EPOLLOUT)
                if self._handshake is None:
                    self._client.hostBroke()
                return
            if number or not event & select.EPOLLOUT:
                self._failed(attempt, targets.failed(target, number or errno.ECONNREFUSED))
                return
        if target.mayBeItself and isSelfConnected(sock):
            self._failed(attempt, CONNECTED_TO_ITSELF)
        elif attempt.lease.host.configured.tls is None and attempt.dial.pool.settings.tls is None:
            # As above.
            self._client.found(attempt, sock, event, self._tracked)
        else:
            self._take(attempt, sock, event)

    def _take(self, attempt: Attempt, sock: _socket.socket, event: int) -> None:
        """
        Take a host that was reached, and go on to the next one if it can't be used.
        """
        failure = self._found(attempt, sock, event)
        if failure is not None:
            self._failed(attempt, failure)

    def deadlinePassed(self, now: float) -> float | None:
        """
        Go on to the next host if the time of this one is over.

        @return: when to ask again; L{None} if that is known otherwise.
        """
        attempt = self.attempt
        if attempt is None:
            return None
        # No answer could be read while the process slept.
        slept = self.loop.deadlines.sleptSince(attempt.lease.since)
        deadline = attempt.deadline + slept
        if now < deadline:
            return deadline
        self.loop.now = now
        reason = "no answer in time"
        if self._handshake is not None:
            reason = "no end of the TLS handshake in time"
        self._failed(attempt, Failure(FailureKind.TIMEOUT, reason))
        return None

    def _failed(self, attempt: Attempt, failure: Failure) -> None:
        self.attempt = None
        self._endRace()
        self._dropHost()
        self.run(self._after(attempt, failure))

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        """
        Go on to the next host if this one is being connected to. If it is down, connecting
        tells by itself.
        """
        attempt = self.attempt
        if attempt is not None and attempt.host is host and outcome is not Outcome.HOST_DOWN:
            self._failed(attempt, Failure(FailureKind.BUSY, outcome.value))

    # For the race

    @property
    def loop(self) -> Loop:
        """
        The loop of the relay.
        """
        return self._relay.loop

    @property
    def targets(self) -> Targets:
        """
        How to connect to addresses.
        """
        return self._relay.targets

    def raceWon(
        self, attempt: Attempt, sock: _socket.socket, event: int, tracked: TrackedConnection | None
    ) -> None:
        self._race = None
        self._tracked = tracked
        self._take(attempt, sock, event)

    def raceLost(self, attempt: Attempt, failure: Failure) -> None:
        self._race = None
        self._failed(attempt, failure)

    def hostBroke(self) -> None:
        # A handshake notices it.
        if self._handshake is None:
            self._client.hostBroke()

    def breakDown(self) -> None:
        """
        End the connection, as a handler raised.
        """
        self._client.breakDown()

    # The table of connections

    @property
    def tracking(self) -> bool:
        """
        Whether connections are added to the table.
        """
        return self._relay.table.tracking

    def trackConnection(self) -> None:
        """
        Add the connection to the host to the table, if it is not in it yet.
        """
        if self._race is not None:
            self._race.trackConnections()
        elif self._tracked is None and self._sock is not None and self.attempt is not None:
            self._tracked = self.track(self._sock, self.attempt.address)

    def track(self, sock: _socket.socket, address: Address) -> TrackedConnection | None:
        """
        Add a connection to an address to the table.

        @return: its entry, for L{untrack}; L{None} if it has none.
        """
        return trackedConnection(self._relay.table, sock, address, self._client.dial.clientAddr)

    def untrack(self, tracked: TrackedConnection) -> None:
        """
        Remove a connection from the table.
        """
        self._relay.table.remove(tracked)

    # The end

    @property
    def waits(self) -> bool:
        """
        Whether the client waits until a host has room.
        """
        return self._wait is not None

    def cancel(self) -> None:
        """
        End the search. If it is over already this does nothing.
        """
        attempt, self.attempt = self.attempt, None
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.cancel()
        self._endRace()
        self._dropHost()
        if attempt is not None:
            attempt.cancel()

    def _endRace(self) -> None:
        race, self._race = self._race, None
        if race is not None:
            race.end()

    def _dropHost(self) -> None:
        """
        Close the socket of a host that could not be reached.
        """
        if self._handshake is not None:
            self._handshake.stop()
            self._handshake = None
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._tracked is not None:
            self.untrack(self._tracked)
            self._tracked = None
        self.loop.handle(sock.fileno(), None)
        self.loop.closeSoon(sock)


def trackedConnection(
    table: ConnectionTable, sock: _socket.socket, host: Address | None, clientAddr: object
) -> TrackedConnection | None:
    """
    Add a connection to a host to the table.

    @param host: the host's end of it; L{None} for the end that the system tells.
    @return: its entry; L{None} for a UNIX socket, and if the connection is gone.
    """
    if sock.family == socket.AF_UNIX:
        return None
    try:
        return table.add(
            sock.getsockname(), sock.getpeername() if host is None else host, clientAddr
        )
    except OSError:
        return None  # the loop will tell that it is gone

"""
The first part of a connection's life: looking for a host.
"""

from __future__ import annotations

import _socket
import errno
import select
import socket
from typing import TYPE_CHECKING

from txlb.connecting import RESET_SINCE
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
)
from txlb.proxy._results import Relayed
from txlb.proxy._wait import ClientWait
from txlb.proxy.fast._race import (
    CONNECTED_TO_ITSELF,
    FAILED,
    UNDER_WAY,
    AddressRace,
)
from txlb.proxy.fast._targets import Target, Targets, isSelfConnected

if TYPE_CHECKING:
    from txlb.model import Address
    from txlb.proxy._origins import Origin
    from txlb.proxy.fast._end import End
    from txlb.proxy.fast._loop import Loop
    from txlb.proxy.fast._relay import FastRelay
    from txlb.proxy.fast._wheel import Waiting


class Search:
    """
    A client that has no host yet. L{txlb.proxy.fast._connection.Connection} adds
    what follows, and makes all of it.

    The client's socket is not registered and not read: what it sends early
    waits in the kernel, and is there for the host that is found.

    @ivar lease: the claim on the host that was found; there is none before.
    @ivar begun: whether a host was found.
    @ivar over: whether it has ended.
    @ivar slot: where it stands in the wheel; that keeps this.
    """

    __slots__ = (
        "_askAt",
        "_attempt",
        "_client",
        "_hostSocket",
        "_origin",
        "_race",
        "_relay",
        "_wait",
        "begun",
        "dial",
        "lease",
        "loop",
        "over",
        "slot",
    )

    _relay: FastRelay
    loop: Loop
    _client: End
    _hostSocket: _socket.socket | None
    dial: Dial
    _attempt: Attempt | None
    _race: AddressRace | None
    _wait: ClientWait | None
    lease: Lease
    begun: bool
    _askAt: float
    _origin: Origin | None
    over: bool
    slot: set[Waiting] | None

    def search(self, step: Step) -> None:
        """
        Connect to a host, or to the next one where that fails at once, until
        one takes its time, there is none, or the client has to wait.
        """
        while isinstance(step, Attempt):
            self._attempt = step
            self.dial = step.dial
            failure = self._connect(step)
            if failure is None:
                return
            step = step.failed(failure, self.loop.deadlines.sleptSince(self.dial.began))
        self._attempt = None
        if isinstance(step, GaveUp):
            self._close(Relayed(self.dial, gaveUp=step))
            return
        self.dial = step.dial
        self._wait = ClientWait(
            self.loop.deadlines, self._client.socket(), step, self._goOn, self._clientLeft
        )

    def _goOn(self, step: Attempt | GaveUp) -> None:
        self._wait = None
        try:
            self.search(step)
        except Exception:
            self.abort(Outcome.ERROR)
            raise

    def _clientLeft(self) -> None:
        self._wait = None
        self._close(Relayed(self.dial, gaveUp=GaveUp(GaveUpReason.CLIENT_GONE)))

    def _connect(self, attempt: Attempt) -> Failure | None:
        """
        @return: why it failed, where it has failed already.
        """
        target = self._relay.targets.of(attempt.address)
        try:
            sock, number = target.connect()
        except OSError as error:
            failure = self._relay.targets.failed(target, error.errno or 0)
            return self._elsewhere(attempt, failure)
        self._hostSocket = sock
        if number not in UNDER_WAY:
            self._dropHost()
            return self._elsewhere(attempt, self._relay.targets.failed(target, number))
        # Its host may see it, and ask for it, before we hear of it again.
        if self._relay.origins.keeping:
            self.noteOrigin()
        deadline = attempt.deadline
        if self.slot is None or deadline < self._askAt:
            self.askBy(deadline)
        if target.near:
            if target.isUNIX:
                # There it is connected, or connect() has failed.
                self._begin(attempt, sock)
                return None
            return self._ask(attempt, sock, target)
        if len(attempt.lease.host.addresses) == 1:
            self.loop.watch(sock.fileno(), self.connecting)
        else:
            self._raceFrom(attempt, sock, target)
        return None

    def _ask(self, attempt: Attempt, sock: _socket.socket, target: Target) -> Failure | None:
        """
        A near host has answered by now: to ask costs less than to be told.
        """
        try:
            sock.send(b"")
        except BlockingIOError:
            if len(attempt.lease.host.addresses) == 1:
                self.loop.watch(sock.fileno(), self.connecting)
            else:
                self._raceFrom(attempt, sock, target)
            return None
        except OSError as error:
            if error.errno in RESET_SINCE:
                self._begin(attempt, sock)
                self.hostBroke()
                return None
            self._dropHost()
            failure = self._relay.targets.failed(target, error.errno or 0)
            return self._elsewhere(attempt, failure)
        if target.mayBeItself and isSelfConnected(sock):
            self._dropHost()
            return self._elsewhere(attempt, CONNECTED_TO_ITSELF)
        self._begin(attempt, sock)
        return None

    def _raceFrom(self, attempt: Attempt, sock: _socket.socket, target: Target) -> None:
        """
        The host takes its time, and has other addresses: they are tried as well.
        """
        origin, self._origin, self._hostSocket = self._origin, None, None
        self._race = AddressRace(self, attempt)
        self._race.join(target, sock, origin)

    def _elsewhere(self, attempt: Attempt, failure: Failure) -> Failure | None:
        """
        The host's address could not be reached. If it has others, they are tried.

        @return: why the host can't be reached, if that is known.
        """
        if len(attempt.lease.host.addresses) < 2 or failure.kind is FailureKind.LOCAL:
            return failure
        self._race = AddressRace(self, attempt)
        found = self._race.goOn(failure)
        if found is not None:
            self._race = None
        elif self.slot is None or attempt.deadline < self._askAt:
            self.askBy(attempt.deadline)
        return found

    def raceWon(
        self, attempt: Attempt, sock: _socket.socket, event: int, origin: Origin | None
    ) -> None:
        """
        One of the host's addresses was reached; the race is over.
        """
        self._race = None
        self._hostSocket, self._origin = sock, origin
        self._begin(attempt, sock, event)

    def raceLost(self, attempt: Attempt, failure: Failure) -> None:
        """
        None of the host's addresses could be reached; the race is over.
        """
        self._race = None
        self._failed(attempt, failure)

    def _endRace(self) -> None:
        race, self._race = self._race, None
        if race is not None:
            race.end()

    def _dropHost(self) -> None:
        """
        Be rid of the socket of a host that could not be reached.
        """
        sock, self._hostSocket = self._hostSocket, None
        if sock is None:
            return
        self._forgetOrigin()
        self.loop.handle(sock.fileno(), None)
        self.loop.closeSoon(sock)

    def connecting(self, event: int) -> None:
        """
        The loop tells that a host has been reached, or has not.
        """
        attempt = self._attempt
        if attempt is None:
            return
        sock = self._hostSocket
        if sock is None:
            return
        targets = self._relay.targets
        target = targets.of(attempt.address)
        if event & FAILED:
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number in RESET_SINCE:
                # What the host had sent can be read all the same.
                self._begin(attempt, sock, select.EPOLLOUT)
                self.hostBroke()
                return
            if number or not event & select.EPOLLOUT:
                self._failed(attempt, targets.failed(target, number or errno.ECONNREFUSED))
                return
        if target.mayBeItself and isSelfConnected(sock):
            self._failed(attempt, CONNECTED_TO_ITSELF)
            return
        self._begin(attempt, sock, event)

    def _failed(self, attempt: Attempt, failure: Failure) -> None:
        self._attempt = None
        self._endRace()
        self._dropHost()
        self.search(attempt.failed(failure, self.loop.deadlines.sleptSince(self.dial.began)))

    # For those who ask whose it is

    def noteOrigin(self) -> None:
        if self._race is not None:
            self._race.noteOrigins()
            return
        sock, attempt = self._hostSocket, self._attempt
        if self._origin is None and sock is not None and sock.family != socket.AF_UNIX:
            self._origin = self.note(sock, None if attempt is None else attempt.address)

    def note(self, sock: _socket.socket, address: Address | None) -> Origin | None:
        """
        Note a connection to the host. See L{noteOrigin}.

        @param address: the host's end of it; L{None} for what the system says.
        @return: what L{forget} wants; L{None} if there is nothing to note.
        """
        try:
            host = sock.getpeername() if address is None else address
            return self._relay.origins.add(sock.getsockname(), host, self.dial.clientAddr)
        except OSError:
            return None  # it is gone, and the loop will hear of it

    def forget(self, origin: Origin) -> None:
        """
        A connection that was noted is no more.
        """
        self._relay.origins.remove(origin)

    @property
    def noting(self) -> bool:
        """
        Whether connections are to be noted.
        """
        return self._relay.origins.keeping

    @property
    def targets(self) -> Targets:
        """
        How to connect to addresses.
        """
        return self._relay.targets

    def _forgetOrigin(self) -> None:
        if self._origin is not None:
            self.forget(self._origin)
            self._origin = None

    # The end

    @property
    def waits(self) -> bool:
        return self._wait is not None

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        attempt = self._attempt
        if self.begun:
            if self.lease.host is host:
                self.abort(outcome)
        elif attempt is not None and attempt.host is host and outcome is not Outcome.HOST_DOWN:
            self._failed(attempt, Failure(FailureKind.BUSY, outcome.value))

    def abort(self, outcome: Outcome = Outcome.STOPPED) -> None:
        """
        Reset it, in whatever state.
        """
        attempt, self._attempt = self._attempt, None
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.cancel()
            self._close(Relayed(self.dial))
        elif attempt is not None:
            self._endRace()
            attempt.cancel()
            self._close(Relayed(self.dial))
        else:
            self.end(outcome)

    # What follows

    def breakDown(self) -> None:
        """
        One of its handlers raised.
        """
        self.abort(Outcome.ERROR)

    def _begin(self, attempt: Attempt, sock: _socket.socket, event: int = 0) -> None:
        raise NotImplementedError

    def askBy(self, when: float) -> None:
        """
        Be asked then, which is before it would happen anyway.
        """
        raise NotImplementedError

    def hostBroke(self) -> None:
        """
        The host that was found has reset the connection by now.
        """
        raise NotImplementedError

    def _close(self, result: Relayed, outcome: Outcome = Outcome.NOT_CONNECTED) -> None:
        raise NotImplementedError

    def end(self, outcome: Outcome) -> None:
        """
        It is over; the first to say so says how.
        """
        raise NotImplementedError

"""
A relayed connection: both ends, the search for the host, the claim on it.
"""

from __future__ import annotations

import _socket
import socket
import struct
from typing import TYPE_CHECKING

from txlb.pool import Attempt, Failure, FailureKind, Outcome
from txlb.proxy._results import Relayed
from txlb.proxy._search import releaseSafely
from txlb.proxy._sockets import bytesOnTheWay, keepAlive
from txlb.proxy.fast._end import End
from txlb.proxy.fast._loop import EDGES, READ_EDGES
from txlb.proxy.fast._search import Search

if TYPE_CHECKING:
    from txlb.proxy.fast._relay import FastRelay

#: Closing with this sends a reset.
RESET = struct.pack("ii", 1, 0)

#: Seconds between two looks at a connection that may be silent for ever.
SELDOM = 3600.0


class Connection(Search):
    """
    One client, from the search for its host to the end. Owned by its relay.
    """

    __slots__ = (
        "_client",
        "_connectTime",
        "_freeIn",
        "_freeOut",
        "_host",
        "_lastMoved",
        "_onTheWay",
        "_toClient",
        "_toHost",
    )

    def __init__(self, relay: FastRelay, clientFd: int, toHost: bytes, toClient: bytes) -> None:
        super().__init__(relay, clientFd)
        self._toHost = toHost
        self._toClient = toClient
        self._client: End | None = None
        self._host: End | None = None
        self._connectTime = 0.0
        self._lastMoved = 0.0
        self._onTheWay = 0
        self._freeIn = self._freeOut = 0

    def _begin(self, attempt: Attempt, sock: _socket.socket) -> None:
        """
        The host is there: move bytes.
        """
        loop = self.loop
        # First of all: the lease is to be released whatever the following raises.
        self._attempt = None
        self._lease = attempt.lease
        attempt.connected()
        took = attempt.host.connectTime or 0.0
        self._connectTime = attempt.lease.since - attempt.dial.began + took
        self._lastMoved = loop.now
        client = self._client = End(self, self._clientSocket, True)
        host = self._host = End(self, sock, False)
        client.peer, host.peer = host, client
        host.hearsOut = True
        loop.handle(host.fd, host.event)
        idle = self._relay.timeouts.idle
        if idle:
            self._askBy(loop.now + idle)
        if self._toHost or self._toClient:
            self._sendFirst(client, host)
        # What the client sent early is there already; only then is there
        # anything to be told of it.
        client.pump()
        if not self.over:
            client.hearsOut = client.unsent is not None
            loop.watch(client.fd, client.event, EDGES if client.hearsOut else READ_EDGES)

    def _sendFirst(self, client: End, host: End) -> None:
        """
        Send what was handed over. It is not the other side's, and not counted.
        """
        self._freeIn, self._freeOut = len(self._toHost), len(self._toClient)
        for end, first in ((host, self._toHost), (client, self._toClient)):
            if first and not self.over:
                end.unsent = first
                end.flush()

    def _tellOf(self, event: int) -> None:
        if self._host is not None:
            self._host.event(event)

    # While it lasts

    def moved(self, end: End, count: int) -> None:
        """
        So many bytes that this end sent have been written to the other.
        """
        self._lastMoved = self.loop.now
        lease = self._lease
        if lease is None:
            return
        if end.isClient:
            if self._freeIn:
                free = min(self._freeIn, count)
                self._freeIn -= free
                count -= free
            lease.add(count, 0)
        else:
            if self._freeOut:
                free = min(self._freeOut, count)
                self._freeOut -= free
                count -= free
            lease.add(0, count)

    def halfClosed(self, end: End) -> None:
        """
        An end has finished sending.
        """
        if not end.isClient and not end.peer.ended and self._lease is not None:
            self._lease.hostFirst = True
        self._lastMoved = now = self.loop.now
        fin = self._relay.timeouts.fin
        if fin:
            self._askBy(now + fin)

    def _ask(self, when: float) -> None:
        self._askAt = when
        self.loop.wheel.add(self, when)

    def _askBy(self, when: float) -> None:
        """
        Be asked then, unless that happens before anyway.
        """
        if when < self._askAt:
            self.loop.wheel.remove(self)
            self._ask(when)

    def deadlinePassed(self, now: float) -> float | None:
        """
        See L{txlb.proxy.fast._wheel.Waiting.deadlinePassed}.
        """
        attempt = self._attempt
        if attempt is not None:
            if now >= attempt.deadline:
                self.loop.now = now
                self._failed(attempt, Failure(FailureKind.TIMEOUT, "no answer in time"))
                attempt = self._attempt
                if attempt is None:
                    return None
            self._askAt = attempt.deadline
        else:
            self._askAt = self._nextSilence(now)
        return None if self.over else self._askAt

    def _nextSilence(self, now: float) -> float:
        """
        End it if it was silent for too long.

        @return: when to look next.
        """
        client, host = self._client, self._host
        if client is None or host is None:
            return now + SELDOM
        # The client's has it from its listener; a short connection ends before
        # this, and does without.
        keepAlive(host.sock)
        half = client.ended or host.ended
        timeouts = self._relay.timeouts
        timeout = timeouts.fin if half else timeouts.idle
        if not timeout:
            return now + SELDOM
        onTheWay = bytesOnTheWay(client.sock) + bytesOnTheWay(host.sock)
        if onTheWay != self._onTheWay:
            # A slow reader empties the system's buffers for a long time before
            # there is anything to write again.
            self._onTheWay = onTheWay
            self._lastMoved = now
        if now - self._lastMoved >= timeout:
            self.end(Outcome.FIN_TIMEOUT if half else Outcome.IDLE_TIMEOUT)
        return self._lastMoved + timeout

    # The end

    def end(self, outcome: Outcome) -> None:
        """
        It is over; the first to say so says how.
        """
        lease = self._lease
        if self.over or lease is None:
            return
        if outcome is not Outcome.DONE:
            if outcome is Outcome.HOST_RESET and self._client is not None:
                lease.hostFirst = lease.hostFirst or not self._client.ended
            self._resetBoth()
        self._close(Relayed(self.dial, lease, connectTime=self._connectTime), outcome)

    def _sockets(self) -> tuple[_socket.socket, ...]:
        host = self._hostSocket
        return (self._clientSocket,) if host is None else (self._clientSocket, host)

    def _resetBoth(self) -> None:
        for sock in self._sockets():
            # A UNIX socket takes it too, and has no use for it.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _close(self, result: Relayed, outcome: Outcome = Outcome.NOT_CONNECTED) -> None:
        self.over = True
        loop = self.loop
        for sock in self._sockets():
            loop.handle(sock.fileno(), None)
        client, host = self._client, self._host
        if client is not None and host is not None:
            client.leavePipe()
            host.leavePipe()
        if self._origin is not None:
            self._forgetOrigin()
        loop.wheel.remove(self)
        loop.closeSoon(self)
        if result.lease is not None:
            releaseSafely(result.lease, outcome)
        self._relay.finished(self, result)

    def close(self) -> None:
        """
        Close the sockets; the loop calls this at the end of a batch.
        """
        self._clientSocket.close()
        if self._hostSocket is not None:
            self._hostSocket.close()
        client, host = self._client, self._host
        if client is not None and host is not None:
            # Rings of objects wait long to be collected.
            del client.peer, host.peer
            self._client = self._host = None

    def breakDown(self) -> None:
        """
        One of its handlers raised.
        """
        self.abort(Outcome.ERROR)

"""
The body of a response, which ends the claim on its host.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IProtocol, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss

from txlb.endpoints import PoolUpkeep
from txlb.pool import Lease, Outcome
from txlb.web._bodytransport import BodyTransport


class LeasedBody(Protocol):
    """
    A protocol that passes a response's body on, counts it, and releases the lease at
    its end.

    @param receiver: the caller's protocol.
    @param ending: the outcome of a body that is complete.
    @param upkeep: the pool's. The use of it passes to the body.
    """

    def __init__(
        self, receiver: IProtocol, lease: Lease, ending: Outcome, upkeep: PoolUpkeep
    ) -> None:
        self._receiver = receiver
        self._lease = lease
        self._ending = ending
        self._upkeep = upkeep
        self._isOver = False
        upkeep.add(self, lease.host, self._end)
        # The caller's use is over; that of this body begins.
        upkeep.release()

    def makeConnection(self, transport: ITransport) -> None:
        """
        Connect the receiver as well.
        """
        super().makeConnection(transport)
        body: Any = BodyTransport(transport, lambda: self._end(Outcome.CLIENT_GONE))
        self._receiver.makeConnection(body)

    def dataReceived(self, data: bytes) -> None:
        """
        Count the bytes and pass them on.
        """
        if not self._isOver:
            self._lease.addOut(len(data))
            self._receiver.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Release the lease: the body is complete, or the rest of it is lost.
        """
        complete = reason.check(ResponseDone, PotentialDataLoss)
        self._finish(self._ending if complete else Outcome.HOST_RESET, reason)

    def _end(self, outcome: Outcome) -> None:
        """
        Close the connection: the host has to be left, or the caller wants no more. The
        receiver is told at once, as C{readBody} expects.
        """
        self._finish(outcome, Failure(ResponseFailed([Failure(ConnectionAborted())])))
        if self.transport is not None:
            self.transport.loseConnection()

    def _finish(self, outcome: Outcome, reason: Failure) -> None:
        if not self._isOver:
            self._isOver = True
            self._lease.release(outcome)
            self._upkeep.remove(self)
            self._receiver.connectionLost(reason)

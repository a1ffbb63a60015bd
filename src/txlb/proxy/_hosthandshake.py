"""
The TLS handshake with a host under the portable relay.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred

from txlb.connecting import ConnectFailed
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import CertificateError
from txlb.pool import Attempt, Failure, FailureKind
from txlb.proxy._stepqueue import StepQueue
from txlb.proxy._tlstransport import HandshakeRefused, TLSTransport
from txlb.tls import ClientContext


class HostHandshake:
    """
    The handshake with the host of an attempt. Owned by the connection of its client.

    @param context: the context for the host.
    @param attempt: the attempt. The handshake has what is left of its time.
    @param protocol: is connected when the handshake is done.
    @param header: bytes that go before TLS, such as a PROXY header.
    @param reactor: where a step goes on that a thread has done.

    @ivar layer: the TLS layer, to be connected to the host.
    """

    def __init__(
        self,
        context: ClientContext,
        attempt: Attempt,
        protocol: Any,
        deadlines: Deadlines,
        steps: StepQueue,
        header: bytes = b"",
        reactor: Any = None,
    ) -> None:
        self._context = context
        self._attempt = attempt
        self._deadlines = deadlines
        self._steps = steps
        self._name = context.nameOf(attempt.host.configured.ipOrHost)
        self._deadline: Deadline | None = None
        self._refused = ""
        self._ready: Deferred[None] | None = None
        self._outcome: Failure | bool = False
        self.layer = TLSTransport(protocol, self, steps, self._truncated, header)
        self.layer.inThread = context.inThread(reactor)

    def whenDone(self) -> Deferred[None]:
        """
        Wait for the end of the handshake, as the host is connected.

        @return: fires with L{None} when it is done. It fails with L{ConnectFailed} if it
            fails, or is not done by the deadline of the attempt. If it is cancelled the
            connection is reset.
        """
        ready: Deferred[None] = Deferred(lambda _: self._stop())
        self._ready = ready
        if self._outcome is True:
            ready.callback(None)
        elif isinstance(self._outcome, Failure):
            ready.errback(ConnectFailed(self._outcome))
        else:
            since = self._attempt.lease.since
            left = self._attempt.deadline - since
            self._deadline = self._deadlines.patience(left, self._expired, since)
        return ready

    def begin(self, data: bytes) -> SSL.Connection | None:
        """
        Make the TLS side at once.
        """
        connection = self._context.connect(self._name, self._attempt.address)
        if data:
            connection.bio_write(data)
        return connection

    def done(self, connection: SSL.Connection) -> None:
        """
        Verify the name of the host. The layer connects the protocol after that.
        """
        try:
            self._context.verify(connection, self._name)
        except CertificateError as error:
            raise HandshakeRefused(str(error)) from None
        self._settle(True)

    def failed(self, reason: str) -> None:
        """
        Report that the host can't be used.
        """
        detail = f"the TLS handshake failed: {reason}"
        self._settle(Failure(FailureKind.UNREACHABLE, detail))

    def _settle(self, outcome: Failure | bool) -> None:
        self._outcome = outcome
        if self._deadline is not None:
            self._deadline.cancel()
        ready, self._ready = self._ready, None
        if ready is None:
            return
        if isinstance(outcome, Failure):
            ready.errback(ConnectFailed(outcome))
        else:
            # The layer connects the protocol first.
            self._deadlines.after(0.0, lambda: ready.callback(None))

    def _expired(self) -> None:
        self.layer.abandon()
        self._settle(Failure(FailureKind.TIMEOUT, "no end of the TLS handshake in time"))

    def _stop(self) -> None:
        self._ready = None
        if self._deadline is not None:
            self._deadline.cancel()
        self.layer.abandon()

    def explain(self, connection: SSL.Connection, reason: str) -> str:
        """
        Say why OpenSSL has refused the host.
        """
        return self._context.explain(connection, reason)

    def over(self, connection: SSL.Connection) -> None:
        """
        Keep the session, as the connection has ended in good order.
        """
        self._context.keep(connection, self._name, self._attempt.address)

    def _truncated(self) -> None:
        self._steps.truncations.happened("host")

    def gone(self) -> None:
        """
        Do nothing: the TLS side is not kept here.
        """

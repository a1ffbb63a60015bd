"""
One connection of a probe to a host.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

Result = TypeVar("Result")


class ProbeConnection(Protocol, Generic[Result]):
    """
    One connection that sends some bytes and finds a result in the answer. A probe derives from
    it and calls L{end} or L{fail}, which close the connection. Further calls have no effect.

    @param send: the bytes to send first.

    @ivar done: fires with the result, or fails with the error. If it is cancelled the connection
        is closed.
    """

    def __init__(self, send: bytes) -> None:
        self._send = send
        self._connecting: Deferred[Any] | None = None
        self._over = False
        self.done: Deferred[Result] = Deferred(lambda _: self._stop())

    def begin(self, connecting: Deferred[Any]) -> None:
        """
        Wait for the connection.
        """
        self._connecting = connecting
        connecting.addErrback(self._failed)

    def connectionMade(self) -> None:
        if self._send:
            self._transport.write(self._send)

    def end(self, result: Result) -> None:
        """
        Report the result.
        """
        if not self._over:
            self._stop()
            self.done.callback(result)

    def fail(self, error: Exception) -> None:
        """
        Report the error.
        """
        if not self._over:
            self._stop()
            self.done.errback(error)

    def _failed(self, reason: Failure) -> None:
        if not self._over:
            self._over = True
            self.done.errback(reason)

    def _stop(self) -> None:
        self._over = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self.transport is not None:
            self._transport.abortConnection()

    @property
    def _transport(self) -> Any:
        return self.transport

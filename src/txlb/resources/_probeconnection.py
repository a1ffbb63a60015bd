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
    One connection that sends something, and finds something in what comes back. A
    probe derives from it and calls L{end} or L{fail}; what comes after that counts
    for nothing. The connection is gone then.

    @param send: what is sent first.

    @ivar done: fires with what was found, or fails with what kept it from being
        found. If it is cancelled the connection is gone.
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
        Record what was found.
        """
        if not self._over:
            self._stop()
            self.done.callback(result)

    def fail(self, error: Exception) -> None:
        """
        Record why nothing can be found.
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

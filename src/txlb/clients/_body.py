"""
Bodies of HTTP answers, within bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from txlb.errors import TxlbError


class TooLong(TxlbError):
    """
    An answer, or a line of one, that is longer than it may be.
    """


class Body(Protocol):
    """
    Collects the body of an answer.

    @param most: bytes at most; a longer one is not read to its end.
    @param began: is called when data comes. A server may send the head of an answer that it does
        not have yet.
    """

    def __init__(self, most: int, began: Callable[[], object] | None = None) -> None:
        self._most = most
        self._began = began
        self._data = bytearray()
        self._over = False
        self.done: Deferred[bytes] = Deferred(self._cancel)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if self._began is not None:
            self._began()
        if len(self._data) > self._most:
            self._end(Failure(TooLong(f"the answer has more than {self._most} bytes")))
            abort(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        whole = reason.check(ResponseDone, PotentialDataLoss)
        self._end(bytes(self._data) if whole else reason)

    def _cancel(self, _: Deferred[bytes]) -> None:
        self._over = True
        abort(self.transport)
        self.done.errback(CancelledError())

    def _end(self, result: Any) -> None:
        if not self._over:
            self._over = True
            self._data = bytearray()
            self.done.callback(result)


class Lines(Protocol):
    """
    Passes the lines of an answer on while they come.

    @param most: bytes of a line at most.
    @param line: is called with each line, without its end.
    @param ended: is called once with the reason of the end; not after L{stop}.
    """

    def __init__(
        self, most: int, line: Callable[[bytes], object], ended: Callable[[Failure], object]
    ) -> None:
        self._most = most
        self._line = line
        self._ended = ended
        self._rest = bytearray()
        self._over = False

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        first, *more = data.split(b"\n")
        self._rest += first
        for each in more:
            line, self._rest = bytes(self._rest), bytearray(each)
            if len(line) > self._most:
                self._tooLong()
            if not self._isOver():
                self._line(line)
        if len(self._rest) > self._most:
            self._tooLong()

    def _isOver(self) -> bool:
        # A line may have ended it.
        return self._over

    def _tooLong(self) -> None:
        self._end(Failure(TooLong(f"a line of the answer has more than {self._most} bytes")))
        abort(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(reason)

    def _end(self, reason: Failure) -> None:
        if not self._over:
            self._over = True
            self._ended(reason)

    def stop(self) -> None:
        """
        Read no more.
        """
        self._over = True
        abort(self.transport)


def abort(transport: Any) -> None:
    """
    Close the connection of an answer that is not read to its end. Twisted shows a proxy in the
    place of the transport, which has no C{abortConnection} on all ways.
    """
    while transport is not None and not hasattr(transport, "abortConnection"):
        transport = getattr(transport, "_producer", None)
    if transport is not None:
        transport.abortConnection()

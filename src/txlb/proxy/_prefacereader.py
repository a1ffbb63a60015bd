"""
Reading the preface of a connection.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Deadlines
from txlb.interfaces import IPreface
from txlb.wire import Done, NeedMore, Reject

_log = Logger()


@implementer(IReadDescriptor)
class PrefaceReader:
    """
    The reader of one client's preface.

    @param sock: the client's socket, non-blocking. It is not closed here.
    @param preface: parses the bytes.
    @param verdict: is called once, with the preface's L{Done} or L{Reject}.
    @param told: is called with the address of the client when the preface has told that and needs
        more bytes. It may return a L{Reject}.
    """

    def __init__(
        self,
        sock: socket.socket,
        preface: IPreface,
        reactor: IReactorFDSet,
        deadlines: Deadlines,
        verdict: Callable[[Done | Reject], object],
        told: Callable[[tuple[str, int]], Reject | None] | None = None,
    ) -> None:
        self._sock = sock
        self._preface = preface
        self._reactor = reactor
        self._verdict = verdict
        self._told = told
        self._decided = False
        self._left = preface.maxBytes
        self._deadline = deadlines.patience(preface.timeout, self._expired)
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "txlb.proxy.PrefaceReader"

    def connectionLost(self, reason: Failure) -> None:
        """
        Look whether the client is gone. The event may have been meant for the former owner
        of the descriptor, in the same turn. Then the socket is watched again.
        """
        if not self._decided:
            self._reactor.addReader(self)
            self.doRead()

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event that it took for the former owner of
        the descriptor in the same turn: nothing is written before the preface is read.
        """

    def stop(self) -> None:
        """
        Reject the client, as the balancer stops.
        """
        self._decide(Reject("the balancer stops"))

    def doRead(self) -> None:
        try:
            data = self._sock.recv(self._left)
        except BlockingIOError:
            return
        except OSError as error:
            self._decide(Reject(f"the client is gone ({error.strerror})"))
            return
        if not data:
            self._end("the client sent nothing more")
            return
        self._left -= len(data)
        answer = self._ask(self._preface.feed, data)
        if isinstance(answer, NeedMore) and answer.clientAddr is not None:
            told, self._told = self._told, None
            if told is not None:
                answer = told(answer.clientAddr)
        if isinstance(answer, (Done, Reject)):
            self._decide(answer)
        elif not self._left:
            self._decide(Reject(f"{self._preface.maxBytes} bytes did not complete it"))

    def _expired(self) -> None:
        self._end(f"it was not complete within {self._preface.timeout:g} s")

    def _end(self, reason: str) -> None:
        answer = self._ask(self._preface.end, reason)
        self._decide(answer if isinstance(answer, (Done, Reject)) else Reject(reason))

    def _ask(self, method: Callable[[Any], object], argument: object) -> object:
        try:
            return method(argument)
        except Exception:  # noqa: BLE001 - a preface of a plugin may raise anything
            _log.failure("a preface could not be read")
            return Reject("it could not be read")

    def _decide(self, answer: Done | Reject) -> None:
        if not self._decided:
            self._decided = True
            self._deadline.cancel()
            self._reactor.removeReader(self)
            self._verdict(answer)

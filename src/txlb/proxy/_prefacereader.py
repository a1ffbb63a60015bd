"""
Reading the preface of a connection.
"""

from __future__ import annotations

import os
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
    The reader of one client's preface. L{take} takes the first bytes, and L{wait} waits for the
    rest.

    @param fd: the client's socket, non-blocking. It is not closed here.
    @param preface: parses the bytes.

    @ivar clientAddr: the address of the client, if the preface has told that and needs more
        bytes; else L{None}.
    """

    def __init__(self, fd: int, preface: IPreface) -> None:
        self._fd = fd
        self._preface = preface
        # The bytes that have come.
        self._count = 0
        self.clientAddr: tuple[str, int] | None = None
        self._waits = False

    def wait(
        self,
        reactor: IReactorFDSet,
        deadlines: Deadlines,
        verdict: Callable[[Done | Reject], object],
        told: Callable[[tuple[str, int]], Reject | None],
    ) -> None:
        """
        Read the rest as it comes, for as long as the preface gives the client.

        @param verdict: is called once, with the preface's L{Done} or L{Reject}.
        @param told: is called with the address of the client when the preface tells that and needs
            more bytes. It may return a L{Reject}.
        """
        self._reactor = reactor
        self._verdict = verdict
        self._told = told
        self._waits = True
        self._deadline = deadlines.patience(self._preface.timeout, self._expired)
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "txlb.proxy.PrefaceReader"

    def connectionLost(self, reason: Failure) -> None:
        """
        Look whether the client is gone. The event may have been meant for the former owner
        of the descriptor, in the same turn. Then the socket is watched again.
        """
        if self._waits:
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
        before = self.clientAddr
        answer = self._read()
        if answer is None and self.clientAddr is not None and before is None:
            answer = self._told(self.clientAddr)
        if answer is not None:
            self._decide(answer)

    def _read(self) -> Done | Reject | None:
        try:
            data = os.read(self._fd, self._preface.maxBytes - self._count)
        except BlockingIOError:
            return None
        except OSError as error:
            return Reject(f"the client is gone ({error.strerror})")
        if not data:
            return self._end("the client sent nothing more")
        return self.take(data)

    def take(self, data: bytes) -> Done | Reject | None:
        """
        Take the next bytes.

        @return: the verdict; L{None} if more are needed.
        """
        self._count += len(data)
        answer = self._ask(self._preface.feed, data)
        if isinstance(answer, (Done, Reject)):
            return answer
        # How many there may be is known now at the latest.
        if self._count >= self._preface.maxBytes:
            return Reject(f"{self._preface.maxBytes} bytes did not complete it")
        if isinstance(answer, NeedMore) and answer.clientAddr is not None:
            self.clientAddr = answer.clientAddr
        return None

    def _expired(self) -> None:
        self._decide(self._end(f"it was not complete within {self._preface.timeout:g} s"))

    def _end(self, reason: str) -> Done | Reject:
        answer = self._ask(self._preface.end, reason)
        return answer if isinstance(answer, (Done, Reject)) else Reject(reason)

    def _ask(self, method: Callable[[Any], object], argument: object) -> object:
        try:
            return method(argument)
        except Exception:  # noqa: BLE001 - a preface of a plugin may raise anything
            _log.failure("a preface could not be read")
            return Reject("it could not be read")

    def _decide(self, answer: Done | Reject) -> None:
        if self._waits:
            self._waits = False
            self._deadline.cancel()
            self._reactor.removeReader(self)
            verdict = self._verdict
            # They have this, and the collector would find the circle late.
            del self._verdict, self._told
            verdict(answer)

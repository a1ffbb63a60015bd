"""
A long answer, as the client reads it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from txlb.admin._log import log
from txlb.admin._work import RationedWork
from txlb.deadlines import Deadline, Deadlines

#: Pieces that are made at a time at most, and the seconds after which no other one is begun.
AT_ONCE = 12
ENOUGH = 0.0005

#: Seconds for which a client may read nothing.
STALLED = 60.0


@implementer(IPushProducer)
class Answering:
    """
    Writes the pieces of an answer. It is a L{txlb.admin._work.Job}: some pieces are made at a
    time, and none while the client does not read.

    @param request: the request, whose headers are set.
    @param pieces: the body.
    """

    stage = 0

    def __init__(
        self, request: Any, pieces: Iterator[bytes], work: RationedWork, deadlines: Deadlines
    ) -> None:
        self.source = f"{id(self):x}"
        self.cost = 0.0
        self._request = request
        self._pieces = pieces
        self._work = work
        self._deadlines = deadlines
        self._paused = self._ended = False
        self._stalled: Deadline | None = None

    def start(self) -> None:
        """
        Begin.
        """
        self._request.notifyFinish().addBoth(lambda _: self._end())
        self._request.registerProducer(self, True)
        self._work.add(self)

    def _end(self) -> None:
        self._ended = True
        self._work.remove(self)
        self._cancel()

    def _cancel(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    @property
    def _blocked(self) -> bool:
        return self._paused or self._ended

    def work(self) -> bool:
        """
        Make some pieces.
        """
        if self._blocked:
            return False
        made: list[bytes] = []
        until = time.perf_counter() + ENOUGH
        try:
            while len(made) < AT_ONCE and (not made or time.perf_counter() < until):
                piece = next(self._pieces, None)
                if piece is None:
                    self._finish(made)
                    return False
                made.append(piece)
        except Exception:  # noqa: BLE001 - the client must not take it for a whole answer
            log.failure("an answer of the console failed")
            self._request.unregisterProducer()
            self._request.loseConnection()
            return False
        self._request.write(b"".join(made))
        return not self._blocked

    def _finish(self, made: list[bytes]) -> None:
        self._request.unregisterProducer()
        self._request.write(b"".join(made))
        self._request.finish()

    def pauseProducing(self) -> None:
        """
        Stop: the client does not read.
        """
        self._paused = True
        self._work.remove(self)
        if self._stalled is None:
            self._stalled = self._deadlines.after(STALLED, self._drop)

    def _drop(self) -> None:
        # Its buffers are full: a connection that is closed would wait for them.
        self._request.transport.abortConnection()

    def resumeProducing(self) -> None:
        """
        Go on.
        """
        self._paused = False
        self._cancel()
        if not self._ended:
            self._work.add(self)

    def stopProducing(self) -> None:
        """
        Stop for good.
        """
        self._end()

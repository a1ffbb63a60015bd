"""
One call to several members of a registry.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from txlb.clients._etcderror import EtcdUnreachable

Result = TypeVar("Result")

#: Seconds until another member is asked as well, if no answer has begun. A member that has lost its
#: network or its leader may never answer what it was asked before that is back.
STAGGER = 0.4

#: The share by which that time is shorter or longer at most, at random.
JITTER = 0.25

#: Tries that are under way at most. The first one stays, as an answer may take its time.
MOST = 3


class Tries(Generic[Result]):
    """
    The tries of one call. If a try fails the next member is asked; if no answer to one begins soon
    the next member is asked as well, and the first answer counts. So a call is done soon after the
    registry is back, although earlier tries may never be answered.

    @param reactor: has the time.
    @param begin: begins a try. It is called with the number of the try, from 0, and with a
        function that it calls when an answer begins. The result may be cancelled.
    @param members: how many members are asked one after the other if each fails at once.
    @param random: the source of chance.
    """

    def __init__(
        self,
        reactor: Any,
        begin: Callable[[int, Callable[[], None]], Deferred[Result]],
        members: int,
        random: Random | None = None,
    ) -> None:
        self._reactor = reactor
        self._begin = begin
        self._members = members
        self._random = Random() if random is None else random
        self._count = self._failed = 0
        self._running: dict[int, Deferred[Result]] = {}
        self._answering: set[int] = set()
        self._error: Failure | None = None
        self._timer: IDelayedCall | None = None
        self._over = False
        self._done: Deferred[tuple[int, Result]] = Deferred(lambda _: self._stop())

    def run(self) -> Deferred[tuple[int, Result]]:
        """
        Begin.

        @return: fires with the number of the try that was answered first, and its answer. It fails
            with L{EtcdUnreachable} if no member answers, and with what another error of a try is.
            It may be cancelled.
        """
        self._next()
        return self._done

    def _next(self) -> None:
        number = self._count
        self._count += 1
        if len(self._running) >= MOST:
            # The second one: its member was asked before it was back, if it is back.
            dropped = list(self._running)[1]
            self._running.pop(dropped).cancel()
        trying = self._running[number] = self._begin(number, partial(self._answers, number))
        trying.addCallbacks(self._good, self._bad, (number,), {}, (number,))
        self._wait()

    def _wait(self) -> None:
        if self._timer is None and not self._over and not self._answering:
            seconds = STAGGER * (1 + JITTER * self._random.uniform(-1, 1))
            self._timer = self._reactor.callLater(seconds, self._alsoNext)

    def _alsoNext(self) -> None:
        self._timer = None
        if not self._answering:
            self._next()

    def _answers(self, number: int) -> None:
        if number in self._running:
            self._answering.add(number)

    def _good(self, answer: Result, number: int) -> None:
        self._running.pop(number)
        self._stop()
        self._done.callback((number, answer))

    def _bad(self, reason: Failure, number: int) -> None:
        self._answering.discard(number)
        if self._running.pop(number, None) is None:
            # It was given up.
            return
        if not reason.check(EtcdUnreachable):
            self._fail(reason)
            return
        self._failed += 1
        self._error = self._error or reason
        if self._failed < self._members:
            self._next()
        elif not self._running:
            self._fail(self._error)
        else:
            self._wait()

    def _fail(self, reason: Failure) -> None:
        self._stop()
        self._done.errback(reason)

    def _stop(self) -> None:
        self._over = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        running, self._running = self._running, {}
        for each in running.values():
            each.cancel()

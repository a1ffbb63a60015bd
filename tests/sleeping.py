"""
A reactor in a process that sleeps, for tests on a clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from zope.interface import implementer

from txlb.deadlines import TURNS


@implementer(IReactorFromThreads)
class ThreadedClock(Clock):
    """
    A clock that takes calls from threads, for the test to make. Such a one can't be
    told from a reactor, whose process may sleep.

    @ivar called: what was asked for.
    @ivar wasCalled: whether anything was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.called: list[Callable[[], object]] = []
        self.wasCalled = threading.Event()

    def callFromThread(
        self,
        callable: Callable[..., object],  # noqa: A002 - the interface says so
        *args: object,
        **kwargs: object,
    ) -> None:
        """
        See L{IReactorFromThreads}.
        """
        self.called.append(partial(callable, *args, **kwargs))
        self.wasCalled.set()

    def callInThread(
        self,
        callable: Callable[..., object],  # noqa: A002 - the interface says so
        *args: object,
        **kwargs: object,
    ) -> None:
        """
        See L{IReactorFromThreads}; not used.
        """

    def getThreadPool(self) -> None:
        """
        See L{IReactorFromThreads}; not used.
        """

    def suggestThreadPoolSize(self, size: int) -> None:
        """
        See L{IReactorFromThreads}; not used.
        """


class SleepingClock(ThreadedClock):
    """
    A clock whose process can sleep. As a reactor it makes the calls that are due, then
    looks for what is ready, again and again; a test plays what is ready between two
    calls of L{turn}.
    """

    def turn(self) -> None:
        """
        Make the calls that are due, but not those that they ask for.
        """
        # The clock keeps them in order.
        for call in [each for each in self.calls if each.getTime() <= self.seconds()]:
            # One may have cancelled or reset another.
            if call.active() and call.getTime() <= self.seconds():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def sleep(self, seconds: float) -> None:
        """
        Let the process sleep, and make the calls that are due when it goes on: before
        anything was read.
        """
        self.rightNow += seconds
        self.turn()

    def decide(self) -> None:
        """
        Have the turns after which deadlines are looked at.
        """
        for _ in range(TURNS):
            self.turn()

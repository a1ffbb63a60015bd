"""
Work that takes long, beside the data plane.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from txlb.process import Collector

if TYPE_CHECKING:
    from txlb.application._engine import Engine

#: Seconds of one slice of work in the reactor, and from its end to the next one. The reactor
#: serves clients in between, so that they have at least half of the time.
SLICE = 0.005
PAUSE = 0.005

#: While a thread works, Python lets the reactor have its turn within so many seconds. By
#: default it is 5 ms, and the reactor may lose its turn at each system call, of which a
#: connection takes a dozen.
SWITCH = 0.0005

_Result = TypeVar("_Result")


class Slices:
    """
    The runner of work that takes long, so that clients are served meanwhile: in slices
    if it uses data of the reactor's thread, in a thread if it is pure. Owned by the
    balancer.

    Before the balancer has started, and with a reactor that has no threads, such as one
    for tests, the work is done at once.

    @param engine: returns the parts of the run; L{None} before the balancer has
        started.
    @param seconds: a monotonic clock.
    @ivar collector: the garbage collector.
    """

    def __init__(self, engine: Callable[[], Engine | None], seconds: Callable[[], float]) -> None:
        self._engine = engine
        self._seconds = seconds
        self._until = 0.0
        self._quiet = 0
        self._small = False
        self._switch = 0.0
        self.collector = Collector()
        self._running = DeferredLock()

    async def run(self, steps: Iterable[object]) -> None:
        """
        Iterate over steps, each of some milliseconds at most. Of several such calls one works, and
        the others wait: each has a slice after a pause, and together they would hold the reactor.
        """
        await self._running.acquire()
        try:
            with self.working():
                for _ in steps:
                    await self.rest()
        finally:
            self._running.release()

    async def rest(self) -> None:
        """
        Let the reactor serve clients if this slice is over. It began with L{working}, or
        after the last pause or call in a thread.
        """
        if not self._small and self._seconds() >= self._until:
            await self.pause()

    async def pause(self) -> None:
        """
        Let the reactor serve clients before more is done.
        """
        engine = self._engine()
        if engine is None or not engine.started:
            return
        over: Deferred[None] = Deferred(lambda _: deadline.cancel())
        deadline = engine.deadlines.after(PAUSE, lambda: over.callback(None))
        await over
        self._begin()

    def _begin(self) -> None:
        """
        Begin a slice.
        """
        self._until = self._seconds() + SLICE

    def _threading(self) -> Any:
        """
        Return the reactor if it runs and has threads, else L{None}.
        """
        engine = self._engine()
        reactor = None if engine is None else engine.reactor
        if IReactorFromThreads.providedBy(reactor) and getattr(reactor, "running", False):
            return reactor
        return None

    async def inThread(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """
        Call a function that only uses its arguments, in a thread of its own.

        @return: the result of the function.
        @raise Exception: any exception of the function.
        """
        reactor = self._threading()
        if reactor is None:
            return function(*arguments)
        with self.working():
            found: _Result = await _threaded(reactor, function, arguments)
            self._begin()
        return found

    async def aside(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """
        Do the same as L{inThread} for what makes few objects, such as a look at files. The
        collector of garbage goes on.
        """
        reactor = self._threading()
        if reactor is None:
            return function(*arguments)
        found: _Result = await _threaded(reactor, function, arguments)
        return found

    @contextlib.contextmanager
    def working(self, small: bool = False) -> Iterator[None]:
        """
        Keep long work from holding the reactor by mechanisms of the whole process, until the
        end of a C{with} statement. Such statements may be nested. The first one begins a slice.

        The reactor gets its turn within L{SWITCH}, and the garbage collector rests: see
        L{Collector}.

        @param small: whether the work is one slice, however long it takes: so it is done at
            once on a slow machine as well, and its result is there when the call returns.
        """
        if not self._quiet:
            self._small = small
            self._begin()
            self._switch = sys.getswitchinterval()
            self.collector.rest()
            sys.setswitchinterval(min(SWITCH, self._switch))
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1
            if not self._quiet:
                sys.setswitchinterval(self._switch)
                self.collector.goOn()


def _threaded(
    reactor: Any, function: Callable[..., object], arguments: tuple[Any, ...]
) -> Deferred[Any]:
    """
    Call a function in a thread.

    @return: fires with its result, or fails with its exception.
    """
    done: Deferred[Any] = Deferred()

    def work() -> None:
        result: Any
        try:
            result = function(*arguments)
        except BaseException:  # noqa: BLE001 - it is raised again in the reactor's thread
            result = Failure()
        reactor.callFromThread(done.callback, result)

    # Not a daemon: a file that is being written when the process ends is complete.
    threading.Thread(target=work, name="txlb-file").start()
    return done

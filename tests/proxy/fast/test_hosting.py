"""
How the reactor hosts the loop.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.reactors import BY_NUMBER
from txlb.deadlines import Deadlines
from txlb.proxy.fast import Loop
from txlb.proxy.fast._handler import Calls
from txlb.proxy.fast._hosting import (
    EVENTS,
    SLICE,
    EpollHosting,
    Hosting,
    ReaderHosting,
    hostingBy,
)

#: What the fake reactor's epoll has for a descriptor.
THEIRS = 77


class FakeLoop:
    """
    A loop whose turns do what a test says.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.pending = False
        self.inTurn = False
        self.timeouts: list[float] = []
        self.turns: list[Callable[[], bool]] = []
        self.handlers: dict[int, Any] = {}
        self.caughtUp = 0
        self.looks = 0

    def seconds(self) -> float:
        return self.now

    def fileno(self) -> int:
        return 5

    def turn(self, timeout: float = 0.0, batches: int = 1) -> bool:
        self.timeouts.append(timeout)
        return self.turns.pop(0)() if self.turns else False

    def look(self) -> bool:
        self.looks += 1
        return False

    def catchUp(self) -> None:
        self.caughtUp += 1

    def watch(self, fd: int, handler: Any, events: int) -> None:
        self.handlers[fd] = handler

    def handle(self, fd: int, handler: Any) -> None:
        self.handlers[fd] = handler


class FakeReactor:
    """
    What L{EpollHosting} needs of an epoll reactor.
    """

    def __init__(self) -> None:
        self.running = True
        self._justStopped = False
        self.waits: list[float | None] = []
        self._pendingTimedCalls: list[Any] = []
        self._newTimedCalls: list[Any] = []
        # As the poller it has no events.
        self._poller = self
        self._selectables: dict[int, Any] = {}
        self._doReadOrWrite: Any = None

    def poll(self, delay: float, most: int) -> list[tuple[int, int]]:
        self.waits.append(delay)
        return []

    def doIteration(self, delay: float | None) -> None:
        self.waits.append(delay)


class EpollHostingTests(SynchronousTestCase):
    """
    The loop waits for the reactor.
    """

    def setUp(self) -> None:
        self.loop = FakeLoop()
        self.reactor = FakeReactor()
        self.hosting = EpollHosting(self.loop, self.reactor, THEIRS)
        self.hosting.begin()
        self.iterate: Any = self.reactor.doIteration

    def busy(self) -> bool:
        """
        A turn with events.
        """
        return True

    def reactorReady(self) -> bool:
        """
        A turn in which the reactor has something to do.
        """
        self.loop.handlers[THEIRS].event(select.EPOLLIN)
        return True

    def test_waits(self) -> None:
        """
        It waits as long as the reactor would, and the reactor does nothing where
        it has nothing to do.
        """
        for delay, timeout in ((0.25, 0.25), (None, -1.0), (0, 0)):
            self.loop.timeouts.clear()
            self.iterate(delay)
            self.assertEqual(self.loop.timeouts, [timeout])
        self.assertEqual(self.reactor.waits, [])

    def test_staysWhileBusy(self) -> None:
        """
        After a turn with events it waits for more, as long as the reactor's next
        call allows by then.
        """

        def takesTime() -> bool:
            self.loop.now += 0.5
            return True

        self.loop.turns = [self.busy, takesTime]
        self.reactor._pendingTimedCalls = [SimpleNamespace(time=7.0)]
        self.iterate(3.0)
        self.assertEqual(self.loop.timeouts, [3.0, 3.0, 2.5])
        self.loop.timeouts.clear()
        self.loop.turns = [self.busy]
        self.reactor._pendingTimedCalls = []
        self.iterate(None)
        self.assertEqual(self.loop.timeouts, [-1.0, -1.0])

    def test_reactorHasSomething(self) -> None:
        """
        What the reactor has to do is done at the end of that turn, without waiting.
        """
        self.loop.turns = [self.busy, self.reactorReady, self.busy]
        self.iterate(None)
        self.assertEqual(self.reactor.waits, [0])
        self.assertEqual(len(self.loop.turns), 1)
        # And not once more.
        self.loop.turns = []
        self.iterate(0.5)
        self.assertEqual(self.reactor.waits, [0])

    def test_looksBetween(self) -> None:
        """
        The loop looks for its own events before each event of the reactor.
        """
        done: list[tuple[int, int]] = []

        class Selectable:
            def logPrefix(self) -> str:
                return "test"

        def poll(_: float, most: int) -> list[tuple[int, int]]:
            return [(7, select.EPOLLIN), (8, select.EPOLLIN)][:most]

        def handle(_: object, fd: int, __: int) -> None:
            done.append((fd, self.loop.looks))

        self.hosting._poll = poll
        self.reactor._selectables = {7: Selectable(), 8: Selectable()}
        self.reactor._doReadOrWrite = handle
        self.loop.turns = [self.reactorReady]
        self.iterate(None)
        self.assertEqual(done, [(7, 1), (8, 2)])

    def test_newCall(self) -> None:
        """
        If an event of the loop leads to a new call of the reactor, that has a turn, which finds
        out how long to wait.
        """

        def calls() -> bool:
            self.reactor._newTimedCalls.append(SimpleNamespace(time=9.0))
            return True

        self.loop.turns = [self.busy, calls, self.busy, self.busy]
        self.iterate(3.0)
        self.assertEqual(len(self.loop.turns), 2)

    def test_soonerCall(self) -> None:
        """
        So it is if the next call comes sooner than before, whether it is the same one or not.
        """
        first = SimpleNamespace(time=9.0)

        def sooner() -> bool:
            first.time = 8.0
            return True

        def another() -> bool:
            self.reactor._pendingTimedCalls.insert(0, SimpleNamespace(time=7.0))
            return True

        def later() -> bool:
            self.reactor._pendingTimedCalls = [SimpleNamespace(time=9.5)]
            return True

        for event, left in ((sooner, 1), (another, 1), (later, 0)):
            self.reactor._pendingTimedCalls = [first]
            self.loop.turns = [event, self.busy]
            self.iterate(3.0)
            self.assertEqual(len(self.loop.turns), left, event.__name__)

    def test_callIsDue(self) -> None:
        """
        A call that is due by now has its turn, however busy the loop is.
        """
        self.loop.turns = [self.busy] * 5
        self.iterate(0.0)
        self.assertEqual(len(self.loop.turns), 4)

    def test_notLongerThanAsked(self) -> None:
        """
        Somebody who iterates by hand gets back in time, however busy the loop is.
        """

        def takesTime() -> bool:
            self.loop.now += 0.04
            return True

        self.loop.turns = [takesTime] * 10
        self.iterate(0.1)
        self.assertEqual(len(self.loop.turns), 7)
        for seen, wanted in zip(self.loop.timeouts, (0.1, 0.06, 0.02), strict=True):
            self.assertAlmostEqual(seen, wanted)

    def test_stopped(self) -> None:
        """
        A reactor that was stopped or crashed in a turn hears of it.
        """

        def stops() -> bool:
            self.reactor._justStopped = True
            return True

        def crashes() -> bool:
            self.reactor.running = False
            return True

        for end in (stops, crashes):
            self.reactor._justStopped, self.reactor.running = False, True
            self.loop.turns = [end, self.busy]
            self.iterate(None)
            self.assertEqual(len(self.loop.turns), 1)

    def test_pending(self) -> None:
        """
        With bulk to move it does not wait, and the reactor has its turn all the same.
        """
        self.loop.pending = True

        def lastOfIt() -> bool:
            self.loop.pending = False
            return False

        self.loop.turns = [lambda: False, lambda: False, self.reactorReady]
        self.iterate(None)
        self.assertEqual(self.loop.timeouts, [0.0, 0.0, 0.0])
        self.assertEqual(self.reactor.waits, [0])
        self.loop.turns = [lastOfIt, self.busy]
        self.iterate(None)
        self.assertEqual(len(self.loop.turns), 1)

    def test_iteratesWithinATurn(self) -> None:
        """
        Who iterates within a turn of the loop gets the reactor's own iteration.
        """
        self.loop.inTurn = True
        self.iterate(0.5)
        self.assertEqual((self.loop.timeouts, self.reactor.waits), ([], [0.5]))

    def test_end(self) -> None:
        """
        At the end the reactor has its own method again, and who has kept ours gets
        that.
        """
        self.hosting.end()
        self.assertNotIn("doIteration", vars(self.reactor))
        self.assertIsNone(self.loop.handlers[THEIRS])
        self.iterate(0.5)
        self.assertEqual((self.loop.timeouts, self.reactor.waits), ([], [0.5]))

    def test_endsInATurn(self) -> None:
        """
        A loop that ends in its turn is not turned again.
        """

        def ends() -> bool:
            self.hosting.end()
            return True

        self.loop.turns = [ends, self.busy]
        self.iterate(None)
        self.assertEqual(len(self.loop.turns), 1)

    def test_wrappedByAnother(self) -> None:
        """
        What somebody has put around it stays.
        """

        def theirs(delay: float | None) -> None:
            self.iterate(delay)

        self.reactor.doIteration = theirs  # type: ignore[method-assign]  # as others do
        self.hosting.end()
        self.reactor.doIteration(0.5)
        self.assertEqual((self.loop.timeouts, self.reactor.waits), ([], [0.5]))


class ChoiceTests(SynchronousTestCase):
    """
    Which way a reactor has.
    """

    def setUp(self) -> None:
        self.reactor = EPollReactor()
        self.addCleanup(self.closeReactor)

    def closeReactor(self) -> None:
        """
        Close what it has opened.
        """
        self.reactor.removeAll()
        self.reactor._poller.close()

    def hosting(self, reactor: Any) -> Hosting:
        """
        The way that it has for a loop.
        """
        return hostingBy(reactor, FakeLoop())

    def test_epoll(self) -> None:
        """
        An epoll reactor is waited for, by one loop; another is read by it.
        """
        first = self.hosting(self.reactor)
        self.assertIsInstance(first, EpollHosting)
        first.begin()
        self.assertIsInstance(self.hosting(self.reactor), ReaderHosting)
        first.end()
        self.assertIsInstance(self.hosting(self.reactor), EpollHosting)

    def test_others(self) -> None:
        """
        Every other reads the loop, also one that is made of it, of which nothing is
        known, and one whose epoll isn't where it was.
        """

        class Own(EPollReactor):
            pass

        own = Own()
        self.addCleanup(own._poller.close)
        self.addCleanup(own.removeAll)
        self.assertIsInstance(self.hosting(own), ReaderHosting)
        self.assertIsInstance(self.hosting(Clock()), ReaderHosting)
        poller, self.reactor._poller = self.reactor._poller, None
        self.addCleanup(setattr, self.reactor, "_poller", poller)
        self.assertIsInstance(self.hosting(self.reactor), ReaderHosting)


class ReaderHostingTests(SynchronousTestCase):
    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of the epoll's descriptor change
        nothing: the reactor reads the epoll until the end.
        """
        for kind in BY_NUMBER:
            reactor = kind()
            self.addCleanup(reactor.close)
            deadlines = Deadlines(reactor, reactor.seconds)
            loop = Loop(reactor, deadlines)
            hosting = ReaderHosting(loop, reactor)
            hosting.begin()
            reactor.tellOfFormer(hosting)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                heard: list[int] = []
                loop.watch(ours.fileno(), Calls(heard.append))
                self.assertTrue(reactor.turnUntil(lambda found=heard: bool(found)))
            hosting.end()
            hosting.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(set(reactor.getReaders()), reactor._internalReaders)
            loop.stop()
            deadlines.stop()


class RealReactorTests(SynchronousTestCase):
    """
    A loop around a real reactor, which goes on as ever.
    """

    def setUp(self) -> None:
        self.reactor: Any = EPollReactor()
        self.deadlines = Deadlines(self.reactor, self.reactor.seconds)
        self.loop = Loop(self.reactor, self.deadlines)
        self.loop.start()
        self.ours, self.far = socket.socketpair()
        self.turns = 0
        self.addCleanup(self.close)

    def close(self) -> None:
        """
        Close everything.
        """
        self.loop.stop()
        self.deadlines.stop()
        self.reactor.removeAll()
        self.reactor._poller.close()
        self.ours.close()
        self.far.close()

    def saturate(self, then: Callable[[], object]) -> None:
        """
        Keep the loop busy for ever: there is always something to read.

        @param then: is called in the loop's eleventh turn.
        """
        self.far.send(b"x")

        def handler(_: int) -> None:
            self.turns += 1
            if self.turns == 11:
                then()

        self.loop.watch(self.ours.fileno(), Calls(handler), select.EPOLLIN)

    def run_(self) -> None:
        """
        Run until something stops it; after a time that is an error.
        """
        late = self.reactor.callLater(30, self.fail, "nothing stopped it")
        self.reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: late.active() and late.cancel()
        )
        self.reactor.run(installSignalHandlers=False)
        self.assertFalse(late.active())

    def test_callsAreMade(self) -> None:
        """
        Timed calls, also those that are made in a turn of the loop.
        """
        later = self.reactor.callLater
        self.saturate(lambda: later(0, later, 0, self.reactor.stop))
        self.run_()
        self.assertTrue(self.turns > 10)

    def test_soonerCall(self) -> None:
        """
        A call that a turn of the loop makes sooner, the next one or another.
        """
        later = self.reactor.callLater
        for others in ((), (19,)):
            self.turns = 0
            stop = later(20, self.reactor.crash)
            calls = [later(each, self.fail) for each in others]
            self.saturate(partial(stop.reset, 0))
            late = later(30, self.fail, "nothing stopped it")
            self.reactor.run(installSignalHandlers=False)
            for each in (late, *calls):
                each.cancel()
            self.loop.unwatch(self.ours.fileno())
            self.assertTrue(self.turns > 10)

    def test_idle(self) -> None:
        """
        Nothing happens in the loop, and a call is made in time. What is tested is the
        wait for it.
        """
        self.reactor.callLater(0.01, self.reactor.stop)
        self.run_()

    def test_threads(self) -> None:
        """
        Calls from threads, beside a busy loop and an idle one.
        """
        reactor = self.reactor
        for busy in (False, True):
            thread = threading.Thread(target=reactor.callFromThread, args=(reactor.crash,))
            if busy:
                self.saturate(thread.start)
            else:
                reactor.callWhenRunning(thread.start)
            late = reactor.callLater(30, self.fail, "nothing stopped it")
            reactor.run(installSignalHandlers=False)
            late.cancel()
            thread.join()
        self.assertTrue(self.turns > 10)

    def test_descriptors(self) -> None:
        """
        The reactor's own descriptors, beside a busy loop.
        """
        reader, writer = os.pipe()
        self.saturate(lambda: os.write(writer, b"x"))
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        case = self

        class Reader:
            def fileno(self) -> int:
                return reader

            def logPrefix(self) -> str:
                return "test"

            def doRead(self) -> None:
                os.read(reader, 1)
                case.reactor.removeReader(self)
                case.reactor.stop()

            def connectionLost(self, reason: object) -> None:
                """
                Nothing to do.
                """

        self.reactor.addReader(Reader())
        self.run_()

    def test_slow(self) -> None:
        """
        If events of the reactor take long, the loop has a turn after each; if they are quick
        again, after some.
        """
        polled: list[int] = []
        poller, clock = self.reactor._poller, [0.0]

        class Poller:
            def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
                polled.append(most)
                found: list[tuple[int, int]] = poller.poll(timeout, most)
                return found

        self.reactor._poller = Poller()
        hosting: Any = EpollHosting(self.loop, self.reactor, poller.fileno())
        self.reactor._poller = poller

        def seconds(step: float) -> Callable[[], float]:
            def now() -> float:
                clock[0] += step
                return clock[0]

            return now

        for step in (2 * SLICE, SLICE / 2):
            self.patch(self.loop, "seconds", seconds(step))
            for _ in range(10):
                hosting._handleSome()
        self.assertEqual(polled[:10], [8, 4, 2, 1, 1, 1, 1, 1, 1, 1])
        self.assertEqual(polled[10:], [1, 2, 3, 4, 5, 6, 7, 8, 8, 8])

    def test_some(self) -> None:
        """
        If many descriptors of the reactor are ready, the loop has a turn after some of them. One
        that a handler removes gets its event no more.
        """
        read: list[int] = []
        turns: list[int] = []
        case = self

        class Reader:
            def __init__(self) -> None:
                self.near, self.far = socket.socketpair()
                case.addCleanup(self.near.close)
                case.addCleanup(self.far.close)
                self.far.send(b"x")

            def fileno(self) -> int:
                return self.near.fileno()

            def logPrefix(self) -> str:
                return "test"

            def doRead(self) -> None:
                read.append(self.near.fileno())
                case.reactor.removeReader(self)
                if not read[1:]:
                    case.reactor.removeReader(readers[-1])
                if len(read) == len(readers) - 1:
                    case.reactor.callLater(0, case.reactor.stop)

            def connectionLost(self, reason: object) -> None:
                """
                Nothing to do.
                """

        readers = [Reader() for _ in range(3 * EVENTS)]
        for each in readers:
            self.reactor.addReader(each)
        turn = self.loop.turn

        def counted(timeout: float = 0.0, batches: int = 1) -> int:
            turns.append(len(read))
            return turn(timeout, batches)

        self.patch(self.loop, "turn", counted)
        self.run_()
        self.assertEqual(len(set(read)), len(readers) - 1)
        steps = [after - before for before, after in itertools.pairwise([*turns, len(read)])]
        self.assertLessEqual(max(steps), EVENTS)

    def test_stoppedInATurn(self) -> None:
        """
        A handler of the loop stops the reactor.
        """
        self.far.send(b"x")
        self.loop.watch(
            self.ours.fileno(),
            Calls(lambda _: self.reactor.stop()),
            select.EPOLLIN | select.EPOLLET,
        )
        self.run_()

    def test_loopStoppedInATurn(self) -> None:
        """
        A handler of the loop stops that: the reactor goes on by itself.
        """

        def handler(_: int) -> None:
            self.loop.stop()
            self.reactor.callLater(0, self.reactor.stop)

        self.far.send(b"x")
        self.loop.watch(self.ours.fileno(), Calls(handler), select.EPOLLIN)
        self.run_()
        self.assertNotIn("doIteration", vars(self.reactor))
        self.loop = Loop(self.reactor, self.deadlines)

    def test_stopped(self) -> None:
        """
        A loop that has stopped leaves the reactor as it was.
        """
        self.loop.stop()
        self.assertNotIn("doIteration", vars(self.reactor))
        self.reactor.callLater(0, self.reactor.stop)
        self.run_()
        self.loop = Loop(self.reactor, self.deadlines)

"""
The parts of the fast relay, one by one.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import socket
import time
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import logOf
from tests.proxy.fast.stage import HandReactor, HandTurned, elsewhere, readSome
from txlb.deadlines import Deadlines
from txlb.pool import DialLimits, FailureKind, GaveUpReason, Outcome
from txlb.proxy import Timeouts
from txlb.proxy.fast import Loop, whyNot
from txlb.proxy.fast._pipes import PIPE_SIZE, RETRY, SMALLEST, Pipe, PipeStock
from txlb.proxy.fast._wheel import Waiting, Wheel


class Asked:
    """
    Has deadlines, and remembers when it was asked.
    """

    slot: set[Waiting] | None = None

    def __init__(self, *following: float | None) -> None:
        self.following = list(following)
        self.when: list[float] = []

    def deadlinePassed(self, now: float) -> float | None:
        """
        The next of those that follow.
        """
        self.when.append(now)
        return self.following.pop(0) if self.following else None


class Timed(Asked):
    """
    Has one deadline, and remembers when it was asked.
    """

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline

    def deadlinePassed(self, now: float) -> float | None:
        """
        The deadline, until it has come.
        """
        self.when.append(now)
        return None if now >= self.deadline else self.deadline


class WheelTests(SynchronousTestCase):
    """
    L{Wheel}.
    """

    def setUp(self) -> None:
        """
        A wheel on a clock.
        """
        self.clock = Clock()
        self.wheel = Wheel(Deadlines(self.clock, self.clock.seconds))

    def pass_(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        for _ in range(round(seconds * 1000)):
            self.clock.advance(0.001)

    def test_askedInTime(self) -> None:
        """
        However far a deadline is, the last question comes at most 10 ms after it. That is
        what a connect timeout may be late by, as the timers of HAProxy and nginx have a
        resolution of a millisecond. One that ends before is asked for nothing.
        """
        self.pass_(0.033)
        timed = [Timed(when) for when in (0.0, 0.04, 0.05, 0.133, 0.1999, 0.2, 0.55, 1.0, 2.001)]
        for each in timed:
            self.wheel.add(each, each.deadline)
        self.pass_(3)
        for each in timed:
            late = each.when[-1] - max(each.deadline, 0.033)
            self.assertTrue(0 <= late <= 0.01, (each.deadline, each.when))
            self.assertTrue(len(each.when) <= 2, each.when)

    def test_fewSlots(self) -> None:
        """
        Deadlines that are still far share wide slots, so that a second of new connections
        makes ten of them.
        """
        for number in range(1000):
            self.wheel.add(Asked(), 5.0 + number / 1000)
        self.assertTrue(len(self.wheel._slots) <= 11, len(self.wheel._slots))

    def test_anEarlierOne(self) -> None:
        """
        One that comes later with an earlier deadline is asked first.
        """
        late, early = Asked(), Asked()
        self.wheel.add(late, 3.0)
        self.wheel.add(early, 1.0)
        self.pass_(1.5)
        self.assertEqual((len(late.when), len(early.when)), (0, 1))

    def test_removed(self) -> None:
        """
        One that is removed is not asked, and can be removed again.
        """
        asked = Asked()
        self.wheel.add(asked, 1.0)
        self.wheel.remove(asked)
        self.wheel.remove(asked)
        self.pass_(2)
        self.assertEqual(asked.when, [])

    def test_stop(self) -> None:
        """
        Nobody is asked any more.
        """
        asked = Asked()
        self.wheel.add(asked, 1.0)
        self.wheel.stop()
        self.wheel.stop()
        self.pass_(2)
        self.assertEqual(asked.when, [])

    def test_raises(self) -> None:
        """
        One that raises keeps nobody else from being asked.
        """
        asked = [Asked() for _ in range(5)]
        for each in asked:
            self.wheel.add(each, 1.0)
        broken = Asked()
        with mock.patch.object(broken, "deadlinePassed", side_effect=ValueError("broken")):
            self.wheel.add(broken, 1.0)
            self.pass_(2)
        self.assertEqual([len(each.when) for each in asked], [1] * 5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_aDeadlineThatIsPast(self) -> None:
        """
        An answer that lies in the past is no endless loop.
        """
        asked = Asked(0.0, 0.0, 0.0, None)
        self.wheel.add(asked, 0.0)
        self.pass_(1)
        self.assertEqual(len(asked.when), 4)


class PipeTests(SynchronousTestCase):
    """
    L{PipeStock}.
    """

    def test_bounded(self) -> None:
        """
        There are no more than there may be, and those given back are used again.
        """
        stock = PipeStock(2)
        first, second = stock.take(), stock.take()
        assert first is not None and second is not None
        self.assertIs(stock.take(), None)
        stock.give(first)
        self.assertIs(stock.take(), first)
        stock.give(first)
        stock.discard(second)
        self.assertEqual((stock.made, stock.free), (1, 1))
        stock.close()
        self.assertEqual(stock.made, 0)

    def test_noDescriptors(self) -> None:
        """
        Where the system has none to give there is none, and it is asked again a second later.
        """
        clock = Clock()
        stock = PipeStock(seconds=clock.seconds)
        self.addCleanup(stock.close)
        with mock.patch("os.pipe2", side_effect=OSError(24, "Too many open files")):
            self.assertIs(stock.take(), None)
        self.assertIs(stock.take(), None)
        clock.advance(RETRY)
        self.give(stock)

    def give(self, stock: PipeStock) -> int:
        """
        Take a pipe and give it back.

        @return: its size.
        """
        pipe = stock.take()
        assert pipe is not None
        stock.give(pipe)
        return pipe.size

    def granting(self, most: int) -> mock._patch[object]:
        """
        Let the system grant pipes of this size at most, as it does to an ordinary user.
        """
        original = fcntl.fcntl

        def fcntl_(fd: int, command: int, argument: int = 0) -> int:
            if command == fcntl.F_SETPIPE_SZ and argument > most:
                raise PermissionError(1, "Operation not permitted")
            if command == fcntl.F_GETPIPE_SZ and most < 65536:
                return most
            return original(fd, command, argument)

        return mock.patch("fcntl.fcntl", fcntl_)

    def test_smallPipes(self) -> None:
        """
        A pipe that stays small is not used, and nothing of it stays open. The log tells its
        size once. Once the system grants more, pipes are used again.
        """
        clock = Clock()
        stock = PipeStock(seconds=clock.seconds)
        self.addCleanup(stock.close)
        before = len(os.listdir("/proc/self/fd"))
        log = logOf(self)
        with self.granting(8192):
            for _ in range(3):
                self.assertIs(stock.take(), None)
                clock.advance(RETRY)
        [event] = log
        self.assertEqual((event["size"], event["made"]), (8192, 0))
        self.assertEqual((stock.made, len(os.listdir("/proc/self/fd"))), (0, before))
        self.assertEqual(self.give(stock), PIPE_SIZE)

    def test_lessThanWanted(self) -> None:
        """
        The largest pipe that is granted will do, if it is large enough.
        """
        for most in (PIPE_SIZE // 2, SMALLEST):
            stock = PipeStock()
            with self.granting(most):
                self.assertEqual(self.give(stock), most)
            stock.close()

    def test_askedSeldom(self) -> None:
        """
        While there is none to be had, the system is asked for one once a second, and not in
        each turn of bulk.
        """
        clock = Clock()
        stock = PipeStock(seconds=clock.seconds)
        with mock.patch("os.pipe2", side_effect=OSError(24, "Too many open files")) as pipe2:
            for _ in range(1000):
                stock.take()
                clock.advance(0.002)
        self.assertTrue(2 <= pipe2.call_count <= 3, pipe2.call_count)

    def test_size(self) -> None:
        """
        A pipe knows what it holds.
        """
        pipe = Pipe()
        self.assertEqual(os.write(pipe.writer, b"x" * (1 << 21)), pipe.size)
        pipe.close()


class LoopTests(SynchronousTestCase):
    """
    L{Loop}.
    """

    def test_oneBreaks(self) -> None:
        """
        What a handler raises is logged, and ends its connection alone.
        """
        stage = HandTurned()
        self.addCleanup(stage.close)
        stage.addHost()
        first = stage.connect()
        second = stage.connect()
        for client, _ in (first, second):
            client.send(b"x")
        with mock.patch("txlb.proxy.fast._end.End.finish", side_effect=ValueError("broken")):
            first[0].shutdown(socket.SHUT_WR)
            stage.turn(3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        lease = stage.results[0].lease
        assert lease is not None
        self.assertEqual(lease.outcome, Outcome.ERROR)
        self.assertEqual(readSome(second[1], 10), b"x")
        second[0].send(b"y")
        stage.turn(3)
        self.assertEqual(readSome(second[1], 10), b"y")

    def test_bulkBreaks(self) -> None:
        """
        So it is with bulk.
        """
        stage = HandTurned()
        self.addCleanup(stage.close)
        stage.addHost()
        client, _ = stage.connect()
        with mock.patch("txlb.proxy.fast._bulk.move", side_effect=ValueError("broken")):
            client.send(b"x" * 500_000)
            stage.turn(5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(stage.results), 1)

    def test_tableGrows(self) -> None:
        """
        A descriptor beyond the table makes it larger.
        """
        loop = Loop(HandReactor(), Deadlines(HandReactor(), time.monotonic))
        events: list[int] = []
        loop.handle(5000, events.append)
        handler = loop.handlerOf(5000)
        assert handler is not None
        handler(1)
        self.assertEqual(events, [1])
        self.assertIs(loop.handlerOf(5001), None)
        loop.stop()

    def test_whyNot(self) -> None:
        """
        It needs a reactor that can watch descriptors, and epoll.
        """
        self.assertIn("reactor", str(whyNot(Clock())))
        with mock.patch("txlb.proxy.fast._relay.select", spec=[]):
            self.assertIn("epoll", str(whyNot(Clock())))


class ConnectingTests(SynchronousTestCase):
    """
    The search for a host, where the system has its moods.
    """

    def setUp(self) -> None:
        """
        A stage with one host.
        """
        self.stage = HandTurned(Timeouts(), DialLimits(retries=1))
        self.addCleanup(self.stage.close)
        self.stage.addHost()

    def test_noDescriptors(self) -> None:
        """
        Where we have no socket to connect with, no other host is tried, and
        this one is not marked.
        """
        _, fd = self.stage.client()
        original = _socket.socket

        def noSocket(*args: object, **words: object) -> object:
            if "fileno" in words or len(args) == 4:
                return original(*args, **words)  # type: ignore[arg-type]  # as it was called
            raise OSError(24, "Too many open files")

        with mock.patch("txlb.proxy.fast._connection._socket.socket", noSocket):
            self.stage.begin(fd)
        gaveUp = self.stage.results[0].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertEqual(gaveUp.reason, GaveUpReason.LOCAL)
        self.assertEqual(gaveUp.failure.kind, FailureKind.LOCAL)
        self.assertEqual(self.stage.pool.getHost("host").stateWord, "unchecked")

    def test_busy(self) -> None:
        """
        A UNIX socket whose backlog is full is passed over without a mark.
        """
        path = self.mktemp()[-60:].replace("/", "-")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            self.addCleanup(os.unlink, path)
            listener.listen(0)
            waiting = []
            for _ in range(3):
                one = socket.socket(socket.AF_UNIX)
                self.addCleanup(one.close)
                one.setblocking(False)
                waiting.append(one.connect_ex(path))
            self.assertNotEqual(waiting[-1], 0)
            self.stage.pool.setWeight("host", 0)
            self.stage.addHost("busy", (f"unix:{path}", 0))
            _, fd = self.stage.client()
            self.stage.begin(fd)
        gaveUp = self.stage.results[0].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertEqual(gaveUp.failure.kind, FailureKind.BUSY)
        self.assertEqual(self.stage.pool.getHost("busy").stateWord, "unchecked")

    def test_connectedToItself(self) -> None:
        """
        A socket that is connected to itself has reached nobody.
        """
        _, fd = self.stage.client()
        with mock.patch("txlb.proxy.fast._search.isSelfConnected", return_value=True):
            self.stage.begin(fd)
            self.stage.turn(3)
        gaveUp = self.stage.results[0].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertIn("itself", str(gaveUp.failure))

    def test_breaksWhileConnecting(self) -> None:
        """
        An exception before there is a host ends the connection as well.
        """
        broken = mock.patch(
            "txlb.proxy.fast._search.isSelfConnected", side_effect=ValueError("broken")
        )
        _, fd = self.stage.client()
        with broken, elsewhere():
            self.stage.begin(fd)
            self.stage.turn(3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.stage.results), 1)
        self.assertEqual(self.stage.pool.active, 0)

    def test_breaksAtOnce(self) -> None:
        """
        So does one before the loop has heard of it, and who began it is told.
        """
        broken = mock.patch(
            "txlb.proxy.fast._search.isSelfConnected", side_effect=ValueError("broken")
        )
        _, fd = self.stage.client()
        with broken:
            self.assertRaises(ValueError, self.stage.begin, fd)
        self.stage.turn(3)
        self.assertEqual(len(self.stage.results), 1)
        self.assertEqual((self.stage.pool.active, self.stage.relay.connectionCount()), (0, 0))

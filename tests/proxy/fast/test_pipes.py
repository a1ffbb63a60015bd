"""
Tests for the pipes of the fast relay, L{txlb.proxy.fast._pipes}.
"""

from __future__ import annotations

import fcntl
import os
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import logOf
from txlb.proxy.fast._pipes import PIPE_SIZE, RETRY, SMALLEST, Pipe, PipePool


class PipeTests(SynchronousTestCase):
    """
    L{PipePool}.
    """

    def test_bounded(self) -> None:
        """
        There are no more than there may be, and those given back are used again.
        """
        stock = PipePool(2)
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
        stock = PipePool(seconds=clock.seconds)
        self.addCleanup(stock.close)
        with mock.patch("os.pipe2", side_effect=OSError(24, "Too many open files")):
            self.assertIs(stock.take(), None)
        self.assertIs(stock.take(), None)
        clock.advance(RETRY)
        self.give(stock)

    def give(self, stock: PipePool) -> int:
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
        stock = PipePool(seconds=clock.seconds)
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
            stock = PipePool()
            with self.granting(most):
                self.assertEqual(self.give(stock), most)
            stock.close()

    def test_askedSeldom(self) -> None:
        """
        While there is none to be had, the system is asked for one once a second, and not in
        each turn of bulk.
        """
        clock = Clock()
        stock = PipePool(seconds=clock.seconds)
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

"""
A bounded stock of pipes.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable

from twisted.logger import Logger

#: Bytes that a pipe should hold. A user without privileges has 64 MiB for all
#: pipes together (C{fs.pipe-user-pages-soft}), and has to do with less beyond that.
PIPE_SIZE = 1 << 20

#: Bytes that a pipe has to hold to be used. Through one of 8 KiB, which is what a user gets
#: beyond those 64 MiB, bulk costs ten times the CPU of copying.
SMALLEST = 1 << 18

#: Pipes at most. Where all are in use, bytes are copied.
PIPES = 60

#: Seconds until it is tried again to make a pipe, if there was none to be had.
RETRY = 1.0

_log = Logger()


class Pipe:
    """
    A pipe, through which the bytes of one direction go.

    @ivar reader: the descriptor to take from.
    @ivar writer: the descriptor to put into.
    @ivar size: bytes that it holds at most.
    """

    __slots__ = ("reader", "size", "writer")

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.size = self._grow()

    def _grow(self) -> int:
        """
        Let it hold as much as the system grants.

        @return: the bytes that it holds.
        """
        size = PIPE_SIZE
        while size >= SMALLEST:
            try:
                return fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, size)
            except OSError:
                size //= 2
        return fcntl.fcntl(self.writer, fcntl.F_GETPIPE_SZ)

    def close(self) -> None:
        """
        Close, with whatever is in it.
        """
        os.close(self.reader)
        os.close(self.writer)


class PipePool:
    """
    Hands out pipes and takes them back. Owned by a loop.

    @param seconds: the monotonic clock.

    @ivar most: how many there may be.
    @ivar made: how many there are, in use or not.
    """

    def __init__(self, most: int = PIPES, seconds: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._seconds = seconds
        self._free: list[Pipe] = []
        self.made = 0
        self._tryAt = 0.0
        self._told = False

    @property
    def free(self) -> int:
        """
        How many are not in use.
        """
        return len(self._free)

    def take(self) -> Pipe | None:
        """
        @return: an empty pipe; L{None} where there is none to be had.
        """
        if self._free:
            return self._free.pop()
        if self.made >= self.most:
            return None
        now = self._seconds()
        if now < self._tryAt:
            return None
        pipe = self._make()
        if pipe is None:
            self._tryAt = now + RETRY
        return pipe

    def _make(self) -> Pipe | None:
        try:
            pipe = Pipe()
        except OSError:
            # No descriptors: then bytes are copied, which wants none.
            return None
        if pipe.size < SMALLEST:
            pipe.close()
            self._tell(pipe.size)
            return None
        self.made += 1
        return pipe

    def _tell(self, size: int) -> None:
        """
        Say once why bulk costs more.
        """
        if not self._told:
            self._told = True
            _log.warn(
                "this user's pipes are used up: beside {made} of the balancer the next one holds "
                "{size} bytes, and {least} are needed. Bulk is copied meanwhile, for more CPU. "
                "fs.pipe-user-pages-soft and fs.pipe-max-size (sysctl) say what a user may have.",
                made=self.made,
                size=size,
                least=SMALLEST,
            )

    def give(self, pipe: Pipe) -> None:
        """
        Take back an empty pipe.
        """
        self._free.append(pipe)

    def discard(self, pipe: Pipe) -> None:
        """
        Take back a pipe with bytes in it, which must never reach anybody else.
        """
        pipe.close()
        self.made -= 1

    def close(self) -> None:
        """
        Close those that are not in use.
        """
        while self._free:
            self.discard(self._free.pop())

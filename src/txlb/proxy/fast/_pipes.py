"""
A bounded pool of pipes.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable

from twisted.logger import Logger

#: Bytes that a pipe should hold: the default of C{fs.pipe-max-size}. A user without privileges
#: has 64 MiB for all pipes together (C{fs.pipe-user-pages-soft}); further pipes get less.
PIPE_SIZE = 1 << 20

#: Bytes that a pipe has to hold to be used. Beyond those 64 MiB a user gets pipes of 8 KiB,
#: through which bulk costs ten times the CPU of copying.
SMALLEST = 1 << 18

#: Pipes at most: 60 of 1 MiB leave 4 of the 64 MiB to other programs of the user. If all are in
#: use, bytes are copied.
PIPES = 60

#: Seconds until the pool tries again to make a pipe, if the system gave none.
RETRY = 1.0

_log = Logger()


class Pipe:
    """
    A pipe, through which the bytes of one direction go.

    @param ends: the descriptors of one that there is, which belong to this object from here; by
        default a new one is made.

    @ivar reader: the descriptor to read from.
    @ivar writer: the descriptor to write to.
    @ivar size: bytes that it holds at most.
    @ivar held: bytes that it holds now.
    """

    __slots__ = ("held", "reader", "size", "writer")

    def __init__(self, ends: tuple[int, int] | None = None) -> None:
        self.held = 0
        if ends is not None:
            self.reader, self.writer = ends
            self.size = fcntl.fcntl(self.writer, fcntl.F_GETPIPE_SZ)
            return
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.size = self._grow()

    def _grow(self) -> int:
        """
        Let the pipe hold as much as the system grants.

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
        Close both ends. Bytes in the pipe are lost.
        """
        os.close(self.reader)
        os.close(self.writer)


class PipePool:
    """
    A pool of pipes. Owned by a loop.

    @param seconds: the monotonic clock.

    @ivar most: the number of pipes that there may be.
    @ivar made: the number of pipes that there are, in use or not.
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
        The number of pipes that are not in use.
        """
        return len(self._free)

    def take(self) -> Pipe | None:
        """
        Take a pipe.

        @return: an empty pipe; L{None} if there is none.
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
            # No descriptors are left. Bytes are copied, which needs none.
            return None
        if pipe.size < SMALLEST:
            pipe.close()
            self._tell(pipe.size)
            return None
        self.made += 1
        return pipe

    def _tell(self, size: int) -> None:
        """
        Log once why bulk costs more.
        """
        if not self._told:
            self._told = True
            _log.warn(
                "this user's memory for pipes is used up: after {made} pipes of the balancer the "
                "next one holds {size} bytes, and {least} are needed. Bulk is copied instead of "
                "spliced, which costs more CPU. fs.pipe-user-pages-soft and fs.pipe-max-size "
                "(sysctl) limit the memory of a user's pipes.",
                made=self.made,
                size=size,
                least=SMALLEST,
            )

    def adopt(self, reader: int, writer: int, held: int) -> Pipe:
        """
        Take over a pipe with bytes in it that another process has filled. It counts, also if
        there are more than C{most} then.

        @param held: the number of those bytes.
        """
        self.made += 1
        pipe = Pipe((reader, writer))
        pipe.held = held
        return pipe

    def give(self, pipe: Pipe) -> None:
        """
        Take back an empty pipe.
        """
        self._free.append(pipe)

    def discard(self, pipe: Pipe) -> None:
        """
        Close a pipe with bytes in it, so that they never reach another connection.
        """
        pipe.close()
        self.made -= 1

    def close(self) -> None:
        """
        Close the pipes that are not in use.
        """
        while self._free:
            self.discard(self._free.pop())

"""
A bounded stock of pipes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

#: Bytes that a pipe should hold. A user without privileges has 64 MiB for all
#: pipes together; what a pipe holds beyond that the system does not grant.
PIPE_SIZE = 1 << 20

#: Pipes at most. Where all are in use, bytes are copied.
PIPES = 60


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
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        self.size: int = fcntl.fcntl(self.writer, fcntl.F_GETPIPE_SZ)

    def close(self) -> None:
        """
        Close, with whatever is in it.
        """
        os.close(self.reader)
        os.close(self.writer)


class PipeStock:
    """
    Hands out pipes and takes them back. Owned by a loop.

    @ivar most: how many there may be.
    @ivar made: how many there are, in use or not.
    """

    def __init__(self, most: int = PIPES) -> None:
        self.most = most
        self._free: list[Pipe] = []
        self.made = 0

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
        try:
            pipe = Pipe()
        except OSError:
            # No descriptors: then bytes are copied, which wants none.
            return None
        self.made += 1
        return pipe

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

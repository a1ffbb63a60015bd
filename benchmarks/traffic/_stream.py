"""
What clients and hosts need of a socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Stream(Protocol):
    """
    A socket that does not block, or TLS on top of one.
    """

    def fileno(self) -> int:
        """
        Return its descriptor.
        """
        ...

    def recv(self, size: int, /) -> bytes:
        """
        Read what has come.

        @raise BlockingIOError: nothing has come yet.
        """
        ...

    def recv_into(self, buffer: memoryview, /) -> int:
        """
        Read what has come into a buffer.

        @raise BlockingIOError: nothing has come yet.
        """
        ...

    def send(self, data: bytes | memoryview, /) -> int:
        """
        Write the first of these bytes.

        @return: how many it has taken.
        @raise BlockingIOError: it takes none yet.
        """
        ...

    def close(self) -> None:
        """
        Close it.
        """


#: Connects to an address.
Connect = Callable[[tuple[str, int]], Stream]

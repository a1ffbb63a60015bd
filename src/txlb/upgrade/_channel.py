"""
The connection between a balancer and its successor.
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence

from txlb.wire import (
    MAX_UPGRADE_DESCRIPTORS,
    MAX_UPGRADE_MESSAGE,
    UpgradeMessage,
    decodeUpgrade,
    encodeUpgrade,
)

#: The system's errors that mean "later": the other process has much to read, or too many
#: descriptors of this user are on their way.
_LATER = frozenset({errno.EAGAIN, errno.ETOOMANYREFS})

#: The errors of a socket whose other process has ended, with messages that it has not read or not.
_GONE = frozenset({errno.EPIPE, errno.ECONNRESET})

#: The words for that.
ENDED = "it has ended"

#: Seconds between two tries if no event tells when to go on.
_SOON = 0.0005


class ChannelError(Exception):
    """
    A message can't be sent or received.
    """


class ChannelClosed(ChannelError):
    """
    The other process has closed the channel, or has ended.
    """


class ChannelBroken(ChannelError):
    """
    The system refuses. The other process may live, and go on.
    """


class Channel:
    """
    One end of the connection between two processes. Descriptors that come are close-on-exec,
    and belong to the caller.

    @param sock: a C{SOCK_SEQPACKET} socket, which belongs to this object from here.
    @param seconds: the monotonic clock.
    """

    def __init__(self, sock: socket.socket, seconds: Callable[[], float] = time.monotonic) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._seconds = seconds

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """
        Make a connection.

        @return: one end, and the socket of the other one.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    def fileno(self) -> int:
        """
        Return the descriptor of the socket; -1 if it is closed.
        """
        return self._sock.fileno()

    def trySend(self, message: UpgradeMessage, descriptors: Sequence[int] = ()) -> bool:
        """
        Send a message, if that can be done without waiting.

        @return: whether it was sent.
        @raise ChannelClosed: the other process is gone.
        @raise ChannelBroken: the system does not send it.
        """
        ancillary = []
        if descriptors:
            rights = array.array("i", descriptors)
            ancillary.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, rights))
        try:
            self._sock.sendmsg([encodeUpgrade(message)], ancillary)
        except OSError as error:
            if error.errno in _LATER:
                return False
            raise _failure(error) from error
        return True

    def send(
        self, message: UpgradeMessage, descriptors: Sequence[int] = (), until: float = 0.0
    ) -> None:
        """
        Send a message.

        @param until: the time to give up, in seconds of the clock.
        @raise ChannelClosed: the other process is gone.
        @raise TimeoutError: it does not read.
        """
        while not self.trySend(message, descriptors):
            if self._seconds() >= until:
                raise TimeoutError("the other process does not read")
            time.sleep(_SOON)

    def tryReceive(self) -> tuple[UpgradeMessage, list[int]] | None:
        """
        Receive a message, if there is one.

        @return: the message with its descriptors.
        @raise ChannelClosed: the other process is gone.
        @raise ChannelBroken: descriptors could not be received.
        @raise UpgradeError: it is no message.
        """
        try:
            data, ancillary, flags, _ = self._sock.recvmsg(
                MAX_UPGRADE_MESSAGE,
                socket.CMSG_SPACE(4 * MAX_UPGRADE_DESCRIPTORS),
                socket.MSG_CMSG_CLOEXEC,
            )
        except BlockingIOError:
            return None
        except OSError as error:
            raise _failure(error) from error
        descriptors = array.array("i")
        for _level, _kind, content in ancillary:
            descriptors.frombytes(content[: len(content) // 4 * 4])
        found = descriptors.tolist()
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            closeAll(found)
            raise ChannelBroken("descriptors were lost on the way, as this process has too many")
        if not data:
            raise ChannelClosed(ENDED)
        try:
            return decodeUpgrade(data), found
        except BaseException:
            closeAll(found)
            raise

    def receive(self, until: float) -> tuple[UpgradeMessage, list[int]]:
        """
        Wait for a message.

        @param until: the time to give up, in seconds of the clock.
        @raise ChannelClosed: see L{tryReceive}.
        @raise TimeoutError: none has come.
        @raise UpgradeError: it is no message.
        """
        found = self.tryReceive()
        if found is not None:
            return found
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        while True:
            left = until - self._seconds()
            if left <= 0:
                raise TimeoutError("the other process does not answer")
            poll.poll(left * 1000)
            found = self.tryReceive()
            if found is not None:
                return found

    def shutdown(self) -> None:
        """
        Let neither process send any more. Messages that are on their way can still be read.
        """
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """
        Close it.
        """
        self._sock.close()


def _failure(error: OSError) -> ChannelError:
    if error.errno in _GONE:
        return ChannelClosed(ENDED)
    return ChannelBroken(error.strerror or str(error))


def closeAll(descriptors: Iterable[int]) -> None:
    """
    Close descriptors.
    """
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)

"""
A connection between the manager of an application's clones and one of them.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.wire import (
    MAX_GRANTS_MESSAGE,
    GrantsError,
    Message,
    Passed,
    decodeGrants,
    encodeGrants,
)

#: Messages that are read in one turn of the reactor.
BATCH = 64

#: Descriptors that may come with one message: the kernel allows 253 (SCM_MAX_FD).
MOST_DESCRIPTORS = 253

#: Errors of a connection in a row after which nothing more is read from it.
MOST_ERRORS = 3

_CREDENTIALS = struct.Struct("3i")
_SPACE = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)

_log = Logger()


class ConnectionEnded(ConnectionResetError):
    """
    The other process has ended the connection, and all that it has sent is read.
    """


@implementer(IReadDescriptor)
class Link:
    """
    One end of a C{SOCK_SEQPACKET} connection, on which a datagram is a message. The
    manager or the clone that made it owns it, and closes it.

    The end of the other process is seen in two ways: the connection ends, or its pidfd
    becomes readable. The connection alone is not enough, because a child that the other
    process has forked keeps it open.

    @param sock: is connected. It is this object's from here.
    @param reactor: watches it, after L{start}.
    @ivar pid: the other process.
    @ivar uid: the user that it ran as when it connected.
    """

    def __init__(self, sock: socket.socket, reactor: Any) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._reactor = reactor
        self._received: Callable[[Message, list[int]], object] = _ignore
        self._lost: Callable[[], object] = _nothing
        self._death: _Death | None = None
        self.isOpen = True
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.pid, self.uid, _gid = _CREDENTIALS.unpack(raw)

    def start(
        self,
        received: Callable[[Message, list[int]], object],
        lost: Callable[[], object],
    ) -> None:
        """
        Read messages from now on.

        @param received: is called with each message and the descriptors that came with
            it, which are the callee's. A L{Passed} without a descriptor is one that this
            process has no room for.
        @param lost: is called once if the other process has gone, or talks nonsense. It
            is not called after L{close}.
        """
        self._received, self._lost = received, lost
        self._reactor.addReader(self)
        with contextlib.suppress(OSError, AttributeError):
            self._death = _Death(os.pidfd_open(self.pid), self._finish, self._reactor)

    def whenLost(self, lost: Callable[[], object]) -> None:
        """
        Call something else if the other process goes.
        """
        self._lost = lost

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "txlb.cloning"

    def send(self, message: Message, descriptors: tuple[int, ...] = ()) -> bool:
        """
        Send a message.

        @param descriptors: go with it, at most L{MOST_DESCRIPTORS}.
        @return: whether the other process will get it; it does not if it reads nothing,
            or is gone.
        """
        if not self.isOpen:
            return False
        data = encodeGrants(message)
        try:
            if descriptors:
                rights = array.array("i", descriptors)
                self._sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            else:
                self._sock.send(data)
        except OSError:
            return False
        return True

    def receive(self, timeout: float) -> tuple[Message, list[int]]:
        """
        Wait for one message, before the reactor runs.

        @param timeout: seconds.
        @return: it, and the descriptors that came with it.
        @raise GrantsError: it can't be read, or the connection ended.
        @raise OSError: there is none in time.
        """
        self._sock.settimeout(timeout)
        try:
            return self._read()
        finally:
            self._sock.setblocking(False)

    def doRead(self) -> None:
        """
        Read a batch of messages.
        """
        for _ in range(BATCH):
            if not self.isOpen:
                return
            try:
                message, descriptors = self._read()
            except BlockingIOError:
                return
            except GrantsError as problem:
                _log.warn("process {pid} says: {problem}", pid=self.pid, problem=problem)
                self._end()
                return
            except OSError:
                self._finish()
                return
            self._received(message, descriptors)

    def _finish(self) -> None:
        """
        Read what the other process has sent before it ended. An error comes before that, if
        it has not read all that was sent to it.
        """
        errors = 0
        while self.isOpen and errors < MOST_ERRORS:
            try:
                self._received(*self._read())
            except (ConnectionEnded, BlockingIOError, GrantsError):
                break
            except OSError:
                errors += 1
        self._end()

    def doWrite(self) -> None:
        """
        Do nothing: this is an event for the former owner of the descriptor.
        """

    def _read(self) -> tuple[Message, list[int]]:
        data, ancillary, flags, _ = self._sock.recvmsg(
            MAX_GRANTS_MESSAGE, _SPACE, socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            raise ConnectionEnded("the connection ended")
        descriptors = _descriptors(ancillary)
        try:
            message = decodeGrants(data if not flags & socket.MSG_TRUNC else b"")
            if flags & socket.MSG_CTRUNC:
                # This process has no room for all descriptors, and the kernel has dropped some.
                closeAll(descriptors)
                descriptors = _withoutDescriptors(message)
        except GrantsError:
            closeAll(descriptors)
            raise
        return message, descriptors

    def connectionLost(self, reason: Failure) -> None:
        """
        Look whether the other process is gone: this may be an event for the former owner
        of the descriptor.
        """
        if self.isOpen:
            self._reactor.addReader(self)
            self.doRead()

    def _end(self) -> None:
        if self.isOpen:
            self.close()
            self._lost()

    def close(self) -> None:
        """
        Close the connection.
        """
        if self.isOpen:
            self.isOpen = False
            self._reactor.removeReader(self)
            if self._death is not None:
                self._death.close()
            self._sock.close()


@implementer(IReadDescriptor)
class _Death:
    """
    Tells that a process has ended.

    @param descriptor: the process's pidfd, which is this object's from here.
    """

    def __init__(self, descriptor: int, ended: Callable[[], object], reactor: Any) -> None:
        self._descriptor = descriptor
        self._ended = ended
        self._reactor = reactor
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "txlb.cloning"

    def doRead(self) -> None:
        """
        Tell it.
        """
        self._ended()

    def doWrite(self) -> None:
        """
        Do nothing: this is an event for the former owner of the descriptor.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Watch on: this is an event for the former owner of the descriptor.
        """
        if self._descriptor >= 0:
            self._reactor.addReader(self)

    def close(self) -> None:
        """
        Watch no longer.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._reactor.removeReader(self)
            os.close(descriptor)


def closeAll(descriptors: list[int]) -> None:
    """
    Close descriptors that came and are not wanted.
    """
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, raw in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(raw[: len(raw) - len(raw) % found.itemsize])
    return list(found)


def _withoutDescriptors(message: Message) -> list[int]:
    if not isinstance(message, Passed):
        raise GrantsError("a message whose descriptors did not come")
    return []


def _ignore(_message: Message, descriptors: list[int]) -> None:
    closeAll(descriptors)


def _nothing() -> None:
    pass

"""
A listening UNIX socket for Twisted's protocols.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.errors import ListenError
from txlb.model import UNIXAddress
from txlb.model.kinds import MOST_PERMISSIONS
from txlb.process._listening import EXHAUSTED, listens
from txlb.process._permissions import giveSocket
from txlb.process._socketfile import SocketFile

#: Connections that are accepted before other sockets get their turn.
BATCH = 16

#: Seconds to pause if the system has no descriptors or memory left.
PAUSE = 0.1

_log = Logger()


@implementer(IReadDescriptor)
class UNIXPort:
    """
    A port that accepts connections on a UNIX socket. Twisted's own port gives every
    user of the machine access to the socket's file. At its end it removes any file at
    the path, be it another program's socket or one that systemd has given.

    @param sock: a listening, non-blocking socket, which this object owns from now on.
    @param file: the file to remove when the port is closed; L{None} if it does not
        belong to this process.
    @param factory: makes a protocol for each connection.
    @param reactor: adopts the connections.
    @param batch: connections that are accepted before other sockets get their turn.

    @ivar socket: the listening socket, which stays the port's.
    """

    def __init__(
        self,
        sock: socket.socket,
        file: SocketFile | None,
        factory: IProtocolFactory,
        reactor: Any,
        batch: int = BATCH,
    ) -> None:
        self.socket = sock
        self._batch = batch
        self._file = file
        self._factory = factory
        self._reactor = reactor
        self._pause: Any = None
        factory.doStart()
        self._watch()

    def _watch(self) -> None:
        self._pause = None
        self._reactor.addReader(self)

    def stopListening(self) -> None:
        """
        Close the socket, and remove its file if it is still the socket's own.
        """
        self._stopWatching()
        if self._file is not None:
            self._file.remove()
        self.socket.close()
        self._factory.doStop()

    def letGo(self) -> None:
        """
        Close the socket, which another process has as well. Its file stays, and so do the factory
        and its connections.
        """
        self._stopWatching()
        self.socket.close()

    def _stopWatching(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._reactor.removeReader(self)

    def doRead(self) -> None:
        for _ in range(self._batch):
            try:
                sock, _peer = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    # Clients wait in the backlog.
                    self._reactor.removeReader(self)
                    self._pause = self._reactor.callLater(PAUSE, self._watch)
                    return
                # This client has gone already.
                continue
            with sock:
                sock.setblocking(False)
                try:
                    # The reactor duplicates the descriptor; ours is closed here.
                    self._reactor.adoptStreamConnection(
                        sock.fileno(), socket.AF_UNIX, self._factory
                    )
                except Exception:  # noqa: BLE001 - one connection's trouble is not the next one's
                    _log.failure("a connection on a UNIX socket could not be taken")

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event of the descriptor's former owner
        in the same turn: a listening socket is never written to.
        """

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:
        return "txlb.process.UNIXPort"

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket if it no longer listens. Otherwise the event was meant for the
        former owner of its descriptor, or the reactor stops: watch the socket again.
        """
        if not listens(self.socket):
            self.socket.close()
        elif self._pause is None:
            self._reactor.addReader(self)


def removeStaleSocket(address: UNIXAddress) -> None:
    """
    Remove the file of a socket on which no program listens any more. Other files stay.

    @raise ListenError: there is a file that is no socket.
    """
    try:
        mode = os.lstat(address.path).st_mode
    except OSError:
        return
    # To connect to any other file is refused as well.
    if not stat.S_ISSOCK(mode):
        raise ListenError(str(address), "there is a file of this name that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(address.path) == errno.ECONNREFUSED:
            with contextlib.suppress(OSError):
                os.unlink(address.path)


def listenUNIX(address: UNIXAddress, backlog: int = 50) -> socket.socket:
    """
    Listen on a UNIX socket. Its file has its mode, user and group before any client can
    connect.

    @return: a non-blocking, close-on-exec socket.
    @raise ListenError: its file can't be given to its user and group. The file is
        removed.
    @raise OSError: it can't be made. The file is removed.
    """
    with contextlib.ExitStack() as undone:
        sock = undone.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        sock.setblocking(False)
        # bind() makes the file with the mode that the umask leaves.
        before = os.umask(MOST_PERMISSIONS & ~address.mode)
        try:
            sock.bind(address.path)
        finally:
            os.umask(before)
        undone.callback(SocketFile(address.path).remove)
        # Until the socket listens every client is refused.
        giveSocket(address)
        sock.listen(backlog)
        undone.pop_all()
    return sock

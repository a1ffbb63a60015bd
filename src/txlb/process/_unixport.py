"""
A UNIX socket that listens, for Twisted's protocols.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.model import MOST_PERMISSIONS, UNIXAddress
from txlb.process._listening import listens
from txlb.process._permissions import giveSocket
from txlb.process._socketfile import SocketFile

#: Connections that are accepted before others get their turn.
BATCH = 16

#: Seconds to wait if the system has no descriptor or memory to give.
PAUSE = 0.1

_log = Logger()

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@implementer(IReadDescriptor)
class UNIXPort:
    """
    Accepts connections on a UNIX socket. Twisted's own port opens the socket's file to every
    user of the machine, and in the end it removes whatever file is there then, be it another
    program's socket or one that systemd has given.

    @param sock: listens already, and does not block. It is this object's from here.
    @param file: is removed when the port is closed; L{None} if it is not this process's.
    @param factory: makes a protocol for each connection.
    @param reactor: adopts the connections.
    """

    def __init__(
        self,
        sock: socket.socket,
        file: SocketFile | None,
        factory: IProtocolFactory,
        reactor: Any,
    ) -> None:
        self._socket = sock
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
        Close the socket, and remove its file if that is still the same one.
        """
        if self._pause is not None:
            self._pause.cancel()
        self._reactor.removeReader(self)
        if self._file is not None:
            self._file.remove()
        self._socket.close()
        self._factory.doStop()

    def doRead(self) -> None:
        for _ in range(BATCH):
            try:
                sock, _peer = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    # Clients wait in the backlog.
                    self._reactor.removeReader(self)
                    self._pause = self._reactor.callLater(PAUSE, self._watch)
                    return
                # This client is gone already.
                continue
            with sock:
                sock.setblocking(False)
                try:
                    # The reactor takes a copy of the descriptor; ours is closed here.
                    self._reactor.adoptStreamConnection(
                        sock.fileno(), socket.AF_UNIX, self._factory
                    )
                except Exception:  # noqa: BLE001 - one connection's trouble is not the next one's
                    _log.failure("a connection on a UNIX socket could not be taken")

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event that it took for the former owner of
        the descriptor in the same turn: a listening socket is never written to.
        """

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "txlb.process.UNIXPort"

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket if it listens no more. Otherwise the event was meant for the former
        owner of its descriptor, or the reactor ends: watch it again.
        """
        if not listens(self._socket):
            self._socket.close()
        elif self._pause is None:
            self._reactor.addReader(self)


def listenUNIX(address: UNIXAddress, backlog: int = 50) -> socket.socket:
    """
    Listen on a UNIX socket. Its file has its mode, user and group before anybody can
    connect.

    @return: a non-blocking, close-on-exec socket.
    @raise ListenError: its file can't be given to its user and group. It is no longer
        there then.
    @raise OSError: it can't be made, likewise.
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
        # Until it listens every client is refused.
        giveSocket(address)
        sock.listen(backlog)
        undone.pop_all()
    return sock

"""
The control socket of a cloned application.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.cloning._pluginloading import PluginLoading
from txlb.cloning._rendezvous import Rendezvous
from txlb.interfaces import IClones, IControlClients, IControlDoor
from txlb.process import EXHAUSTED, SocketFile

#: Clients that are accepted in one turn of the reactor.
BATCH = 16

#: Seconds after which accepting is tried again, if the system has no descriptors left.
EXHAUSTED_PAUSE = 0.1

_log = Logger()


@implementer(IReadDescriptor)
class ControlSocket:
    """
    Listens for administrators in the folder of an application, as long as this process
    manages. An L{IControlDoor} answers them. It is looked for when the first one connects:
    a manager without administrators loads nothing for them. A L{CloneGroup} owns it.

    @param rendezvous: the folder.
    @param clones: the processes, for the door.
    @param reactor: watches the socket.
    """

    def __init__(self, rendezvous: Rendezvous, clones: IClones, reactor: Any) -> None:
        self._rendezvous = rendezvous
        self._clones = clones
        self._reactor = reactor
        self._sock: socket.socket | None = None
        self._file: SocketFile | None = None
        self._clients: IControlClients | None = None
        # Until it, nothing is accepted.
        self._call: Any = None
        self._accepts = False

    def start(self) -> None:
        """
        Listen. A failure is logged: the application goes on without the socket.
        """
        try:
            self._sock, self._file = self._rendezvous.listenForControl()
        except OSError as problem:
            _log.error(
                "folder {folder}: there is no control socket: {problem}",
                folder=self._rendezvous.path,
                problem=problem.strerror,
            )
            return
        self._accepts = True
        self._reactor.addReader(self)

    def fileno(self) -> int:
        return self._sock.fileno() if self._sock is not None else -1

    def logPrefix(self) -> str:
        return "txlb.cloning"

    def doRead(self) -> None:
        """
        Accept clients.
        """
        for _ in range(BATCH):
            if self._sock is None or not self._accepts or self._call is not None:
                return
            if self._clients is None:
                self._find()
                return
            try:
                sock, _ = self._sock.accept()
            except OSError as problem:
                if problem.errno in EXHAUSTED:
                    _log.warn(
                        "the control socket: {problem}; clients wait", problem=problem.strerror
                    )
                    self._later(EXHAUSTED_PAUSE, self._goOn)
                return
            self._clients.accepted(sock.detach())

    def _find(self) -> None:
        """
        Find the door among Twisted's plugins. Until then nothing is accepted.
        """
        self._reactor.removeReader(self)
        self._call = PluginLoading(IControlDoor, self._reactor, self._loaded, self._failed)
        self._call.start()

    def _later(self, delay: float, call: Callable[[], object]) -> None:
        """
        Accept nothing until a call.
        """
        self._reactor.removeReader(self)
        self._call = self._reactor.callLater(delay, call)

    def _goOn(self) -> None:
        self._call = None
        if self._sock is not None and self._accepts:
            self._reactor.addReader(self)

    def _loaded(self, door: IControlDoor | None) -> None:
        self._call = None
        if door is None:
            _log.error("there is no control socket: no plugin is an IControlDoor")
            self.close()
        else:
            self._clients = door.open(self._clones, self._reactor)
            self._goOn()

    def _failed(self) -> None:
        _log.failure("the control socket can't be served")
        self._call = None
        self.close()

    def doWrite(self) -> None:
        """
        Do nothing: this is an event for the former owner of the descriptor.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Watch on: this is an event for the former owner of the descriptor.
        """
        if self._sock is not None and self._accepts:
            self._reactor.addReader(self)

    def rest(self) -> None:
        """
        Accept nothing more: another process is about to listen in the same place. Clients
        that have connected are answered until L{close}.
        """
        self._accepts = False
        self._reactor.removeReader(self)

    def close(self) -> Deferred[None]:
        """
        Listen no more, and let the clients go. The socket's file is removed, unless another
        process listens there by now.

        @return: fires with L{None} when the clients have gone. It does not fail.
        """
        self.rest()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._file is not None:
            self._file.remove()
            self._file = None
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()
        clients, self._clients = self._clients, None
        return succeed(None) if clients is None else clients.close()

"""
The socket to which the processes of an application come.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.cloning._link import Link
from txlb.cloning._rendezvous import Rendezvous


@implementer(IReadDescriptor)
class Entrance:
    """
    The manager's socket in the folder of the application. Processes of other users are not let
    in. The L{CloneManager} owns it.

    @param rendezvous: makes the socket.
    @param reactor: watches it.
    @param hasRoom: tells whether the manager takes one more process.
    @param came: is called with the L{Link} of each process that comes.
    """

    def __init__(
        self,
        rendezvous: Rendezvous,
        reactor: Any,
        hasRoom: Callable[[], bool],
        came: Callable[[Link], object],
    ) -> None:
        self._rendezvous = rendezvous
        self._reactor = reactor
        self._hasRoom = hasRoom
        self._came = came
        self._sock: socket.socket | None = None

    @property
    def isOpen(self) -> bool:
        """
        Whether processes can come.
        """
        return self._sock is not None

    def open(self) -> None:
        """
        Let processes come.

        @raise OSError: the socket in the folder can't be made.
        """
        self._sock = self._rendezvous.listen()
        self._reactor.addReader(self)

    def close(self) -> None:
        """
        Let none come any more. Those that have come stay.
        """
        if self._sock is not None:
            self._reactor.removeReader(self)
            self._sock.close()
            self._sock = None

    def fileno(self) -> int:
        return self._sock.fileno() if self._sock is not None else -1

    def logPrefix(self) -> str:
        return "txlb.cloning"

    def doRead(self) -> None:
        """
        Take in processes that connect.
        """
        while self._sock is not None:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            link = Link(sock, self._reactor)
            if link.uid != os.geteuid() or not self._hasRoom():
                link.close()
            else:
                self._came(link)

    def doWrite(self) -> None:
        """
        Do nothing: this is an event for the former owner of the descriptor.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Watch on: this is an event for the former owner of the descriptor.
        """
        if self._sock is not None:
            self._reactor.addReader(self)

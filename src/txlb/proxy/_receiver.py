"""
The protocol of a transport that reads and writes apart.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.python.failure import Failure


class Receiver(Protocol):
    """
    What a transport tells of its peer.
    """

    def makeConnection(self, transport: Any) -> None:
        """
        This is the transport.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        The peer has sent bytes.
        """

    def readConnectionLost(self) -> None:
        """
        The peer has sent all.
        """

    def writeConnectionLost(self) -> None:
        """
        The peer was told that it will get no more.
        """

    def writeFailed(self) -> None:
        """
        The peer takes nothing more. What it has sent can still be read, and
        C{connectionLost} follows at the end of it.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The socket is closed.
        """

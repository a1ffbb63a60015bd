"""
The protocol of a transport whose reading and writing fail separately.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.python.failure import Failure


class Receiver(Protocol):
    """
    The receiver of a transport's events.
    """

    def makeConnection(self, transport: Any) -> None:
        """
        Take the transport.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes of the peer.
        """

    def readConnectionLost(self) -> None:
        """
        Take note that the peer has sent all.
        """

    def writeConnectionLost(self) -> None:
        """
        Take note that the peer was told that it will get no more.
        """

    def writeFailed(self) -> None:
        """
        Take note that the peer takes nothing more. The bytes that it has sent can still be
        read, and C{connectionLost} follows at the end of them.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Take note that the socket is closed.
        """

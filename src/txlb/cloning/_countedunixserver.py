"""
A connection of a clone's UNIX socket.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import unix
from twisted.python.failure import Failure

from txlb.cloning._beginning import Beginning


class CountedUNIXServer(unix.Server):
    """
    A connection of a UNIX socket that tells its listener when it has ended.

    @ivar beginning: what another process has read of it.
    """

    beginning = Beginning()

    def startReading(self) -> None:
        super().startReading()
        self.beginning.reads(self, True)

    def stopReading(self) -> None:
        super().stopReading()
        self.beginning.reads(self, False)

    def doRead(self) -> Any:
        if self.beginning.data:
            return self._dataReceived(self.beginning.take())
        return super().doRead()

    def getPeer(self) -> Any:
        return self.beginning.peer or super().getPeer()

    def getHost(self) -> Any:
        return self.beginning.host or super().getHost()

    def connectionLost(self, reason: Failure) -> None:
        try:
            super().connectionLost(reason)
        finally:
            self.server.ended(self)  # type: ignore[attr-defined]  # a listener stands for the port

"""
The agent's connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Deadline, Deadlines
from txlb.wire import AgentReply, formatAgentReply

#: How many may ask at once.
MAX_CONNECTIONS = 64

#: Seconds that one has to take the answer and go.
PATIENCE = 5.0

_log = Logger()


class AgentFactory(ServerFactory):
    """
    Tells everybody who connects. Owned by an L{txlb.resources.AgentService}.

    @param reply: gives what is to be said.
    """

    noisy = False

    def __init__(
        self, reply: Callable[[], AgentReply], deadlines: Deadlines, maxConnections: int
    ) -> None:
        self.reply = reply
        self.deadlines = deadlines
        self._maxConnections = maxConnections
        self.open: set[AgentProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> AgentProtocol | None:
        """
        @return: L{None}, which closes it, where too many are asking.
        """
        return AgentProtocol(self) if len(self.open) < self._maxConnections else None

    def closeAll(self) -> None:
        """
        Close every connection.
        """
        for each in tuple(self.open):
            each.abort()


@implementer(IHalfCloseableProtocol)
class AgentProtocol(Protocol):
    """
    One connection. The line is followed by our end, and the other side closes:
    if we did while something of it is unread, the line could be lost.
    """

    def __init__(self, factory: AgentFactory) -> None:
        self._agent = factory
        self._patience: Deadline | None = None

    def connectionMade(self) -> None:
        self._agent.open.add(self)
        self._patience = self._agent.deadlines.patience(PATIENCE, self.abort)
        transport: Any = self.transport
        transport.write(formatAgentReply(self._agent.reply()))
        transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        Whatever is asked, the answer is one.
        """

    def readConnectionLost(self) -> None:
        """
        The other side has taken it.
        """
        transport: Any = self.transport
        transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        The line was sent.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._agent.open.discard(self)
        if self._patience is not None:
            self._patience.cancel()

    def abort(self) -> None:
        """
        Close it now.
        """
        transport: Any = self.transport
        transport.abortConnection()

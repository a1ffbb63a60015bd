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

#: The default number of connections at once.
MAX_CONNECTIONS = 64

#: Seconds after which a connection is closed in any case.
PATIENCE = 5.0

_log = Logger()


class AgentFactory(ServerFactory):
    """
    A factory for the agent's connections. Owned by an L{txlb.resources.AgentService}.

    @param reply: returns the report of now.
    @param deadlines: has the timeouts.
    @param maxConnections: how many connections there may be at once.
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
        Make the protocol of a connection.

        @return: L{None} if there are too many connections, which closes this one.
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
    One connection. The agent sends its line and half-closes, and the other side closes. If
    the agent closed while bytes of the other side are unread, the kernel would send a reset,
    and the line could be lost.
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
        Ignore the bytes, as the answer is always the same.
        """

    def readConnectionLost(self) -> None:
        """
        Close, as the other side has read the line.
        """
        transport: Any = self.transport
        transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Do nothing: the line was sent.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._agent.open.discard(self)
        if self._patience is not None:
            self._patience.cancel()

    def abort(self) -> None:
        """
        Close the connection now.
        """
        transport: Any = self.transport
        transport.abortConnection()

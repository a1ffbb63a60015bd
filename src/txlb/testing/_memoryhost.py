"""
A host of a balancer in memory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.python.failure import Failure

from txlb.model import Address, TCPAddress
from txlb.testing._transport import FlowTransport


class MemoryHost:
    """
    A host that a test plays. It accepts until it dies or hangs, and finishes sending
    when its client has finished. Owned by its L{txlb.testing.MemoryBalancer}.

    @ivar address: its address.
    @ivar received: all bytes that it received.
    @ivar reply: is called with the bytes that it receives, and returns its answer;
        L{None} for no answers.
    """

    def __init__(self, address: Address, settle: Callable[[], object]) -> None:
        self.address = address
        self.received = bytearray()
        self.reply: Callable[[bytes], bytes] | None = None
        self._settle = settle
        self._accepts: bool | None = True
        self._open: list[FlowTransport] = []

    @property
    def connections(self) -> int:
        """
        The number of its connections.
        """
        return sum(not each.closed for each in self._open)

    def die(self) -> None:
        """
        Reset every connection, and refuse new ones.
        """
        self._accepts = False
        for transport in self._open:
            transport.reset()
        self._settle()

    def hang(self) -> None:
        """
        Leave new connections unanswered from now on. Open connections go on.
        """
        self._accepts = None

    def comeBack(self) -> None:
        """
        Accept again.
        """
        self._accepts = True
        self._settle()

    def decide(self, factory: Any, connector: Any, own: IPv4Address) -> bool:
        """
        Accept or refuse a connection, if the host does either.

        @param own: the address of the connecting side.
        @return: whether the connection was accepted or refused.
        """
        if self._accepts is None:
            return False
        if not self._accepts:
            refused: Any = Refused
            error = refused(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            factory.clientConnectionFailed(connector, Failure(error))
            return True
        protocol = factory.buildProtocol(connector.getDestination())
        where = self.address
        peer = IPv4Address("TCP", where.host, where.port) if isinstance(where, TCPAddress) else None
        self._open.append(FlowTransport(protocol, host=own, peer=peer))
        return True

    def serve(self) -> bool:
        """
        Take the bytes that were sent, and answer.

        @return: whether there were any.
        """
        moved = False
        for transport in self._open:
            while data := transport.take():
                moved = True
                self.received += data
                if self.reply is not None:
                    transport.send(self.reply(data))
            if transport.finished and not transport.ended:
                moved = True
                transport.finish()
        self._open = [each for each in self._open if not each.closed]
        return moved

    def __repr__(self) -> str:
        return f"<MemoryHost {self.address} connections={self.connections}>"

"""
A client of a balancer in memory.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.testing._transport import FlowTransport


class MemoryClient:
    """
    A client that a test plays. Made by L{txlb.testing.MemoryBalancer.connect}.

    @ivar service: the name of the service that it has connected to.
    @ivar host: the name of its host; L{None} if it still waits for a host or was
        closed.
    @ivar received: all bytes that it received.
    """

    def __init__(
        self, service: str, transport: FlowTransport, settle: Callable[[], object]
    ) -> None:
        self.service = service
        self.host: str | None = None
        self.received = bytearray()
        self._transport = transport
        self._settle = settle

    @property
    def address(self) -> tuple[str, int]:
        """
        Its address, as the balancer sees it.
        """
        peer = self._transport.getPeer()
        return peer.host, peer.port

    @property
    def isOpen(self) -> bool:
        """
        Whether it is still connected.
        """
        return not self._transport.closed

    def send(self, data: bytes) -> None:
        """
        Send bytes.
        """
        self._transport.send(data)
        self._settle()

    def finish(self) -> None:
        """
        Send no more.
        """
        self._transport.finish()
        self._settle()

    def reset(self) -> None:
        """
        Reset the connection.
        """
        self._transport.reset()
        self._settle()

    def take(self) -> bool:
        """
        Take the bytes that were sent.

        @return: whether there were any.
        """
        data = self._transport.take()
        self.received += data
        return bool(data)

    def __repr__(self) -> str:
        state = "open" if self.isOpen else "closed"
        return f"<MemoryClient {self.address[0]}:{self.address[1]} {state} host={self.host}>"

"""
What another process has read of a connection that it has accepted.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import address
from twisted.logger import Logger

_log = Logger()


class Beginning:
    """
    The beginning of a connection that another process has accepted and passed on: the addresses
    that a proxy in front of it has told, and bytes that were read already. The transport of the
    connection owns it, and gives these bytes to its protocol before those that still come.

    @ivar peer: the address of the client; L{None} for that of the socket.
    @ivar host: the address that the client has connected to; L{None} for that of the socket.
    @ivar data: the bytes that the protocol has not got yet.
    """

    def __init__(
        self,
        client: tuple[str, int] | None = None,
        server: tuple[str, int] | None = None,
        data: bytes = b"",
    ) -> None:
        self.peer = _addressOf(client)
        self.host = _addressOf(server)
        self.data = data
        self._reads = True

    def take(self) -> bytes:
        """
        Take the bytes.
        """
        data, self.data = self.data, b""
        return data

    def reads(self, transport: Any, reads: bool) -> None:
        """
        Note whether the protocol wants bytes. It may pause before it has got these.
        """
        self._reads = reads
        if reads and self.data:
            transport.reactor.callLater(0, self.deliver, transport)

    def deliver(self, transport: Any) -> None:
        """
        Give the bytes to the protocol of a transport, unless it has paused.
        """
        if not (self._reads and self.data and transport.connected):
            return
        try:
            transport.doRead()
        except Exception:  # noqa: BLE001 - the application wrote it
            _log.failure("the first bytes of a connection can't be handled")
            transport.abortConnection()


def _addressOf(told: tuple[str, int] | None) -> Any:
    if told is None:
        return None
    kind = address.IPv6Address if ":" in told[0] else address.IPv4Address
    return kind("TCP", *told)

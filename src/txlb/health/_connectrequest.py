"""
A check's request for a connection to a host that has several addresses.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txlb.model import Address
    from txlb.pool import Failure


class ConnectRequest:
    """
    A check's request to be connected to one of several addresses. The steps of the check
    yield it, and go on when it has a socket or a failure.

    @ivar addresses: the addresses, the preferred one first.
    @ivar timeout: seconds that the check has.
    @ivar address: the address that was reached.
    @ivar sock: the socket, connected; L{None} if there is none.
    @ivar failure: why there is none.
    """

    __slots__ = ("address", "addresses", "failure", "sock", "timeout")

    def __init__(self, addresses: tuple[Address, ...], timeout: float) -> None:
        self.addresses = addresses
        self.timeout = timeout
        self.address = addresses[0]
        self.sock: socket.socket | None = None
        self.failure: Failure | None = None

"""
Addresses as sockets take them.
"""

from __future__ import annotations

import socket
from typing import Any

from txlb.model import Address, UNIXAddress


def familyAndName(address: Address) -> tuple[socket.AddressFamily, Any]:
    """
    Say how a socket connects to an address that needs no look-up.

    @return: the family of the socket, and what its C{connect} takes.
    """
    if isinstance(address, UNIXAddress):
        return socket.AF_UNIX, address.path
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return family, (address.host, address.port)

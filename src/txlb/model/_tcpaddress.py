"""
Addresses of TCP.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TCPAddress:
    """
    A place to listen on or to connect to by TCP.

    @ivar host: an IP address without brackets, a host name, or C{""}, which
        stands for every interface. A link-local address of IPv6 has its zone
        behind it, C{fe80::1%eth0}; an IPv4 address that is mapped into IPv6 is
        written as IPv4.
    @ivar port: 1 to 65535; when listening from a program also 0, which lets the
        system choose.
    """

    host: str
    port: int

    @property
    def isLiteral(self) -> bool:
        """
        Whether C{host} is an IP address, so that there is nothing to resolve.
        """
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        host = self.host or "*"
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

"""
The host that a check looks at.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.model import Address, HostTLS


@dataclass(frozen=True, slots=True)
class Target:
    """
    The host that a check looks at.

    @ivar key: the names of service, group and host.
    @ivar address: the address to check, with the check's own port if it has one; needs no
        look-up.
    @ivar name: the host as it is configured: an IP address without its zone, a
        name, or C{localhost} for a UNIX socket.
    @ivar timeout: seconds that the check has; it is cancelled after them.
    @ivar header: bytes to send before any others: a PROXY header, or nothing.
    @ivar others: other addresses of the host, in the order in which they are tried if
        C{address} fails or does not answer soon.
    @ivar tls: how TLS is spoken to the host; L{None} for not at all.
    """

    key: tuple[str, str, str]
    address: Address
    name: str
    timeout: float
    header: bytes = b""
    others: tuple[Address, ...] = ()
    tls: HostTLS | None = None

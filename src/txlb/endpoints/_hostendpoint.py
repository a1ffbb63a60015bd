"""
The endpoints of single hosts.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

from txlb._reactor import opensSockets
from txlb.connecting import endpointOf, reactorEndpointOf
from txlb.model import Address, TCPAddress

#: Seconds that a C{HostnameEndpoint} has for each address of a name. The deadline of the
#: attempt comes before that.
LONG = 3600.0


def hostEndpoint(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    Make an endpoint of Twisted's for the address of a host. A name is resolved each time,
    and its addresses are tried side by side. There is no timeout: the caller cancels.

    @param reactor: a reactor; under one for tests the endpoint opens no socket itself.
    """
    endpoint: IStreamClientEndpoint
    if isinstance(address, TCPAddress) and not address.isLiteral:
        endpoint = HostnameEndpoint(reactor, address.host, address.port, timeout=LONG)
    elif opensSockets(reactor):
        endpoint = endpointOf(reactor, address)
    else:
        endpoint = reactorEndpointOf(reactor, address)
    return endpoint

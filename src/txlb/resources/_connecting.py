"""
Connections of probes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from txlb.model import Address, TCPAddress


class ProbeFailed(Exception):
    """
    A host could not be asked, or its answer says nothing. The message is for
    people. It says nothing of the host's health.
    """


def endpointTo(reactor: Any, address: Address, timeout: float) -> IStreamClientEndpoint:
    """
    An endpoint for an address that needs no look-up.

    @param timeout: seconds to connect.
    """
    if not isinstance(address, TCPAddress):
        return UNIXClientEndpoint(reactor, address.path, timeout)
    kind = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
    return kind(reactor, address.host, address.port, timeout)

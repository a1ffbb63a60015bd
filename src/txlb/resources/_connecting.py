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


def endpointTo(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    An endpoint for an address that needs no look-up. It has no timeout of its own,
    which would go by the wall clock: the monitor cancels a probe in time.
    """
    if not isinstance(address, TCPAddress):
        return UNIXClientEndpoint(reactor, address.path, None)
    kind: Any = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
    endpoint: IStreamClientEndpoint = kind(reactor, address.host, address.port, timeout=None)
    return endpoint

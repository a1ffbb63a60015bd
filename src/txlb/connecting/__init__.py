"""
Connecting to hosts: the meaning of errors, endpoints for addresses, and the names of
sockets. Relays, checks and probes share this package.
"""

from txlb.connecting._clients import packedClient
from txlb.connecting._endpoint import (
    ConnectFailed,
    OneProtocolFactory,
    UNIXEndpoint,
    endpointOf,
    failureFrom,
    isSelfConnected,
    reactorEndpointOf,
)
from txlb.connecting._errors import (
    MEANINGS,
    NO_PORTS,
    RESET_SINCE,
    About,
    Meaning,
    failureOf,
    meaningOf,
)
from txlb.connecting._pauses import PortPauses
from txlb.connecting._places import Place, lacksIPv6, placesOf
from txlb.connecting._race import STAGGER, Connector, Race
from txlb.connecting._racing import RacingEndpoint
from txlb.connecting._sockets import familyAndName, familyOf, hostOf, tcpAddressOf

__all__ = [
    "MEANINGS",
    "NO_PORTS",
    "RESET_SINCE",
    "STAGGER",
    "About",
    "ConnectFailed",
    "Connector",
    "Meaning",
    "OneProtocolFactory",
    "Place",
    "PortPauses",
    "Race",
    "RacingEndpoint",
    "UNIXEndpoint",
    "endpointOf",
    "failureFrom",
    "failureOf",
    "familyAndName",
    "familyOf",
    "hostOf",
    "isSelfConnected",
    "lacksIPv6",
    "meaningOf",
    "packedClient",
    "placesOf",
    "reactorEndpointOf",
    "tcpAddressOf",
]

"""
Connecting to hosts: what an error means, and endpoints for addresses; and the names of
sockets. Relays, checks and probes share it.
"""

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
from txlb.connecting._race import STAGGER, Race, Track
from txlb.connecting._racing import RacingEndpoint
from txlb.connecting._sockets import familyAndName, familyOf, hostOf, tcpAddressOf

__all__ = [
    "MEANINGS",
    "NO_PORTS",
    "RESET_SINCE",
    "STAGGER",
    "About",
    "ConnectFailed",
    "Meaning",
    "OneProtocolFactory",
    "Place",
    "PortPauses",
    "Race",
    "RacingEndpoint",
    "Track",
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
    "placesOf",
    "reactorEndpointOf",
    "tcpAddressOf",
]

"""
RADIUS servers as a source of logins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.config._accessmap import AccessMap, checkMaps
from txlb.config._loginsource import onUnavailableField
from txlb.errors import ModelError
from txlb.model import TCPAddress, parseHostAddress
from txlb.model.kinds import DAY, Parsed, Path, Seconds, Several, Text, Whole
from txlb.model.settings import checkSettings, setting, settingField

#: The port of RADIUS: RFC 2865.
_PORT = 1812


def parseServer(value: object) -> TCPAddress:
    """
    Read the address of a server. Without a port it is that of RADIUS, 1812.

    @raise ModelError: it is none.
    """
    text = value
    if isinstance(value, str) and ":" not in value.rpartition("]")[2]:
        text = f"{value}:{_PORT}"
    address = parseHostAddress(text)
    if not isinstance(address, TCPAddress):
        raise ModelError(f"{address} is no address of a RADIUS server; write host:port")
    return address


@dataclass(frozen=True, slots=True)
class RADIUSSource:
    """
    RADIUS servers that decide about logins.

    @ivar maps: the access of users for which a value is told.
    """

    servers: tuple[TCPAddress, ...] = field(
        metadata=setting(
            Several(Parsed(parseServer, "host:port, or [::1]:port for IPv6")),
            "The servers, with spaces between, as ``host:port``; without a port it is 1812. They "
            "are asked in this order.",
        )
    )
    secretFile: str = field(
        metadata=setting(
            Path(),
            "The file of the secret that is shared with the servers. Its first line counts. Other "
            "users of the machine may not be able to read it.",
        )
    )
    maps: tuple[AccessMap, ...] = ()
    attribute: str = settingField(
        "Filter-Id",
        Text(
            r"Class|Filter-Id|[1-9][0-9]{0,8}/[1-9][0-9]{0,2}",
            "Class, Filter-Id, or the numbers of a vendor and an attribute, as in 9/1",
        ),
        "The attribute of an Access-Accept that tells the access: ``Filter-Id``, ``Class``, or one "
        "of a vendor by its numbers, such as ``9/1`` for Cisco-AVPair.",
    )
    nasIdentifier: str = settingField(
        "txlb", Text(r"[\x21-\x7e]{1,64}", "a word of ASCII"), "The NAS-Identifier in requests."
    )
    timeout: float = settingField(
        3.0,
        Seconds(0.1, 60.0),
        "Seconds to the first repetition of a request; each further one takes twice as long.",
    )
    retries: int = settingField(
        2, Whole(0, 10), "How often a request is repeated before the next server is asked."
    )
    onUnavailable: str = onUnavailableField()
    recheck: float = settingField(
        43_200.0,
        Seconds(1.0, 7 * DAY),
        "Seconds after which a user has to log in again, as RADIUS can't be asked without the "
        "password. A shorter Session-Timeout of the server counts.",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "<radius>")
        object.__setattr__(self, "maps", checkMaps(self.maps, "value", "group", "<radius>"))
        for problem in self.problems:
            raise ModelError(problem)

    @property
    def problems(self) -> list[str]:
        """
        The rules that these settings break together.
        """
        found = []
        if not self.servers:
            found.append("<radius> has no server; write one, such as 192.0.2.5:1812, in servers")
        return found

"""
Reading addresses: C{host:port}, C{*:80} and C{:80} for every interface, C{[::1]:80} for
IPv6, C{unix:/path} for a socket in the file system, C{systemd:name} for one that
systemd has opened; and the descriptions of Twisted's endpoints for such addresses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import replace

from txlb.errors import AddressError
from txlb.model._checks import shown
from txlb.model._endpointstrings import clientAddress, serverAddress
from txlb.model._foreign import explainForeign
from txlb.model._inheritedaddress import INHERITED, InheritedAddress
from txlb.model._tcpaddress import TCPAddress
from txlb.model._unixaddress import UNIXAddress
from txlb.model.settings import checkSettings

#: What C{sun_path} holds on Linux, less the NUL at its end.
MAX_UNIX_PATH = 107

#: What systemd takes as the name of a descriptor (C{fdname_is_valid}).
_DESCRIPTOR_NAME = re.compile(r"[ -9;-~]{1,255}\Z")

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")

#: The name of a network interface as Linux takes it (C{dev_valid_name}), in
#: printable ASCII alone, or its number.
_ZONE = re.compile(r"(?!\.{1,2}\Z)[!-$&-.0-9;-Z\\^-~]{1,15}\Z")

#: The permissions of a socket's file in the description of an endpoint.
_OCTAL = re.compile(r"0?[0-7]{3}\Z")

#: The address of a host, or of an open listener.
Address = TCPAddress | UNIXAddress

#: The configured address of a listener.
ListenAddress = TCPAddress | UNIXAddress | InheritedAddress

#: What an address can be written as.
AddressLike = ListenAddress | tuple[str, int] | str


def parseHostAddress(value: object) -> Address:
    """
    Read the address of a proxied host.

    @param value: a text, a pair of host and port, or an address.
    @raise AddressError: it is no address, or it is for every interface, or port 0.
    """
    address: Address
    if isinstance(value, str) and (client := clientAddress(value)) is not None:
        address = _ofEndpoint(value, *client)
    else:
        address = _parse(value)
    if isinstance(value, UNIXAddress) and value != placeOf(value):
        raise AddressError(
            f"{value} of a host has no mode, user or group; those are of a socket to listen on"
        )
    if isinstance(address, TCPAddress):
        if not address.host:
            raise AddressError(
                f"{value!r} stands for every interface; a host needs the one address that it "
                "is reached at"
            )
        if not address.port:
            raise AddressError(f"port 0 in {value!r} can't be connected to; ports are 1 to 65535")
    return address


def parseListenAddress(value: object, ephemeral: bool = True) -> ListenAddress:
    """
    Read an address to listen on.

    @param value: a text, a pair of host and port, or an address.
    @param ephemeral: whether port 0, a free one of the system's choice, will do.
    @raise AddressError: it is no address, or its port is 0 and C{ephemeral} is false.
    """
    if isinstance(value, str) and (server := serverAddress(value)) is not None:
        return _ofServer(value, *server, ephemeral)
    if isinstance(value, InheritedAddress) or str(value).startswith(INHERITED):
        return _inherited(str(value))
    address = _parse(value)
    if isinstance(value, UNIXAddress) and isinstance(address, UNIXAddress):
        # The copy gets the values as their kinds have them.
        address = replace(address, mode=value.mode, user=value.user, group=value.group)
        checkSettings(address, str(address))
        return address
    if isinstance(address, TCPAddress) and not address.port and not ephemeral:
        raise AddressError(f"port 0 in {value!r} is no port to listen on; ports are 1 to 65535")
    return address


def _ofServer(text: str, kind: str, place: str, more: str, ephemeral: bool) -> ListenAddress:
    if kind == "systemd":
        return _inherited(f"{INHERITED}{place}")
    if kind == "tcp":
        return parseListenAddress(_ofEndpoint(text, place, more), ephemeral)
    address = _unix(f"unix:{place}")
    if not more:
        return address
    if not _OCTAL.match(more):
        raise AddressError(
            f"mode={more} in {text!r} is no mode; it has three octal digits, as in mode=660"
        )
    return replace(address, mode=int(more, 8))


def _ofEndpoint(text: str, host: str, port: str) -> TCPAddress:
    if not (port.isascii() and port.isdigit()):
        raise AddressError(f"{port!r} in {text!r} is no port; ports are whole, 1 to 65535")
    return TCPAddress(_checkHost(host), _checkPort(int(port[:9]), text))


def placeOf(address: ListenAddress) -> ListenAddress:
    """
    Return an address without the mode, user and group of a socket's file. Two listeners can't
    have the same place at once.
    """
    return UNIXAddress(address.path) if isinstance(address, UNIXAddress) else address


def isOneAddress(value: object) -> bool:
    """
    Tell whether a value is meant as one address, right or wrong, and not as a list of
    addresses.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return True
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int)


def plainHost(text: str) -> str:
    """
    Write an IP address as everything else here does: an IPv4 address that is mapped
    into IPv6 as IPv4, all others as the system writes them.

    @param text: anything that is no IP address stays as it is.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(address if mapped is None else mapped)


def _parse(value: object) -> Address:
    if isinstance(value, TCPAddress):
        return TCPAddress(_checkHost(value.host), _checkPort(value.port, str(value)))
    if isinstance(value, UNIXAddress):
        return _unix(str(value))
    if isinstance(value, str):
        return _parseText(value)
    if isinstance(value, (tuple, list)) and len(value) == 2:
        host, port = value
        if isinstance(host, str) and host.startswith("unix:"):
            return _unix(host)
        return TCPAddress(_checkHost(host), _checkPort(port, value))
    if isinstance(value, int) and not isinstance(value, bool):
        raise AddressError(
            f"{value!r} is no address but a port; write host:port, as in '127.0.0.1:{value}'"
        )
    raise AddressError(f"{shown(value)} is no address; write host:port, [::1]:port or unix:/path")


def _parseText(text: str) -> Address:
    if text.startswith("unix:"):
        return _unix(text)
    foreign = explainForeign(text)
    if foreign is not None:
        raise AddressError(foreign)
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        raise AddressError(f"{text!r} has no port; write host:port, [::1]:port or unix:/path")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise AddressError(f"{text!r}: only an IPv6 address stands in brackets")
    elif ":" in host:
        raise AddressError(
            f"{text!r}: an IPv6 address stands in brackets and its port behind them, as in [::1]:80"
        )
    if not (port.isascii() and port.isdigit()):
        raise AddressError(f"{port!r} in {text!r} is no port; ports are whole, 1 to 65535")
    return TCPAddress(_checkHost(host), _checkPort(int(port[:9]), text))


def _unix(text: str) -> UNIXAddress:
    path = text.removeprefix("unix:")
    if not path or "\0" in path or len(path.encode("utf-8", "surrogateescape")) > MAX_UNIX_PATH:
        raise AddressError(
            f"{text!r} is no socket; a path of 1 to {MAX_UNIX_PATH} bytes follows unix:"
        )
    if not path.isprintable():
        # It goes into logs and onto terminals. Characters that change the direction
        # of text are not printable either.
        raise AddressError(
            f"{text!r} has characters that can't be printed; the path of a socket has none, "
            "such as control characters and line ends"
        )
    foreign = explainForeign(text)
    if foreign is not None:
        raise AddressError(foreign)
    return UNIXAddress(path)


def _inherited(text: str) -> InheritedAddress:
    name = text.removeprefix(INHERITED)
    if not _DESCRIPTOR_NAME.match(name):
        raise AddressError(
            f"{text!r} names no socket of systemd's; the FileDescriptorName= of its unit follows "
            f"{INHERITED}"
        )
    return InheritedAddress(name)


def _checkPort(port: object, where: object) -> int:
    if isinstance(port, str):
        raise AddressError(
            f"port {shown(port)} in {shown(where)} is a text; a port is a whole number, 1 to 65535"
        )
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise AddressError(
            f"port {shown(port)} in {shown(where)} does not exist; ports are 1 to 65535"
        )
    return port


def _checkHost(host: object) -> str:
    if not isinstance(host, str):
        raise AddressError(f"{shown(host)} is no IP address or host name")
    if host in {"", "*"}:
        return ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return str(address) if address.version == 4 else _checkIPv6(address)
    name = host.removesuffix(".")
    labels = name.split(".")
    # All digits and dots would be a name by the letter of the rule, but 10.0.0.256 is
    # meant as an address.
    if len(name) > 253 or not all(map(_LABEL.match, labels)) or labels[-1].isdigit():
        raise AddressError(f"{host!r} is no IP address or host name")
    return host


def _checkIPv6(address: ipaddress.IPv6Address) -> str:
    zone = address.scope_id
    if zone is None:
        if address.is_link_local:
            raise AddressError(
                f"{str(address)!r} is a link-local address, which each interface has; say which "
                f"interface is meant, as in [{address}%eth0]:80"
            )
        mapped = address.ipv4_mapped
        return str(address if mapped is None else mapped)
    if not address.is_link_local:
        raise AddressError(
            f"{str(address)!r} has the zone {zone!r}; only a link-local address (fe80::/10) has one"
        )
    if not _ZONE.match(zone):
        raise AddressError(
            f"the zone {zone!r} of {str(address)!r} is no network interface; its name of 1 to 15 "
            "printable ASCII characters follows %, or its number"
        )
    return str(address)

"""
Networks of clients: C{192.0.2.0/24}, C{2001:db8::/32}, one address alone,
C{unix} for clients that come through a UNIX socket, and C{all}.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from txlb.errors import AddressError, ModelError
from txlb.model._checks import shown

#: The words that stand for clients without being a network.
ALL = "all"
UNIX = "unix"

#: The longest text that is read, in characters: more than any network has.
MAX_LENGTH = 100

#: The network of IPv6 that holds IPv4's addresses: 96 bits.
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parseNetwork(value: object) -> str:
    """
    Read a network of clients.

    @param value: a text, or a network of L{ipaddress}.
    @return: the network in the one way of writing that all code uses. IPv4's addresses within
        IPv6 are written as IPv4.
    @raise AddressError: it is none.
    """
    text = str(value)
    if text in {ALL, UNIX}:
        return text
    network = readNetwork(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        low = int(network.network_address) & 0xFFFFFFFF
        network = ipaddress.IPv4Network((low, network.prefixlen - MAPPED.prefixlen))
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def readNetwork(text: str) -> Network:
    """
    Read a network that is none of the words.

    @raise AddressError: it is no network.
    """
    if len(text) > MAX_LENGTH:
        raise AddressError(f"{text[:MAX_LENGTH]!r}… is no network of clients")
    if "%" in text:
        raise AddressError(f"{text!r} has an interface's name; a network is one on all interfaces")
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise AddressError(
            f"{text!r} is no network of clients; write 192.0.2.0/24, 2001:db8::/32, one "
            f"address, {UNIX} or {ALL}"
        ) from None
    raise AddressError(f"{text!r} has bits set behind its prefix; the network is {meant}")


def checkNetworks(whose: str, allow: object, deny: object) -> tuple[tuple[str, ...], ...]:
    """
    Read the lists of networks whose clients may come in, and whose clients may not.

    @param whose: the owner of the lists, for the message.
    @raise ModelError: one is no list of networks, or a network stands in them
        twice.
    """
    lists = tuple(_readList(whose, *each) for each in (("allow", allow), ("deny", deny)))
    where: dict[str, str] = {}
    for name, networks in zip(("allow", "deny"), lists, strict=True):
        for network in networks:
            if network in where:
                both = name if where[network] == name else f"{where[network]} and {name}"
                raise ModelError(
                    f"{network} stands twice in {both} of {whose}; once says what happens to it"
                )
            where[network] = name
    return lists


def _readList(whose: str, name: str, networks: object) -> tuple[str, ...]:
    if isinstance(networks, (str, bytes)) or not isinstance(networks, Iterable):
        raise ModelError(f"{name} of {whose} is {shown(networks)}; it is a list of networks")
    return tuple(parseNetwork(each) for each in networks)

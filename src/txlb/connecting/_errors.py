"""
The meaning of an error of connect(2), for relays, checks and probes alike.

The errors that Linux gives were tried in network namespaces in which a host can't be
reached: without IPv6 C{EADDRNOTAVAIL}, without a route C{ENETUNREACH}, behind an
C{unreachable} route C{EHOSTUNREACH}, behind a C{prohibit} route C{EACCES}, behind a
C{blackhole} route C{EINVAL}, and with all local ports in use C{EADDRNOTAVAIL}.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from enum import Enum

from txlb.connecting._sockets import familyAndName, familyOf
from txlb.model import Address, TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind


class About(Enum):
    """
    The part of the way to a host that an error is about.

    C{HOST} is the host, or the network before it. C{FAMILY} is this machine's lack of
    IPv6, of IPv4, of a network interface, or of a route: the host is down as seen from
    here. C{FIREWALL} is a rule of this machine that forbids the connection: the host is
    down as seen from here. C{PORTS} are the local ports towards this one address: other
    hosts can still be reached, and the host is not to blame. C{RESOURCES} are this
    process's descriptors and memory: no other host can be reached either. C{BUSY} is a
    host that takes no connection just now.
    """

    HOST = "host"
    FAMILY = "family"
    FIREWALL = "firewall"
    PORTS = "ports"
    RESOURCES = "resources"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Meaning:
    """
    The meaning of an error.

    @ivar about: the part of the way that it is about.
    @ivar kind: its meaning for the host and for the search.
    @ivar words: its text for people; C{{family}} stands for IPv6, IPv4 or UNIX, and
        C{{zone}} for the zone of the address.
    """

    about: About
    kind: FailureKind
    words: str


def _host(kind: FailureKind, words: str) -> Meaning:
    return Meaning(About.HOST, kind, words)


def _resources(words: str) -> Meaning:
    return Meaning(About.RESOURCES, FailureKind.LOCAL, words)


_PORTS = Meaning(
    About.PORTS,
    FailureKind.PORTS,
    "the local ports towards it are used up (net.ipv4.ip_local_port_range)",
)

#: The meaning of each error that has one of its own. Every other one is about the host.
MEANINGS = {
    errno.ECONNREFUSED: _host(FailureKind.REFUSED, "connection refused"),
    errno.ECONNRESET: _host(FailureKind.REFUSED, "connection reset"),
    errno.EPIPE: _host(FailureKind.REFUSED, "connection reset"),
    errno.ENOENT: _host(FailureKind.REFUSED, "there is no such socket"),
    errno.ETIMEDOUT: _host(FailureKind.TIMEOUT, "connection timed out"),
    errno.EHOSTUNREACH: _host(FailureKind.UNREACHABLE, "no route to the host"),
    errno.EINVAL: _host(
        FailureKind.UNREACHABLE, "this machine can't connect to such an address (invalid argument)"
    ),
    errno.EAFNOSUPPORT: Meaning(
        About.FAMILY, FailureKind.UNREACHABLE, "this machine has no {family}"
    ),
    errno.ENETUNREACH: Meaning(
        About.FAMILY, FailureKind.UNREACHABLE, "no {family} route to it (network unreachable)"
    ),
    errno.ENODEV: Meaning(
        About.FAMILY, FailureKind.UNREACHABLE, "this machine has no network interface {zone}"
    ),
    errno.EACCES: Meaning(
        About.FIREWALL,
        FailureKind.UNREACHABLE,
        "a firewall or route of this machine forbids it (permission denied)",
    ),
    errno.EPERM: Meaning(
        About.FIREWALL,
        FailureKind.UNREACHABLE,
        "a firewall of this machine forbids it (operation not permitted)",
    ),
    # If this machine has an address to connect from; see NO_ADDRESS.
    errno.EADDRNOTAVAIL: _PORTS,
    errno.EADDRINUSE: _PORTS,
    errno.EAGAIN: Meaning(About.BUSY, FailureKind.BUSY, "its backlog is full"),
    errno.EMFILE: _resources("this process has no descriptor left"),
    errno.ENFILE: _resources("this machine has no descriptor left"),
    errno.ENOBUFS: _resources("this machine has no memory for it"),
    errno.ENOMEM: _resources("this machine has no memory for it"),
}

#: The errors of a connection that was established, and that the host has reset since. The bytes
#: that the host had sent can be read. A host that was never reached gives C{ECONNREFUSED}.
RESET_SINCE = frozenset({errno.ECONNRESET, errno.EPIPE})

#: The meaning of C{EADDRNOTAVAIL} if it is not for lack of ports.
NO_ADDRESS = Meaning(
    About.FAMILY,
    FailureKind.UNREACHABLE,
    "this machine has no {family} address to connect from",
)

#: The meaning of C{EACCES} for a UNIX socket, where the rights of its file decide.
NO_PERMISSION = Meaning(
    About.HOST, FailureKind.UNREACHABLE, "this process may not open the socket (permission denied)"
)

_NAMES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6", socket.AF_UNIX: "UNIX socket"}


def meaningOf(number: int, address: Address | None = None) -> Meaning:
    """
    Find the meaning of an error. C{EADDRNOTAVAIL} has two meanings; the system is asked
    which one it is.

    @param number: the error number of connect(2) or socket(2).
    @param address: the address that was connected to, if it is known.
    """
    if isinstance(address, UNIXAddress):
        if number in {errno.EACCES, errno.EPERM}:
            return NO_PERMISSION
    elif number == errno.EADDRNOTAVAIL and address is not None and not _hasAddressFor(address):
        return NO_ADDRESS
    found = MEANINGS.get(number)
    if found is None:
        words = os.strerror(number)
        found = _host(FailureKind.UNREACHABLE, words[:1].lower() + words[1:])
    return found


def failureOf(number: int, address: Address | None = None) -> Failure:
    """
    Make the failure that an error means.

    @param number: see L{meaningOf}.
    @param address: see L{meaningOf}.
    """
    meaning = meaningOf(number, address)
    family = "IP" if address is None else _NAMES[familyOf(address)]
    zone = address.host.partition("%")[2] if isinstance(address, TCPAddress) else ""
    words = meaning.words.format(family=family, zone=zone or "of that name")
    return Failure(meaning.kind, words)


#: The failure that a lack of local ports means.
NO_PORTS = failureOf(errno.EADDRINUSE)


def _hasAddressFor(address: Address) -> bool:
    """
    Find out whether this machine has an address to connect from, by a datagram socket. Such
    sockets have other ports than TCP, so that connecting one fails only for lack of an
    address. It sends nothing.
    """
    try:
        family, name = familyAndName(address)
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            return sock.connect_ex(name) != errno.EADDRNOTAVAIL
    except OSError:
        return True

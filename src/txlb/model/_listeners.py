"""
Listeners, as configured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import KW_ONLY, MISSING, dataclass, field

from txlb.errors import ModelError
from txlb.model._addresses import AddressLike, ListenAddress, placeOf
from txlb.model._addresskinds import CLIENT_NETWORK, LISTEN_ADDRESS
from txlb.model._inheritedaddress import InheritedAddress
from txlb.model._listentls import ListenTLS, ListenTLSLike, listenTLSOf
from txlb.model._made import Made, given
from txlb.model._servername import ServerName
from txlb.model._tcpaddress import TCPAddress
from txlb.model._unixaddress import UNIXAddress
from txlb.model.kinds import Boolean, Seconds, Several, Text, Whole, Word, textOf
from txlb.model.settings import Since, checkSettings, setting, settingField

#: The word that lets a PROXY header be missing.
OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Listener:
    """
    One place where a service listens. An option that each listener of a service may
    have for itself is a field here. The mode, user and group of a UNIX socket belong to
    its address.

    @ivar address: its address. It can be given as a text or as a pair of host and port.
    @ivar proxyProtocol: the versions of PROXY headers that may come, C{v1} and C{v2}, and
        C{optional}; empty if none is read. It can be given as a text, as C{"v1 v2"}.
    @ivar trusted: networks of clients, as L{parseNetwork} reads them.
    @ivar serverNames: in lower case; empty for any name.
    @ivar alpn: empty for any protocol.
    @ivar tls: how TLS ends here; L{None} if the bytes go to the hosts as they are.
    """

    address: Made[ListenAddress, AddressLike] = field(
        # There is none. Type checkers look at descriptors if there is one.
        default=given(MISSING),
        metadata=setting(LISTEN_ADDRESS, "The address.", word="ip", since=Since.OLD),
    )
    _: KW_ONLY
    proxyProtocol: Made[tuple[str, ...], str | Iterable[str]] = field(
        default=given(()),
        metadata=setting(
            Several(Word(("v1", "v2", OPTIONAL)), empty="no header is read"),
            "The versions of the PROXY header with which a trusted client begins, ``v1 v2`` for "
            "either. The address of the client is the one of the header from then on. A trusted "
            "client without a header is closed, unless ``optional`` is added, and so is any other "
            "client with one.",
        ),
    )
    trusted: Made[tuple[str, ...], str | Iterable[str]] = field(
        default=given(()),
        metadata=setting(
            Several(CLIENT_NETWORK),
            "The networks of the clients whose PROXY headers are believed, with spaces between "
            "them: those of the proxies in front. ``proxyProtocol`` needs it, except on a UNIX "
            "socket, whose clients are all trusted without it.",
        ),
    )
    prefaceTimeout: float = settingField(
        5.0,
        Seconds(0.01, 3600.0),
        "Seconds that a client has for its PROXY header and its ClientHello. A client that may do "
        "without both is served after them if it has sent nothing, as the server may be the one "
        "that begins.",
    )
    maxPrefacesPerClient: int = settingField(
        200,
        Whole(1, 1_000_000),
        "How many connections of one client are in their PROXY header or their ClientHello at "
        "once. One over that is closed and counted. A client is an IPv4 address, or an IPv6 "
        "network of 64 bits. A connection of a trusted proxy counts for the client that its header "
        "tells.",
    )
    deferAccept: bool = settingField(
        False,
        Boolean(),
        "Whether the system keeps a client until it has sent its first bytes, for a second at most "
        "(``TCP_DEFER_ACCEPT`` of Linux). It saves CPU where clients speak first, as those of TLS "
        "and HTTP do. A client that has sent nothing when the listener is closed is reset.",
    )

    serverNames: Made[tuple[str, ...], str | Iterable[str]] = field(
        default=given(()),
        metadata=setting(
            Several(ServerName(), empty="any name"),
            "The names of servers whose clients of TLS come here, with spaces between them. "
            "``*.b.example`` stands for all names under ``b.example``. Services whose listeners "
            "have names can share an address: the exact name goes before a wildcard, and a longer "
            "wildcard before a shorter one. A client that asks for no such name goes to the "
            "listener without names at this address, or is closed.",
        ),
    )
    alpn: Made[tuple[str, ...], str | Iterable[str]] = field(
        default=given(()),
        metadata=setting(
            Several(
                Text(r"[!-~]{1,255}", "a protocol such as h2, http/1.1 or acme-tls/1"),
                empty="any protocol",
            ),
            "The protocols (ALPN) of which a client of TLS has to offer one to come here, with "
            "spaces between them. They count beside ``serverNames``, after the name.",
        ),
    )
    plain: bool = settingField(
        False,
        Boolean(),
        "Whether clients that speak no TLS come here, and those that are silent for "
        "``prefaceTimeout``, as their server may be the one that begins. It is for a listener "
        "whose address has names of servers; without it they are closed.",
    )
    tls: Made[ListenTLS | None, ListenTLSLike] = field(default=given(None))

    def __post_init__(self) -> None:
        checkSettings(self, "a listener")
        listenTLSOf(self.tls, f"the listener on {self.address}")
        if self.proxyProtocol:
            self._checkTrust()
        elif self.trusted:
            raise ModelError(
                f"trusted of the listener on {self.address} has no effect without proxyProtocol; "
                "add it, or leave trusted out"
            )

        if self.deferAccept and isinstance(self.address, UNIXAddress):
            raise ModelError(
                f"deferAccept of the listener on {self.address} has no effect, as it is a UNIX "
                "socket; leave it out"
            )

    def _checkTrust(self) -> None:
        if self.proxyProtocol == (OPTIONAL,):
            raise ModelError(
                f"proxyProtocol of the listener on {self.address} names no version; write v1, v2 "
                f"or both beside {OPTIONAL}"
            )
        if not self.trusted and not isinstance(self.address, UNIXAddress):
            unix = ", unix" if isinstance(self.address, InheritedAddress) else ""
            raise ModelError(
                f"proxyProtocol of the listener on {self.address} needs trusted, the networks of "
                f"the proxies in front of it, as in 192.0.2.0/24{unix}; any other client could "
                "claim any address"
            )

    @property
    def hasPreface(self) -> bool:
        """
        Whether something is read of a connection before its host is chosen.
        """
        return bool(self.proxyProtocol or self.readsHello)

    @property
    def readsHello(self) -> bool:
        """
        Whether it takes only some of the clients of TLS, by their ClientHello.
        """
        return bool(self.serverNames or self.alpn)

    @property
    def risks(self) -> tuple[str, ...]:
        """
        The settings that an administrator should know the risk of, a sentence for each.
        """
        if OPTIONAL not in self.proxyProtocol:
            return ()
        risk = (
            f"proxyProtocol has {OPTIONAL}, so that a client of a proxy that sends no header "
            "comes in with the address of the proxy, and can write a header of its own"
        )
        return (risk,)

    @property
    def place(self) -> ListenAddress:
        """
        The address without the rights of a socket's file. Two listeners can't have the
        same place at once.
        """
        return placeOf(self.address)

    @property
    def isFixed(self) -> bool:
        """
        Whether the configuration alone says where it listens. The system chooses the
        port if the configured one is 0.
        """
        return not isinstance(self.address, TCPAddress) or self.address.port != 0

    def __str__(self) -> str:
        options = [
            f"{each.name}={_shown(value)}"
            for each in dataclasses.fields(self)[1:]
            if each.repr and (value := getattr(self, each.name)) != each.default
        ]
        return " ".join([str(self.address), *options])


def _shown(value: object) -> str:
    return ",".join(map(textOf, value)) if isinstance(value, tuple) else textOf(value)


#: A listener, or an address that stands for a listener without options.
ListenerLike = Listener | AddressLike


def listenerOf(value: ListenerLike) -> Listener:
    """
    Make a listener of an address.

    @param value: an address as L{parseListenAddress} reads it, or a listener, which is
        returned as it is.
    @raise AddressError: it is no address.
    """
    return value if isinstance(value, Listener) else Listener(value)

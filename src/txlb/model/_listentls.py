"""
TLS that ends at a listener, as configured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, MISSING, dataclass, field
from typing import Any

from txlb.errors import ModelError
from txlb.model._checks import shown
from txlb.model._made import Made, given
from txlb.model.kinds import Boolean, Path, Seconds, Several, Text, Whole, Word
from txlb.model.settings import checkSettings, setting, settingField

#: Protocols of ALPN as a file has them. RFC 7301 allows any bytes; the registered ones are
#: printable.
PROTOCOLS = Several(Text(r"[\x21-\x7e]{1,255}", "a protocol of ALPN, such as h2 or http/1.1"))

#: A name of a server, as a client asks for it.
SERVER_NAME = Text(r"[A-Za-z0-9_*.-]{1,253}", "the name of a server, such as www.example.com")

TLS_VERSIONS = ("1.2", "1.3")

PROFILES = ("intermediate", "modern")


@dataclass(frozen=True, slots=True)
class ListenTLS:
    """
    TLS that ends at a listener. Its settings are described where they are declared, and in
    the reference of the configuration file.

    @ivar certificates: files and folders of certificates with their keys, at least one.
    @ivar defaultName: L{None} for the first certificate.
    @ivar alpn: in the order of preference; empty for no ALPN.
    @ivar clientCA: L{None} if clients are asked for no certificate.
    @ivar crl: L{None} for none.
    """

    certificates: Made[tuple[str, ...], str | Iterable[str]] = field(
        # There is none, see Listener.
        default=given(MISSING),
        metadata=setting(
            Several(Path()),
            "Folders of PEM files, or files. A folder has certificates with their chains and their "
            "keys, in any order, together or in files of their own; the same in the folders inside "
            "of it. Of files that are named one by one, each has a certificate with its chain, or "
            "a key, or all of it.",
        ),
    )
    _: KW_ONLY
    defaultName: str | None = settingField(
        None,
        SERVER_NAME,
        "The name whose certificate a client gets that asks for no name.",
        defaultDoc="the name of the first certificate, in the order of the files' names",
    )
    unknownName: str = settingField(
        "default",
        Word(("default", "refuse")),
        "Whether a client that asks for a name without a certificate gets that of the default, or "
        "is refused with the alert ``unrecognized_name``.",
    )
    alpn: Made[tuple[str, ...], str | Iterable[str]] = field(
        default=given(()),
        metadata=setting(
            PROTOCOLS,
            "The protocols of ALPN that the hosts speak, the preferred one first. A client that "
            "offers none of them goes on without ALPN.",
            defaultDoc="no ALPN",
        ),
    )
    minVersion: str = settingField(
        "1.2", Word(TLS_VERSIONS), "The lowest version of TLS that is spoken."
    )
    profile: str = settingField(
        "intermediate",
        Word(PROFILES),
        "The ciphers and groups, by the name of the profile in Mozilla's guideline for TLS on "
        "servers. ``modern`` is TLS 1.3 alone.",
    )
    clientCA: str | None = settingField(
        None,
        Path(),
        "A file of the authorities that sign the certificates of clients.",
        defaultDoc="clients are asked for no certificate",
    )
    clientCertificates: str = settingField(
        "required",
        Word(("required", "optional")),
        "With ``clientCA``: whether a client without a certificate is refused. A client with one "
        "that is not right is refused in both cases.",
    )
    crl: str | None = settingField(
        None,
        Path(),
        "With ``clientCA``: a file of lists of the certificates that were revoked.",
        defaultDoc="none is revoked",
    )
    tickets: bool = settingField(
        True,
        Boolean(),
        "Whether clients may resume their sessions. The keys of the tickets are renewed at least "
        "once a day.",
    )
    handshakeTimeout: float = settingField(
        10.0, Seconds(0.1, 600.0), "Seconds that a client has for its handshake."
    )
    maxHandshakes: int = settingField(
        2000,
        Whole(1, 1_000_000),
        "How many handshakes are under way at once. A client over that is closed and counted.",
    )
    maxHandshakesPerClient: int = settingField(
        200,
        Whole(1, 1_000_000),
        "How many of them one client has. A client is an IPv4 address, or an IPv6 network of 64 "
        "bits.",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "TLS of a listener")
        if not self.certificates:
            raise ModelError(
                "certificates of TLS of a listener is empty; name a folder of PEM files, as in "
                "ListenTLS(certificates='certs/')"
            )
        if self.clientCA is None and self.crl is not None:
            raise ModelError(
                "crl of TLS of a listener has no effect without clientCA; give both or none"
            )

    @property
    def asksClients(self) -> bool:
        """
        Whether clients are asked for a certificate.
        """
        return self.clientCA is not None

    def __str__(self) -> str:
        return " ".join(self.certificates)


#: What stands for TLS of a listener.
ListenTLSLike = ListenTLS | None


def listenTLSOf(value: Any, whose: str) -> ListenTLS | None:
    """
    Check that a value is TLS of a listener.

    @param whose: the owner of the setting, for the message.
    @raise ModelError: it is something else.
    """
    if value is None or isinstance(value, ListenTLS):
        return value
    raise ModelError(
        f"tls of {whose} is {shown(value)}; it is a ListenTLS, as in "
        "ListenTLS(certificates='certs/'), or None"
    )

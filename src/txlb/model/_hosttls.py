"""
TLS that begins here, towards hosts, as configured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from txlb.errors import ModelError
from txlb.model._checks import shown
from txlb.model._listentls import PROTOCOLS, TLS_VERSIONS
from txlb.model._made import Made, given
from txlb.model.kinds import Boolean, Path, Text, Word
from txlb.model.settings import checkSettings, setting, settingField

#: The name of a host for its certificate: a host name or an IP address.
HOST_NAME = Text(r"[A-Za-z0-9_.:-]{1,253}", "a host name or an IP address")


class _MaybeSaid(Boolean):
    """
    True, false, or L{None} for what is not said.
    """

    def check(self, value: object, what: str) -> Any:
        return None if value is None else Boolean.check(self, value, what)


@dataclass(frozen=True, slots=True)
class HostTLS:
    """
    TLS towards a host, or towards the hosts of a group. A setting that is L{None} is that of
    the group, and in a group the default. Its settings are described where they are declared,
    and in the reference of the configuration file.

    @ivar on: whether TLS is spoken; L{None} for as the group says.
    @ivar ca: L{None} for the authorities of the system.
    """

    on: bool | None = settingField(
        True,
        _MaybeSaid(),
        "Whether to speak TLS to it. Of a group, it is for the hosts that don't say it themselves.",
        word="tls",
        defaultDoc="no, or as the group says",
    )
    _: KW_ONLY
    serverName: str | None = settingField(
        None,
        HOST_NAME,
        "With ``tls``: the name that the certificate has to have. A name that is no IP address is "
        "also asked for (SNI).",
        defaultDoc="the host as ``ip`` has it",
    )
    ca: str | None = settingField(
        None,
        Path(),
        "With ``tls``: a file of the authorities that sign the certificate.",
        defaultDoc="the authorities of the system",
    )
    verify: bool | None = settingField(
        None,
        Boolean(),
        "With ``tls``: whether the certificate is verified. Without that the connection is secret "
        "to those that only listen, and anything that can answer in the place of the host reads "
        "all of it.",
        defaultDoc="yes",
    )
    clientCertificate: str | None = settingField(
        None,
        Path(),
        "With ``tls``: a PEM file with the certificate of the balancer, its chain and its key, for "
        "hosts that ask for one.",
        defaultDoc="none",
    )
    alpn: Made[tuple[str, ...] | None, str | Iterable[str] | None] = field(
        default=given(None),
        metadata=setting(
            PROTOCOLS, "With ``tls``: the protocols of ALPN to offer.", defaultDoc="no ALPN"
        ),
    )
    minTLSVersion: str | None = settingField(
        None,
        Word(TLS_VERSIONS),
        "With ``tls``: the lowest version of TLS that is spoken.",
        defaultDoc="1.2",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "TLS of a host")

    @property
    def verifies(self) -> bool:
        """
        Whether the certificate is verified.
        """
        return self.verify is not False

    def within(self, group: HostTLS | None) -> HostTLS:
        """
        Take the settings that are not said here from those of the group.
        """
        if group is None:
            return self
        missing = {
            each.name: getattr(group, each.name)
            for each in dataclasses.fields(self)
            if getattr(self, each.name) is None
        }
        return replace(self, **missing) if missing else self


#: What stands for TLS of a host: L{True} for the defaults, L{False} for none although the
#: group has it.
HostTLSLike = HostTLS | bool | None


def hostTLSOf(value: Any, whose: str) -> HostTLS | None:
    """
    Make TLS of a host of a value that is short to write.

    @param whose: the owner of the setting, for the message.
    @raise ModelError: it is something else.
    """
    if value is None or isinstance(value, HostTLS):
        return value
    if isinstance(value, bool):
        return HostTLS(on=value)
    raise ModelError(
        f"tls of {whose} is {shown(value)}; it is a HostTLS, as in HostTLS(ca='ca.pem'), or True, "
        "False or None"
    )


def effectiveTLS(host: HostTLS | None, group: HostTLS | None) -> HostTLS | None:
    """
    Put the settings of a host and of its group together.

    @return: L{None} if no TLS is spoken to the host.
    """
    made = group if host is None else host.within(group)
    return made if made is not None and made.on else None

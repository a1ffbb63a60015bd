"""
The settings of the web console.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from txlb.model import LISTEN_ADDRESS, ListenAddress, ListenTLS, TCPAddress, UNIXAddress
from txlb.model.kinds import DAY, Boolean, Seconds, Several, Text, Word
from txlb.model.settings import Since, settingField

DEFAULT_WEB = TCPAddress("127.0.0.1", 7001)

#: A name in the C{Host} of requests.
_HOST_NAME = Text(r"[A-Za-z0-9_.:\[\]-]{1,253}", "a name or an address, such as lb.example.com")

#: Whether metrics need a login.
METRICS = ("open", "login")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    The web console, the REST interface and the metrics.

    @ivar tls: L{None} for no TLS.
    @ivar metrics: L{None} for C{open} on loopback and C{login} elsewhere.
    """

    listen: ListenAddress = settingField(
        DEFAULT_WEB,
        LISTEN_ADDRESS,
        "Where it listens. Without TLS only a loopback address or a UNIX socket will do.",
        since=Since.OLD,
        unset=("None",),
    )
    enable: bool = settingField(False, Boolean(), "Whether it listens.", since=Since.OLD)
    secure: bool = settingField(
        False,
        Boolean(),
        "Whether it is served over TLS. It needs a ``<tls>`` inside; a ``<tls>`` alone means "
        "``yes``.",
        since=Since.OLD,
    )
    refresh: float = settingField(
        30.0,
        Seconds(1.0, DAY),
        "The time between two updates that are pushed to open pages.",
        since=Since.OLD,
        unset=("True", "False"),
    )
    hostNames: tuple[str, ...] = settingField(
        (),
        Several(_HOST_NAME, empty="the address, localhost and the name of the machine"),
        "The names by which browsers may ask for it. Others are refused, so that no page from "
        "elsewhere can reach it by a name of its own (DNS rebinding).",
        defaultDoc="the address where it listens, ``localhost`` and the name of the machine",
    )
    metrics: str | None = settingField(
        None,
        Word(METRICS),
        "Whether ``/metrics`` needs a login.",
        defaultDoc="``open`` on loopback, ``login`` elsewhere",
    )
    tls: ListenTLS | None = None


def isLocal(address: object) -> bool:
    """
    Tell whether only programs of this machine can connect to an address.
    """
    if isinstance(address, TCPAddress):
        if address.host == "localhost":
            return True
        return address.isLiteral and ipaddress.ip_address(address.host).is_loopback
    return isinstance(address, UNIXAddress)

"""
How brokers of STOMP are reached.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from txlb.clients._tlspolicy import TLSPolicy
from txlb.errors import ModelError
from txlb.model.kinds import BrokerURL

#: Seconds until a connection is there.
CONNECT_TIMEOUT = 5.0

#: Seconds from one heart-beat to the next that can be wished for.
LEAST_BEAT = 0.1
MOST_BEAT = 60.0

_URL = BrokerURL()
_PARTS = re.compile(r"(stomp|stomp\+ssl)://(.+):([0-9]+)")
_IPV4 = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True)
class StompBroker:
    """
    The place of a broker.

    @ivar host: its name or IP address, without brackets.
    @ivar port: its port.
    @ivar secure: whether it speaks TLS.
    """

    host: str
    port: int
    secure: bool = False

    @classmethod
    def of(cls, url: str) -> StompBroker:
        """
        Read a URL, such as C{stomp://127.0.0.1:61613} or C{stomp+ssl://broker.example.org:61614}.

        @raise ModelError: it is none.
        """
        found = _PARTS.fullmatch(_URL.parse(url, "the place of a broker"))
        # It has been checked.
        scheme, host, port = found.groups() if found is not None else ("stomp", "", "0")
        return cls(host.strip("[]"), int(port), scheme != "stomp")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"stomp{'+ssl' if self.secure else ''}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class StompSettings:
    """
    How brokers are reached.

    @ivar brokers: the URLs of brokers, at least one, in the order in which they are tried.
    @ivar user: the user; empty for none.
    @ivar password: the user's password.
    @ivar virtualHost: the part of the broker that is used: the header C{host} of C{CONNECT}.
    @ivar ca: certificates in PEM form that those of brokers have to be signed by; L{None} for the
        authorities of the system.
    @ivar clientCertificate: a certificate in PEM form, with its key, that is shown to brokers;
        L{None} for none.
    @ivar heartBeat: seconds from one heart-beat to the next that are offered and wished for, 0.1
        to 60. A broker may say more.
    @raise ModelError: something of it breaks a rule.
    """

    brokers: Sequence[str]
    _: KW_ONLY
    user: str = ""
    password: str = ""
    virtualHost: str = "/"
    ca: bytes | None = None
    clientCertificate: bytes | None = None
    heartBeat: float = 2.0

    def __post_init__(self) -> None:
        if not self.brokers:
            raise ModelError("there is no URL of a broker; it is one or more")
        for each in self.brokers:
            StompBroker.of(each)
        for what, text in (
            ("user", self.user),
            ("password", self.password),
            ("virtual host", self.virtualHost),
        ):
            if any(each in text for each in "\0\r\n"):
                raise ModelError(f"the {what} of a broker is one line, without a NUL")
        if not LEAST_BEAT <= self.heartBeat <= MOST_BEAT:
            raise ModelError(
                f"the heart-beat of a broker is {self.heartBeat} s; it is {LEAST_BEAT} to "
                f"{MOST_BEAT:g} s"
            )
        TLSPolicy(self.ca, self.clientCertificate)

    def __repr__(self) -> str:
        return f"<StompSettings {' '.join(self.brokers)}>"

    @property
    def milliseconds(self) -> int:
        """
        The heart-beat in milliseconds.
        """
        return round(self.heartBeat * 1000)

    def endpoint(self, reactor: Any, broker: StompBroker) -> IStreamClientEndpoint:
        """
        Make the endpoint of a broker. With TLS its certificate has to be for the host of the URL.
        """
        host, port = broker.host, broker.port
        endpoint: Any
        if _IPV4.fullmatch(host):
            endpoint = TCP4ClientEndpoint(reactor, host, port, CONNECT_TIMEOUT)
        elif ":" in host:
            endpoint = TCP6ClientEndpoint(reactor, host, port, CONNECT_TIMEOUT)
        else:
            endpoint = HostnameEndpoint(reactor, host, port, CONNECT_TIMEOUT)
        if broker.secure:
            policy = TLSPolicy(self.ca, self.clientCertificate)
            endpoint = wrapClientTLS(policy.creatorForNetloc(host.encode(), port), endpoint)
        made: IStreamClientEndpoint = endpoint
        return made

"""
The source C{stomp}: its word and its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from txlb.discovery._optionfiles import checkServers
from txlb.discovery._sourcekind import SourceKind, SourceTools
from txlb.model.kinds import BROKERS, DESTINATION, HEART_BEAT, VIRTUAL_HOST, Path, Seconds, Text
from txlb.model.options import Option

if TYPE_CHECKING:
    from txlb.discovery._stompsource import StompSource


def _make(options: Mapping[str, Any], tools: SourceTools) -> StompSource:
    checkServers("stomp", options)
    # The client is imported only by those that need it.
    from txlb.discovery._stompsource import StompSource  # noqa: PLC0415 - see above

    return StompSource(options, tools)


STOMP = SourceKind(
    "stomp",
    "The hosts of the group announce themselves by messages through a broker of STOMP 1.2, such as "
    "RabbitMQ or ActiveMQ. A message is a document of hosts, and is repeated; a host that is not "
    "heard for its time is gone. Clients that can send to the destination choose the hosts of the "
    "group.",
    _make,
    (
        Option(
            "url",
            BROKERS,
            "The brokers, all of which are listened to: ``stomp://HOST:PORT``, or "
            "``stomp+ssl://HOST:PORT`` for TLS.",
            required=True,
        ),
        Option(
            "destination",
            DESTINATION,
            "The topic that hosts announce themselves at, such as ``/topic/txlb.hosts``.",
            required=True,
        ),
        Option("user", Text(r"[!-~]+", "a name"), "The user of the broker.", defaultDoc="no user"),
        Option("passwordFile", Path(), "The file with the user's password, in one line."),
        Option(
            "virtualHost",
            VIRTUAL_HOST,
            "The virtual host of the broker.",
            "/",
        ),
        Option(
            "ca",
            Path(),
            "A file with the certificates that those of the brokers are signed by, for "
            "``stomp+ssl``.",
            defaultDoc="those of the system",
        ),
        Option(
            "clientCertificate",
            Path(),
            "A file with a certificate and its key, which is shown to the brokers.",
            defaultDoc="no certificate",
        ),
        Option(
            "heartBeat",
            HEART_BEAT,
            "How often the broker and the balancer let each other know that they are there. A "
            "broker that is silent for twice this time is left.",
            2.0,
        ),
        Option(
            "lifetime",
            Seconds(1, 3600),
            "How long a host is there after a message that has no ``ttl``.",
            10.0,
        ),
        Option(
            "settle",
            Seconds(0.1, 3600),
            "If no host is known, how long hosts are heard before the first answer. It is longer "
            "than the time in which each host repeats its message.",
            3.0,
        ),
    ),
)

"""
The counts of a service as a whole.
"""

from __future__ import annotations

from enum import Enum


class RefusalKind(Enum):
    """
    The reason for closing a client that has no host.
    """

    LIMIT = "limit"
    DENIED = "denied"
    CLIENT_LIMIT = "client-limit"
    CLIENT_RATE = "client-rate"
    DESCRIPTORS = "descriptors"
    PREFACE = "preface"
    TLS = "tls"
    NO_HOST = "no-host"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LOCAL = "local"
    FULL = "full"
    QUEUE_TIMEOUT = "queue-timeout"
    CIRCUIT = "circuit"
    CLIENT_GONE = "client-gone"


class ServiceCounters:
    """
    The counts of a service since it was made.

    @ivar active: connections that it has now.
    @ivar accepted: connections that were accepted and not refused, each counted once, by the
        service that it went to.
    @ivar refused: connections that were closed before they reached a host, by kind.
    @ivar notAccepting: the reason why the service accepts no clients now; empty if it
        accepts them. The balancer sets it.
    """

    __slots__ = ("accepted", "active", "notAccepting", "refused")

    def __init__(self) -> None:
        self.active = 0
        self.accepted = 0
        self.notAccepting = ""
        self.refused = dict.fromkeys(RefusalKind, 0)

"""
What is counted of a service as a whole.
"""

from __future__ import annotations

from enum import Enum


class RefusalKind(Enum):
    """
    Why a client was closed without having reached a host.
    """

    LIMIT = "limit"
    DENIED = "denied"
    CLIENT_LIMIT = "client-limit"
    CLIENT_RATE = "client-rate"
    DESCRIPTORS = "descriptors"
    PREFACE = "preface"
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
    What has been counted of a service since it was made.

    @ivar active: connections that it has now.
    @ivar accepted: connections that were let in.
    @ivar refused: connections that were closed without having reached a host,
        by kind.
    @ivar notAccepting: why the service accepts no clients now; empty if it accepts them.
        The balancer tells it.
    """

    __slots__ = ("accepted", "active", "notAccepting", "refused")

    def __init__(self) -> None:
        self.active = 0
        self.accepted = 0
        self.notAccepting = ""
        self.refused = dict.fromkeys(RefusalKind, 0)

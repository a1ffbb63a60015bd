"""
The counts of a service as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from txlb._facts import Facts


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

    def kept(self) -> dict[str, object]:
        """
        Return what a successor has to know, as plain values. Connections that move are counted in
        C{active} by it.
        """
        refused = {kind.value: count for kind, count in self.refused.items() if count}
        return {"accepted": self.accepted, "refused": refused}

    def restoring(self, facts: Facts) -> Callable[[], None]:
        """
        Read what L{kept} has returned.

        @return: takes it over.
        @raise StateError: a value can't be right.
        """
        accepted, words = facts.whole("accepted"), facts.inside("refused")
        refused = {kind: words.whole(kind.value) for kind in RefusalKind}

        def take() -> None:
            self.accepted = accepted
            self.refused.update(refused)

        return take

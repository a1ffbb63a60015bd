"""
The limit of connections that are being opened to one host.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.model import ProxyGroup
from txlb.pool._announcer import Announcer
from txlb.pool._events import EventKind
from txlb.pool._host import Host
from txlb.pool._rotation import Rotation


class CircuitBreaker:
    """
    The circuit of each host. It opens if C{maxPending} connections to the host are
    being opened, and closes once half of them have succeeded or failed. Owned by the
    pool.

    Envoy's circuit breakers limit pending requests in the same way. The gap between
    both limits keeps a host at the limit from changing state with each connection.

    @param settings: returns the settings of the group.
    """

    def __init__(
        self, settings: Callable[[], ProxyGroup], rotation: Rotation, announcer: Announcer
    ) -> None:
        self._settings = settings
        self._rotation = rotation
        self._announcer = announcer

    def review(self, host: Host, now: float) -> None:
        """
        Open or close the circuit of a host, if its pending connections or the
        limit changed.
        """
        most, pending = self._settings().maxPending, host.pending
        if not host.tripped and most and pending >= most:
            host.tripped = True
            kind, gets = EventKind.CIRCUIT_OPENED, "it gets no more for now"
        elif host.tripped and (not most or pending <= most // 2):
            host.tripped = False
            kind, gets = EventKind.CIRCUIT_CLOSED, "it gets more again"
        else:
            return
        self._rotation.refresh(host)
        message = f"{pending} connections are being opened; {gets}"
        self._announcer.ofHost(kind, host, message, now)

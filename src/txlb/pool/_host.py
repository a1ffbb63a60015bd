"""
A host as it is now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from txlb.interfaces import IHost
from txlb.model import Address, ProxyHost
from txlb.pool._health import Health
from txlb.pool._mark import SCHEDULED, Mark

if TYPE_CHECKING:
    from txlb.pool._lease import Lease
    from txlb.pool._weighing import HostLoad


class HostCounters:
    """
    What has been counted since the host was added. It only grows.

    @ivar connections: connections that were established.
    @ivar failures: connections that were not.
    @ivar bytesIn: bytes from clients to the host.
    @ivar bytesOut: bytes from the host to clients.
    """

    __slots__ = ("bytesIn", "bytesOut", "connections", "failures")

    def __init__(self) -> None:
        self.connections = 0
        self.failures = 0
        self.bytesIn = 0
        self.bytesOut = 0


@implementer(IHost)
class Host:
    """
    A host as it is now. Owned by its L{txlb.pool.HostPool}; everybody else
    only reads it.

    Whether it may be chosen is computed from facts that are independent of one
    another: its health (what checks told), its mark (what traffic told), whether
    its name has an address, its weight, its room, what it says of its load, and
    whether it is leaving.

    @ivar configured: the values that it was made from.
    @ivar addresses: where it can be reached, the best one first; empty while
        its name has no address.
    @ivar health: what checks have told of it.
    @ivar mark: what traffic has told of it, where it is not checked.
    @ivar leaving: whether it was deleted and waits for its leases to end.
    @ivar load: what is known of its load; L{None} for nothing.
    @ivar slowSince: since when its weight grows; L{None} where it has grown.
    @ivar weighAt: when it is weighed again; its pool's weighing keeps this.
    @ivar trial: the lease that decides whether it is up again; L{None} in every
        state of the mark but C{trial}.
    """

    __slots__ = (
        "_preferred",
        "active",
        "addresses",
        "configured",
        "connectTime",
        "counters",
        "effectiveWeight",
        "health",
        "key",
        "leaving",
        "load",
        "mark",
        "maxConnections",
        "order",
        "slowSince",
        "trial",
        "weighAt",
        "weight",
    )

    def __init__(
        self, key: tuple[str, str, str], configured: ProxyHost, now: float, order: int = 0
    ) -> None:
        self.key = key
        self.configured = configured
        self.weight = configured.weight
        self.effectiveWeight = float(configured.weight)
        self.maxConnections = configured.maxConnections
        self.order = order
        self.active = 0
        self.connectTime: float | None = None
        self.counters = HostCounters()
        self.mark = Mark(now)
        self.health = Health(now)
        self.leaving = False
        self.trial: Lease | None = None
        self.load: HostLoad | None = None
        self.slowSince: float | None = None
        self.weighAt: float | None = None
        address = configured.address
        self.addresses: tuple[Address, ...] = (address,) if address.isLiteral else ()
        self._preferred = 0

    @property
    def settings(self) -> dict[str, object]:
        """
        How it is configured now, in plain values.
        """
        return {
            "address": str(self.configured.address),
            "weight": self.weight,
            "maxConnections": self.maxConnections,
        }

    @property
    def name(self) -> str:
        """
        Its name in its group.
        """
        return self.key[2]

    @property
    def address(self) -> Address:
        """
        Where to connect to next; only for a host that has an address.
        """
        return self.addresses[self._preferred % len(self.addresses)]

    def preferNextAddress(self) -> None:
        """
        The address in use could not be reached: if its name has others, the
        next one is next.
        """
        self._preferred += 1

    def moved(self, now: float) -> None:
        """
        It is configured at another address. What was known of the old one says
        nothing about the new one.

        @param now: in seconds of the pool's clock.
        """
        address = self.configured.address
        self.addresses = (address,) if address.isLiteral else ()
        self._preferred = 0
        self.connectTime = None
        self.trial = None
        self.mark = Mark(now)

    @property
    def healthy(self) -> bool:
        """
        Whether checks and traffic say that it can be sent clients.
        """
        return self.mark.state in SCHEDULED and self.health.isHealthy

    @property
    def reason(self) -> str:
        """
        Why it is out, for people; empty while it is in.
        """
        return self.health.reason or self.mark.reason

    @property
    def since(self) -> float:
        """
        When its state of health was last entered, in seconds of the pool's clock.
        """
        return self.health.since if self.health.watched else self.mark.since

    @property
    def takesWork(self) -> bool:
        """
        Whether it may be chosen if its health and mark are not looked at.
        """
        return (
            not self.leaving
            and self.weight > 0
            and bool(self.addresses)
            and (self.maxConnections is None or self.active < self.maxConnections)
        )

    @property
    def ready(self) -> bool:
        """
        Whether it may be chosen.
        """
        return self.healthy and self.hasLeft and self.takesWork

    @property
    def hasLeft(self) -> bool:
        """
        Whether it did not say that it has nothing left. One that did may still
        be chosen in need, like one that is down.
        """
        return self.load is None or self.load.latest > 0

    @property
    def stateWord(self) -> str:
        """
        Its state in one word: leaving, unresolved, starting, going-down, down,
        coming-up, due, trial, drain, full or up.
        """
        if self.leaving:
            return "leaving"
        if not self.addresses:
            return "unresolved"
        if self.health.state.value != "up":
            return self.health.state.value
        if self.mark.state.value != "up":
            return self.mark.state.value
        if self.weight == 0:
            return "drain"
        return "up" if self.takesWork and self.hasLeft else "full"

    def __repr__(self) -> str:
        return f"<Host {'/'.join(self.key)} {self.stateWord} active={self.active}>"

"""
What a relay says at the end of a connection, and what is recorded of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from txlb.pool import Dial, GaveUp, Lease


@dataclass(slots=True)
class Relayed:
    """
    A connection that a relay was given is over.

    @ivar dial: the search for its host.
    @ivar lease: the claim that it had, released by now; L{None} where no host
        was reached.
    @ivar gaveUp: why none was reached; L{None} where one was, or where the
        search was cut short by a stop.
    """

    dial: Dial
    lease: Lease | None = None
    gaveUp: GaveUp | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    When a relay ends a silent connection.

    @ivar idle: seconds without a byte either way; 0 for never.
    @ivar fin: the same once one side has finished sending; 0 for never.
    """

    idle: float = 3600.0
    fin: float = 60.0


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """
    What is logged of a finished connection. The fields are those of HAProxy's
    tcplog, in words.

    @ivar client: the client's address.
    @ivar service: the service's name.
    @ivar group: the name of the group that was enabled.
    @ivar host: the host's name; L{None} where none was reached.
    @ivar connectTime: seconds until the host was reached; L{None} where none was.
    @ivar totalTime: seconds in all.
    @ivar bytesIn: bytes from the client to the host.
    @ivar bytesOut: bytes from the host to the client.
    @ivar outcome: how it ended, one word.
    @ivar tries: how many hosts were tried.
    @ivar active: connections of the balancer when this one had ended.
    @ivar serviceActive: those of the service.
    @ivar groupActive: those of the group.
    @ivar hostActive: those of the host.
    """

    client: str
    service: str
    group: str
    host: str | None
    connectTime: float | None
    totalTime: float
    bytesIn: int
    bytesOut: int
    outcome: str
    tries: int
    active: int
    serviceActive: int
    groupActive: int
    hostActive: int

    def asDict(self) -> dict[str, object]:
        """
        The record in values that any format can hold.
        """
        return asdict(self)

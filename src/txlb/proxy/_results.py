"""
The result of a relayed connection, and its record.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from txlb.pool import Dial, GaveUp, Lease


@dataclass(slots=True)
class Relayed:
    """
    The result of a connection that is over.

    @ivar dial: the search for its host.
    @ivar lease: the claim on the host, released by now; L{None} if no host was reached.
    @ivar gaveUp: the reason for which no host was reached; L{None} if one was, or if the
        search was cut short by a stop.
    """

    dial: Dial
    lease: Lease | None = None
    gaveUp: GaveUp | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    The times after which a relay ends a silent connection.

    @ivar idle: seconds without a byte either way; 0 for never.
    @ivar fin: the same once one side has finished sending; 0 for never.
    """

    idle: float = 3600.0
    fin: float = 60.0


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """
    The record of a finished connection. The fields are those of HAProxy's tcplog.

    @ivar client: the client's address.
    @ivar service: the service's name.
    @ivar group: the name of the group that was enabled.
    @ivar host: the host's name; L{None} if none was reached.
    @ivar connectTime: seconds until the host was reached; L{None} if none was.
    @ivar totalTime: seconds from the beginning of the search to the end.
    @ivar bytesIn: bytes from the client to the host.
    @ivar bytesOut: bytes from the host to the client.
    @ivar outcome: one word for how it ended.
    @ivar tries: the number of hosts that were tried.
    @ivar active: connections of the balancer after this one had ended.
    @ivar serviceActive: connections of the service, likewise.
    @ivar groupActive: connections of the group, likewise.
    @ivar hostActive: connections of the host, likewise.
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
        Return the record in values that any format can hold.
        """
        return asdict(self)

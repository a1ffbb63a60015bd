"""
What the peers do.
"""

from __future__ import annotations

from benchmarks.peers import Running
from benchmarks.tls._streams import TLSClients
from benchmarks.traffic import BulkClient, Clients, Direction, Events
from benchmarks.works import Load, Work

GIB = 1 << 30

#: Connections, requests or streams at once.
CONNECTIONS = 32
REQUESTS = 64
STREAMS = 4


def handshakes(resumed: bool) -> Work:
    """
    Return the work of a connection for each request.

    @param resumed: whether its session is resumed.
    """

    def makeLoad(events: Events, running: Running) -> Load:
        clients = TLSClients(events.trouble, resumed)
        address, exchange = running.address, running.exchange
        if resumed:
            # The one whose session the others resume.
            Clients(events, address, exchange, 1, 1, clients.connect).close()
            running.settle()
        return Clients(events, address, exchange, CONNECTIONS, 0, clients.connect)

    how = "a resumed session" if resumed else "a full handshake"
    return Work(
        "resumed" if resumed else "full",
        f"{how} and a request, {CONNECTIONS} at once",
        "connection",
        makeLoad,
    )


def kept() -> Work:
    """
    Return the work of requests on connections that are kept.
    """

    def makeLoad(events: Events, running: Running) -> Load:
        connect = TLSClients(events.trouble).connect
        return Clients(events, running.address, running.exchange, REQUESTS, REQUESTS, connect)

    return Work("kept", f"small requests kept alive, {REQUESTS} at once", "request", makeLoad)


def bulk(direction: Direction, transfer: int) -> Work:
    """
    Return the work of moving much.

    @param transfer: bytes of one transfer.
    """

    def makeLoad(events: Events, running: Running) -> Load:
        connect = TLSClients(events.trouble).connect
        return BulkClient(events, running.address, direction, STREAMS, transfer, connect)

    key = "down" if direction is Direction.TO_CLIENT else "up"
    return Work(key, f"bulk {direction.value}, {STREAMS} streams", "GiB", makeLoad, GIB)

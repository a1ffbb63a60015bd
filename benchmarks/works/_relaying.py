"""
The works that every peer does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.peers import Running
from benchmarks.traffic import BulkClient, Clients, Direction, Done, Events
from benchmarks.works._comparison import Load, Work

GIB = 1 << 30

#: Requests under way beside bulk.
BESIDE = 8


def connections(atOnce: int) -> Work:
    """
    Return the work of a connection for each request.
    """

    def makeLoad(events: Events, running: Running) -> Load:
        return Clients(events, running.address, running.exchange, atOnce)

    return Work(
        f"connection-{atOnce}",
        f"a new connection a request, {_many(atOnce)}",
        "connection",
        makeLoad,
    )


def requests(atOnce: int, connectionCount: int | None = None) -> Work:
    """
    Return the work of requests on persistent connections.

    @param connectionCount: how many; by default one for each request under way.
    """

    def makeLoad(events: Events, running: Running) -> Load:
        return Clients(events, running.address, running.exchange, atOnce, connectionCount or atOnce)

    return Work(
        f"request-{atOnce}", f"small requests kept alive, {_many(atOnce)}", "request", makeLoad
    )


def bulk(direction: Direction, streams: int, transfer: int) -> Work:
    """
    Much to move.

    @param transfer: bytes of one transfer.
    """

    def makeLoad(events: Events, running: Running) -> Load:
        return BulkClient(events, running.address, direction, streams, transfer)

    side = "client" if direction is Direction.TO_CLIENT else "server"
    return Work(
        f"bulk-{side}-{streams}",
        f"bulk {direction.value}, {streams} stream{'s' if streams > 1 else ''}",
        "GiB",
        makeLoad,
        GIB,
    )


class _Mixed:
    """
    Small requests, and bulk beside them. Only the requests are counted.
    """

    def __init__(self, events: Events, running: Running, transfer: int) -> None:
        self._events = events
        self._small = Clients(events, running.address, running.exchange, BESIDE, BESIDE)
        self._bulk = BulkClient(events, running.address, Direction.TO_CLIENT, 2, transfer)

    def run(self, seconds: float) -> Done:
        """
        See L{Load.run}.
        """
        began = time.perf_counter()
        self._bulk.begin()
        self._small.begin()
        self._events.runFor(seconds)
        self._small.end()
        elapsed = time.perf_counter() - began
        self._bulk.end()
        return self._small.done(elapsed)

    def close(self) -> None:
        """
        See L{Load.close}.
        """
        self._small.close()
        self._bulk.close()


def _mixed(transfer: int) -> Work:
    return Work(
        "mixed",
        f"small requests kept alive, {BESIDE} at once, beside 2 streams of bulk to the client",
        "request",
        lambda events, running: _Mixed(events, running, transfer),
        latencyOnly=True,
    )


def _many(atOnce: int) -> str:
    return "one at a time" if atOnce == 1 else f"{atOnce} at once"


#: The works in the order in which they are done, made for a size of transfers.
RELAYING: tuple[Callable[[int], Work], ...] = (
    lambda _: connections(32),
    lambda _: connections(16),
    lambda _: connections(1),
    lambda _: requests(64),
    lambda _: requests(1),
    lambda transfer: bulk(Direction.TO_CLIENT, 1, transfer),
    lambda transfer: bulk(Direction.TO_CLIENT, 4, transfer),
    lambda transfer: bulk(Direction.TO_SERVER, 1, transfer),
    lambda transfer: bulk(Direction.TO_SERVER, 4, transfer),
)

MIXED = _mixed

"""
The memory of connections that do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.peers import Field, Peer, Running
from benchmarks.tls._peers import Scene
from benchmarks.tls._streams import TLSClients, hosts
from benchmarks.traffic import (
    READ,
    WRITE,
    BulkClient,
    Clients,
    Connect,
    Direction,
    Events,
    Stream,
    TrafficError,
    askFor,
)
from benchmarks.works import Errors

#: Connections before the measurement, so that a peer has made what it makes once.
WARM_UP = 100

#: Bytes of a transfer before a connection is idle, and of one that is not read.
TRANSFER = 1 << 20
UNREAD = 1 << 26

#: Seconds between two looks at the memory until it stays.
LOOK = 0.25

IDLE, AFTER_BULK, UNREAD_BULK = "idle", "idle after bulk", "slow reader"


@dataclass
class Memory:
    """
    The memory of one peer.

    @ivar connections: how many connections there were.
    @ivar kib: KiB of private memory for each, by what it does.
    """

    peer: str
    connections: int
    kib: dict[str, float] = field(default_factory=dict)


def measureMemory(place: Field, peer: Peer, scene: Scene, count: int, errors: Errors) -> Memory:
    """
    Start a peer for each kind of connection, and open some.
    """
    found = Memory(peer.name, count)
    for what in (IDLE, AFTER_BULK, UNREAD_BULK):
        (running,) = _start(place, peer, scene)
        try:
            found.kib[what] = _measure(place.events, running, what, count)
        except (TrafficError, OSError) as error:
            place.events.trouble.happened(str(error))
        finally:
            errors.add(f"{peer.name}, {what}", place.events.trouble.take())
            place.stop(running)
    return found


def _start(place: Field, peer: Peer, scene: Scene) -> list[Running]:
    wrap = hosts(scene.files.ecdsa) if scene.hostsHaveTLS else None
    running = place.start(peer, wrap=wrap)
    place.await_(running)
    return [running]


def _measure(events: Events, running: Running, what: str, count: int) -> float:
    connect = TLSClients(events.trouble).connect
    address, exchange = running.address, running.exchange
    if what == IDLE:
        Clients(events, address, exchange, 1, WARM_UP, connect).close()
        running.settle()
        before = running.memory()
        clients = Clients(events, address, exchange, 1, count, connect)
        used = running.memory() - before
        clients.close()
    elif what == AFTER_BULK:
        _transferOnce(events, address, WARM_UP, connect).close()
        running.settle()
        before = running.memory()
        streams = _transferOnce(events, address, count, connect)
        used = _settled(events, running) - before
        streams.close()
    else:
        Clients(events, address, exchange, 1, WARM_UP, connect).close()
        running.settle()
        before = running.memory()
        readers = [_SlowReader(events, connect(address)) for _ in range(count)]
        events.runUntil(lambda: all(each.asked for each in readers), "slow readers to ask")
        used = _settled(events, running) - before
        for reader in readers:
            reader.close()
        # The hosts see resets.
        events.runFor(0.2)
        events.trouble.take()
    return used / count / 1024


def _settled(events: Events, running: Running) -> int:
    """
    Wait until the memory of a peer stays as it is.
    """
    last, now = 0, running.memory()
    while last != now:
        events.runFor(LOOK)
        last, now = now, running.memory()
    return now


def _transferOnce(
    events: Events, address: tuple[str, int], count: int, connect: Connect
) -> BulkClient:
    """
    Let each of some streams make a transfer each way.
    """
    streams = BulkClient(events, address, Direction.TO_CLIENT, count, TRANSFER, connect)
    for direction in Direction:
        streams.direction = direction
        streams.begin()
        streams.end()
    return streams


class _SlowReader:
    """
    A client that asks for much, and reads nothing of it.
    """

    def __init__(self, events: Events, stream: Stream) -> None:
        self._events = events
        self._stream = stream
        self.asked = False
        events.watch(stream, self._event, WRITE)

    def _event(self, event: int) -> None:
        try:
            self._stream.send(askFor(UNREAD))
        except BlockingIOError:
            # The handshake is under way.
            self._events.change(self._stream, READ)
            return
        self.asked = True
        self._events.change(self._stream, 0)

    def close(self) -> None:
        self._events.forget(self._stream)

"""
How long the reactor is held in a turn, while the balancer has more to do than it
can.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.peers import FAST, PORTABLE, Field, Running, peerNamed
from benchmarks.programs import python
from benchmarks.signals import BEGIN, END
from benchmarks.traffic import BulkClient, Clients, Direction, Events, TrafficError
from benchmarks.works._comparison import Errors

#: Streams of bulk.
STREAMS = 64

#: Bytes of one transfer of each.
TRANSFER = 1 << 20


@dataclass(frozen=True)
class Holding:
    """
    Turns of the reactor under one load, as CPU of its thread in seconds.

    @ivar turns: how many there were.
    @ivar late: the 99th percentile of a whole turn.
    @ivar most: the longest.
    @ivar call: the 99th percentile of one call into the relay's loop, of which a
        turn may have two; L{None} for a relay without such a loop.
    """

    peer: str
    load: str
    turns: int
    median: float
    late: float
    most: float
    call: float | None


class _Loads:
    """
    What is done at the same time.
    """

    def __init__(self, events: Events, running: Running, *, small: bool, bulk: bool) -> None:
        self._events = events
        self._loads: list[Clients | BulkClient] = []
        if small:
            self._loads.append(Clients(events, running.address, running.exchange, 64, 64))
        if bulk:
            for direction in Direction:
                self._loads.append(
                    BulkClient(events, running.address, direction, STREAMS // 2, TRANSFER)
                )

    def begin(self) -> None:
        for load in self._loads:
            load.begin()

    def end(self) -> None:
        for load in self._loads:
            load.end()
        for load in self._loads:
            load.close()


LOADS = {
    "64 small requests at once": (True, False),
    f"{STREAMS} streams of bulk": (False, True),
    f"both: 64 small requests at once, {STREAMS} streams of bulk": (True, True),
}


def measureHolding(field: Field, seconds: float, errors: Errors) -> list[Holding]:
    """
    Both relays under each load, for so many seconds.
    """
    results = []
    for name in (FAST, PORTABLE):
        for load, (small, bulk) in LOADS.items():
            try:
                results.append(_measure(field, name, load, seconds, (small, bulk)))
            except (TrafficError, OSError) as error:
                field.events.trouble.happened(str(error))
            errors.add(f"{name}, {load}", field.events.trouble.take())
    return results


def _measure(
    field: Field, name: str, load: str, seconds: float, kinds: tuple[bool, bool]
) -> Holding:
    events = field.events
    seen = field.folder / f"turns-{len(list(field.folder.glob('turns-*.json')))}.json"
    watched = replace(
        peerNamed(name),
        command=lambda place: python("-m", "benchmarks.holding", str(seen), str(place.config)),
    )
    (running,) = field.startAll([watched])
    try:
        loads = _Loads(events, running, small=kinds[0], bulk=kinds[1])
        loads.begin()
        events.runFor(min(seconds, 1.0))
        _signal(running, BEGIN)
        events.runFor(seconds)
        _signal(running, END)
        events.runUntil(seen.exists, f"{seen.name} to be written")
        loads.end()
        running.settle()
    finally:
        field.stop(running)
    return _read(seen, name, load)


def _signal(running: Running, number: int) -> None:
    if running.program is not None:
        os.kill(running.program.pid, number)


def _read(path: Path, name: str, load: str) -> Holding:
    seen = json.loads(path.read_text(encoding="ascii"))
    turns, calls = seen["turns"], seen["calls"]
    if not turns["count"]:
        raise TrafficError("the reactor did not turn")
    return Holding(
        name,
        load,
        turns["count"],
        turns["median"],
        turns["late"],
        turns["most"],
        calls.get("late"),
    )

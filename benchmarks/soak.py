"""
Clients that connect and go, in every way, at full rate, for a long time: after
it txlb has the memory and the descriptors that it had before.

C{python -m benchmarks.soak} takes an hour, half of it for each relay;
C{--seconds 60} a minute. The exit status is 1 where memory or descriptors have
grown, or where the log shows trouble.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import socket
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.peers import FAST, PORTABLE, Field, Running, peerNamed
from benchmarks.programs import ProgramError
from benchmarks.traffic import REQUEST, WRITE, Events, Pace, TrafficError, askFor, connect

#: Clients at a time.
AT_ONCE = 64

#: Bytes that some of them ask for and never take.
BULK = 1 << 22

#: Part of the time that is for warming up, and seconds that this takes at most. Memory grows by
#: some MiB for about ten seconds, until the allocator has what the busiest moment takes.
WARM_UP = 0.5
WARM_UP_MOST = 120.0

#: Seconds in which the process comes to rest before it is looked at.
REST = 2.0

#: Bytes that the process may have grown by. The C library keeps up to twice the largest block
#: that was freed, and a connection that a host has reset may have some MiB to deliver.
MEMORY = 16 << 20

#: A setting of the C library (mallopt(3)): with it large blocks go back to the system at once.
LARGE = {"MALLOC_MMAP_THRESHOLD_": str(1 << 17)}

#: Descriptors more than before: the pipes that are kept, two each.
DESCRIPTORS = 2 * 8

#: Closing with this sends a reset.
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class State:
    """
    What a process holds, at rest.

    @ivar memory: its resident set in bytes.
    @ivar descriptors: how many are open.
    """

    memory: int
    descriptors: int


class Crowd:
    """
    Clients that connect and go; when one has gone the next one comes.

    @param rate: how many come in a second; L{None} for as many as can. Those that would be more
        than L{AT_ONCE} at a time don't come.
    @ivar came: how many there were.
    @ivar failed: how many did not get what they waited for.
    @ivar refused: how many of them were refused.
    """

    def __init__(self, events: Events, address: tuple[str, int], rate: float | None = None) -> None:
        self.events = events
        self.address = address
        self._rate = rate
        self._pace: Pace | None = None
        self.came = 0
        self.failed = 0
        self.refused = 0
        self._present = 0
        self._open = False
        # Bulk is for every fiftieth, so that there is never much of it at once.
        small = ("silent", "asking", "answered", "orderly")
        self._kinds = itertools.cycle([*(small * 12), "bulk"])

    def run(self, seconds: float) -> None:
        """
        Let them come for so many seconds, and wait until the last one has gone.

        @raise TrafficError: it does not go.
        """
        self.begin()
        self.events.runFor(seconds)
        self.end()

    def begin(self) -> None:
        """
        Let them come from now on.
        """
        self._open = True
        if self._rate is not None:
            self._pace = Pace(self._rate, self._comeIfRoom)
            self.events.paces.append(self._pace)
            return
        for _ in range(AT_ONCE):
            self._come()

    def end(self) -> None:
        """
        Let no more come, and wait until the last one has gone.

        @raise TrafficError: it does not go.
        """
        self._open = False
        if self._pace is not None:
            self.events.paces.remove(self._pace)
            self._pace = None
        self.events.runUntil(lambda: not self._present, "the last client to go")

    def _comeIfRoom(self) -> bool:
        if self._present >= AT_ONCE:
            return False
        self._come()
        return True

    def _come(self) -> None:
        self._present += 1
        self.came += 1
        Guest(self, next(self._kinds))

    def left(self) -> None:
        """
        One has gone.
        """
        self._present -= 1
        if self._open and self._pace is None:
            self._come()


class Guest:
    """
    A client that connects and goes. Its kind says how far it gets before:

      - C{silent}: it resets the connection at once;
      - C{asking}: it makes a request, and resets before the answer;
      - C{answered}: it resets after the answer;
      - C{orderly}: it ends the connection as one should, after the answer;
      - C{bulk}: it asks for much, takes a little, and resets.
    """

    __slots__ = ("_crowd", "_kind", "_sock")

    def __init__(self, crowd: Crowd, kind: str) -> None:
        self._crowd = crowd
        self._kind = kind
        self._sock = connect(crowd.address)
        crowd.events.watch(self._sock, self._connected, WRITE)

    def _connected(self, event: int) -> None:
        try:
            self._ask()
        except OSError as error:
            self._crowd.failed += 1
            self._crowd.refused += isinstance(error, ConnectionRefusedError)
            self._leave()
            return
        if self._kind in {"silent", "asking"}:
            self._leave()
        else:
            self._crowd.events.handOver(self._sock, self._answered)

    def _ask(self) -> None:
        # Also for a client that sends nothing.
        problem = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, os.strerror(problem))
        if self._kind == "bulk":
            self._sock.send(askFor(BULK))
        elif self._kind != "silent":
            self._sock.send(REQUEST)

    def _answered(self, event: int) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = self._sock.recv(65536)
        if not data:
            self._crowd.failed += 1
        self._leave()

    def _leave(self) -> None:
        if self._kind != "orderly":
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._crowd.events.forget(self._sock)
        self._crowd.left()


def soak(field: Field, name: str, seconds: float) -> list[str]:
    """
    One relay, for so many seconds in all.

    @return: what is wrong afterwards; nothing, where all is well.
    @raise TrafficError: a connection did not end.
    @raise ProgramError: the balancer does not start.
    """
    (running,) = field.startAll([peerNamed(name)])
    crowd = Crowd(field.events, running.address)
    warmUp = min(seconds * WARM_UP, WARM_UP_MOST)
    crowd.run(warmUp)
    before = _atRest(field, running)
    crowd.run(seconds - warmUp)
    after = _atRest(field, running)
    trouble = _compare(before, after)
    if crowd.failed:
        trouble.append(f"{crowd.failed} clients of {crowd.came} got no answer")
    if running.program is not None:
        log = running.program.log.read_text(encoding="utf-8", errors="replace")
        trouble += [line for line in log.splitlines() if "Traceback" in line or "Unhandled" in line]
    print(
        f"{name}: {crowd.came} clients in {seconds:g} s; memory {before.memory / 2**20:.1f} MiB, "
        f"then {after.memory / 2**20:.1f}; descriptors {before.descriptors}, "
        f"then {after.descriptors}",
        flush=True,
    )
    field.stop(running)
    return [f"{name}: {what}" for what in trouble]


def _atRest(field: Field, running: Running) -> State:
    running.settle()
    field.events.runFor(REST)
    # Hosts were reset, as they should be.
    field.events.trouble.take()
    if running.program is None:
        raise ProgramError(f"{running.name} is no program")
    pid = running.program.pid
    return State(machine.residentMemory(pid), machine.descriptors(pid))


def _compare(before: State, after: State) -> list[str]:
    trouble = []
    grown = after.memory - before.memory
    if grown > MEMORY:
        trouble.append(f"memory has grown by {grown / 2**20:.1f} MiB, more than {MEMORY >> 20}")
    more = after.descriptors - before.descriptors
    if more > DESCRIPTORS:
        trouble.append(f"{more} descriptors more than before, where {DESCRIPTORS} are allowed")
    return trouble


def main(arguments: list[str]) -> int:
    """
    Soak both relays.

    @return: the exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Connect and abort at full rate; memory and descriptors stay.",
    )
    parser.add_argument(
        "--seconds", type=float, default=3600.0, help="for both relays together (%(default)g)"
    )
    parser.add_argument("--relay", choices=("fast", "portable"), help="only this one")
    options = parser.parse_args(arguments)
    names = [name for name in (FAST, PORTABLE) if options.relay in {None, name.split()[1]}]
    machine.raiseDescriptorLimit()
    os.environ.update(LARGE)
    trouble = []
    try:
        with (
            tempfile.TemporaryDirectory(prefix="txlb-soak") as folder,
            machine.startingOn(machine.OTHER_CORE),
            Field(Path(folder)) as field,
        ):
            for name in names:
                trouble += soak(field, name, options.seconds / len(names))
    except (ProgramError, TrafficError) as error:
        trouble.append(str(error))
    for line in trouble:
        print(line, file=sys.stderr)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

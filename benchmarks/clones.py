"""
C{python -m benchmarks.clones}: what the manager of a cloned application costs, beside
HAProxy, and what clients notice if it is killed.

First it compares the CPU of the manager for a connection, and for a request on a kept
connection, with that of HAProxy in front of the same number of hosts, by turns, as the
other benchmarks do. Clones do the work of hosts, so their CPU is not counted, like that
of HAProxy's hosts.

Then it kills the manager, again and again, while clients connect as quickly as they can
and others take long answers. A client that is refused or reset, or gets a short answer,
is an error; there must be none. Three times are measured from each kill: until a process
manages again, until that is one that serves nothing, and the longest that a client waited.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import machine
from benchmarks.peers import BASELINE, Field, Running, peerNamed
from benchmarks.programs import ROOT, Program, ProgramError, freePort, python
from benchmarks.traffic import PLAIN, BulkClient, Clients, Direction, Events, TrafficError
from benchmarks.works import Errors, compare, connections, requests

#: Clones, and hosts of HAProxy.
CLONES = 4

#: Clients at once while the manager is killed, and streams of long answers beside them.
AT_ONCE = 32
STREAMS = 64

#: Bytes of a long answer.
LONG = 64 << 20

#: Seconds that a takeover may take before the run gives up.
PATIENCE = 30.0

#: Seconds between two looks at the log.
LOOK = 0.0005

NAME = "clones"

_MANAGES = re.compile(r"process (\d+) manages")
_JOINED = re.compile(r"(clone\d+) has joined: process (\d+)")
_STANDS_BY = re.compile(r"process \d+ stands by")


class Cloned:
    """
    A cloned application that runs.

    @param folder: an empty one, with a short path.
    @param standby: whether a process stands by to manage.
    @ivar address: where it listens.
    """

    def __init__(self, folder: Path, clones: int, standby: bool = True) -> None:
        port = freePort()
        self.address = ("127.0.0.1", port)
        self._clones = clones
        self._standby = standby
        place = folder / f"cloned-{port}"
        place.mkdir()
        self._environment = {
            "PORT": str(port),
            "CLONES": str(clones),
            "STANDBY": "yes" if standby else "",
            "FOLDER": str(place / "run"),
        }
        # Its processes inherit this; they are this program's children's.
        os.environ.update(self._environment)
        command = python(
            "-c",
            "from twisted.scripts.twistd import run; run()",
            "--pidfile=",
            "-n",
            "-y",
            str(ROOT / "benchmarks" / "cloned.tac"),
        )
        self.program = Program("cloned", command, place)

    def log(self) -> str:
        """
        Read what its processes have said so far.
        """
        return self.program.log.read_text(encoding="utf-8", errors="replace")

    @property
    def manager(self) -> int:
        """
        The process that manages, by the log.
        """
        return int(_MANAGES.findall(self.log())[-1])

    @property
    def clones(self) -> set[int]:
        """
        The processes that have joined as clones at some time.
        """
        return {int(pid) for _, pid in _JOINED.findall(self.log())}

    def isOver(self, manager: int) -> bool:
        """
        Tell whether another process manages than a former one.
        """
        return self.manager != manager

    def ready(self) -> bool:
        """
        Tell whether a process that serves nothing manages all clones.
        """
        log = self.log()
        last = log.rpartition(" manages ")[2]
        joined = {pid for _, pid in _JOINED.findall(last)}
        return len(joined) >= self._clones and self.manager not in self.clones

    def complete(self) -> bool:
        """
        Tell whether L{ready} and a process stands by, if one is to.
        """
        last = self.log().rpartition(" manages ")[2]
        return self.ready() and (not self._standby or bool(_STANDS_BY.search(last)))

    def running(self, field: Field) -> Running:
        """
        Make a peer of it, whose CPU is the manager's.
        """
        backend = field.backend(0)
        return Running(NAME, self.address, backend, None, self.program, "", False, [self.manager])

    def stop(self) -> None:
        """
        Stop all its processes.
        """
        try:
            os.kill(self.manager, signal.SIGTERM)
        except (ProcessLookupError, IndexError):
            pass
        self.program.stop()


def until(events: Events, condition: Callable[[], object], what: str) -> float:
    """
    Let clients go on until something is so.

    @return: how many seconds that took.
    @raise ProgramError: it takes too long.
    """
    began = time.monotonic()
    while not condition():
        events.turn(LOOK)
        if time.monotonic() - began > PATIENCE:
            raise ProgramError(f"{what} takes more than {PATIENCE:g} s")
    return time.monotonic() - began


def costs(field: Field, cloned: Cloned, options: argparse.Namespace, errors: Errors) -> None:
    """
    Print the CPU of the manager beside HAProxy's.
    """
    (haproxy,) = field.startAll([peerNamed(BASELINE)], CLONES)
    for work in (connections(32), requests(64)):
        peers = [haproxy, cloned.running(field)]
        found = compare(field.events, peers, work, options.rounds, options.seconds, errors)
        print(f"{found.title}: CPU for each {found.unit}, and beside {BASELINE}")
        for name in (BASELINE, NAME):
            cpu, ratio = found.cpu(name), found.ratio(name, BASELINE)
            if cpu is not None and ratio is not None:
                print(
                    f"  {name:<10} {cpu.median / 1000:>8,.1f} µs   "
                    f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                    flush=True,
                )
    field.stop(haproxy)


def kills(events: Events, cloned: Cloned, count: int, errors: Errors) -> None:
    """
    Kill the manager, and print what clients noticed.
    """
    managing: list[float] = []
    pure: list[float] = []
    waits: list[float] = []
    small = Clients(events, cloned.address, PLAIN, AT_ONCE)
    long = BulkClient(events, cloned.address, Direction.TO_CLIENT, STREAMS, LONG)
    began = time.monotonic()
    units = 0
    long.begin()
    for _ in range(count):
        until(events, cloned.complete, "the start of all processes")
        small.begin()
        events.runFor(0.2)
        killed = cloned.manager
        at = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        managing.append(until(events, partial(cloned.isOver, killed), "the takeover"))
        until(events, cloned.ready, "the heir")
        pure.append(time.monotonic() - at)
        small.end()
        done = small.done(time.monotonic() - at)
        units += done.units
        waits.append(max(done.latencies))
        errors.add("kills", events.trouble.take())
    long.end()
    seconds = time.monotonic() - began
    errors.add("kills", events.trouble.take())
    small.close()
    long.close()
    print(f"{count} kills of the manager, {units:,} connections, {STREAMS} long answers at a time:")
    print(f"  refused, reset or short: {len(errors.lines)}")
    for what, values in (
        ("until a process manages", managing),
        ("until the manager serves nothing", pure),
        ("longest wait of a client", waits),
    ):
        print(
            f"  {what:<34} {1000 * statistics.median(values):>7.1f} ms, "
            f"at most {1000 * max(values):.1f}"
        )
    print(f"  {seconds:.0f} s in all", flush=True)


def main(arguments: list[str]) -> int:
    """
    Measure, and print.

    @return: the exit status: 0 if nothing went wrong.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clones",
        description="Measure the manager of a cloned application, and kill it.",
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round of a peer")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--no-standby", action="store_true", help="let no process stand by")
    options = parser.parse_args(arguments)
    machine.raiseDescriptorLimit()
    errors = Errors()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="txlb-bench") as name,
            machine.startingOn(machine.OTHER_CORE),
            Field(Path(name)) as field,
        ):
            Path(name).chmod(0o755)
            # The manager and its clones have the core of the proxies, as HAProxy has.
            with machine.startingOn(machine.PROXY_CORE):
                cloned = Cloned(Path(name), CLONES, not options.no_standby)
            try:
                until(field.events, lambda: " manages " in cloned.log(), "the start")
                until(field.events, cloned.ready, "the start of the clones")
                if options.rounds:
                    costs(field, cloned, options, errors)
                if options.kills:
                    kills(field.events, cloned, options.kills, errors)
            finally:
                cloned.stop()
    except (ProgramError, TrafficError) as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if errors.lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""
C{python -m benchmarks.clones}: what the manager of a cloned application costs, beside
HAProxy, and what clients notice if it is killed or replaced.

First it compares the CPU of the manager for a connection, and for a request on a kept
connection, with that of HAProxy in front of the same number of hosts, by turns, as the
other benchmarks do. Clones do the work of hosts, so their CPU is not counted, like that
of HAProxy's hosts.

Then it kills the manager, again and again (C{--kills}), while clients connect at a steady rate
(C{--rate}) and others take long answers, both from processes of their own. A client that is
refused or reset, or gets a short answer, is an error; there must be none. Three times are
measured from each kill: until a clone accepts by a permit again, until a process manages that
serves nothing, and the longest that a client waited.

C{--hangs 20} stops the manager by SIGSTOP, again and again, and then clones, while clients
connect at a steady rate: how long no client is answered, and how long those wait that come
meanwhile. C{--evenness 20} opens 200 connections that stay, again and again, with each way of
sharing, and counts those of each clone. C{--rolls 20} restarts a cloned web site 20 times,
replaces its manager and tries a release that does not start, under wrk and long answers.
C{--throughput} compares a web site in two clones with what else uses two cores. They are left out
if they are not asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine
from benchmarks.clones._cloned import Cloned, until
from benchmarks.clones._costs import costs
from benchmarks.clones._evenness import CONNECTIONS, evenness
from benchmarks.clones._hangs import hangs
from benchmarks.clones._kills import kills
from benchmarks.clones._rolls import rolls
from benchmarks.clones._throughput import throughput
from benchmarks.peers import Field
from benchmarks.programs import ProgramError
from benchmarks.traffic import TrafficError
from benchmarks.works import Errors

#: Clones, and hosts of HAProxy.
CLONES = 4

#: The ways in which clones share connections.
WAYS = ("grants", "queue", "reuseport")


def main(arguments: list[str]) -> int:
    """
    Measure, and print.

    @return: the exit status: 0 if nothing went wrong.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clones",
        description="Measure the manager of a cloned application, kill it and replace it.",
    )
    parser.add_argument("--rounds", type=int, default=12, help="of costs, and of --throughput")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round of a peer")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--hangs", type=int, default=0, metavar="N", help="only hang it")
    parser.add_argument("--rolls", type=int, default=0, metavar="N", help="only restart it")
    parser.add_argument("--evenness", type=int, default=0, metavar="N", help="only count")
    parser.add_argument("--throughput", action="store_true", help="only compare web sites")
    parser.add_argument("--rate", type=float, default=4000.0, help="of connections a second")
    parser.add_argument("--no-standby", action="store_true", help="let no process stand by")
    parser.add_argument("--clones", type=int, default=CLONES)
    parser.add_argument("--streams", type=int, default=64, help="long answers at a time")
    parser.add_argument("--size", type=int, default=32, help="MiB of a long answer")
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
            if options.throughput:
                throughput(field, options.rounds, max(1, round(options.seconds)), errors)
                return 1 if errors.lines else 0
            if options.rolls or options.hangs or options.evenness:
                options.rounds = options.kills = 0
            _measure(field, options, errors)
    except (ProgramError, TrafficError) as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if errors.lines else 0


def _measure(field: Field, options: argparse.Namespace, errors: Errors) -> None:
    long = (options.streams, options.size << 20, errors)
    if options.rounds:
        # The manager and its clones have the core of the proxies, as HAProxy has.
        with _started(field, "cloned.tac", options, machine.PROXY_CORE) as cloned:
            costs(field, cloned, options.rounds, options.seconds, errors)
    if options.kills:
        with _started(field, "cloned.tac", options, *machine.CORES) as cloned:
            streams, size, _ = long
            kills(field.events, cloned, options.kills, streams, size, options.rate, errors)
    if options.evenness:
        print(f"of {CONNECTIONS} connections, the clone with the most, and with the fewest:")
        for sharing in WAYS:
            with _started(field, "cloned.tac", options, *machine.CORES, sharing=sharing) as cloned:
                evenness(field.events, cloned, sharing, options.evenness)
    if options.hangs:
        with _started(field, "cloned.tac", options, *machine.CORES) as cloned:
            hangs(field.events, cloned, options.hangs, options.rate, errors)
    if options.rolls:
        with _started(field, "web.tac", options, *machine.CORES) as cloned:
            rolls(field.events, cloned, options.rolls, *long)


@contextlib.contextmanager
def _started(
    field: Field, tac: str, options: argparse.Namespace, *cores: int, sharing: str = "grants"
) -> Iterator[Cloned]:
    with machine.startingOn(*cores):
        cloned = Cloned(field.folder, options.clones, tac, not options.no_standby, sharing)
    try:
        until(field.events, lambda: cloned.log.managers, "the start")
        until(field.events, cloned.ready, "the start of the clones")
        yield cloned
    finally:
        cloned.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""
A page of C{twisted.web} by one process, by clones, and by what else uses two cores.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.clones._cloned import Cloned, until
from benchmarks.clones._wrk import Measured, Wrk
from benchmarks.machine import CORES, startingOn
from benchmarks.peers import BASELINE, WEBAPP, Field, Running, peerNamed
from benchmarks.programs import ROOT, Program, freePort, python
from benchmarks.works import Errors

#: Processes of each that has several, and connections of wrk.
PROCESSES = 2
CONNECTIONS = 64

#: The kinds of load, by title: what wrk sends with each request.
LOADS: Mapping[str, Sequence[str]] = {
    "kept connections": (),
    "a connection for each request": ("Connection: close",),
}

#: Where pip puts gunicorn, and seconds that this may take.
GUNICORN = ROOT / "benchmarks" / "results" / "gunicorn"
INSTALLING = 300

Address = tuple[str, int]


@dataclass
class Site:
    """
    A site that is measured.

    @ivar name: for the table.
    @ivar address: where it listens.
    @ivar runs: what wrk has measured, by the title of the load.
    """

    name: str
    address: Address
    runs: dict[str, list[Measured]] = field(default_factory=dict)


def table(sites: Sequence[Site], title: str) -> list[str]:
    """
    Make the lines of the table of a load: medians over the rounds, and the rate beside that
    of the first site.
    """
    lines = [f"{title}: requests a second, median and 99th percentile of the latency"]
    first = 0.0
    for site in sites:
        runs = site.runs.get(title, [])
        if not runs:
            continue
        rate = statistics.median(run.rate for run in runs)
        median = statistics.median(run.median for run in runs)
        late = statistics.median(run.late for run in runs)
        first = first or rate
        lines.append(
            f"  {site.name:<44} {rate:>8,.0f}  {rate / first:>5.2f}  "
            f"{1000 * median:>7.1f} ms {1000 * late:>8.1f} ms"
        )
    return lines


def inOrder(sites: Sequence[Site], number: int) -> Sequence[Site]:
    """
    Return the sites in the order of a round: every second one goes the other way.
    """
    return sites if number % 2 == 0 else list(reversed(sites))


def throughput(field: Field, rounds: int, seconds: int, errors: Errors) -> None:
    """
    Measure all sites by turns, and print tables. No process is pinned: all of them and the
    client share the cores of this machine.

    @param seconds: how long a round of a site is.
    """
    with startingOn(*CORES):
        sites, stop = _start(field)
        try:
            for title, headers in LOADS.items():
                for number in range(rounds):
                    for site in inOrder(sites, number):
                        run = Wrk(site.address, CONNECTIONS, seconds, headers).wait()
                        site.runs.setdefault(title, []).append(run)
                        if run.errors:
                            errors.add(f"{site.name}, {title}", [f"{run.errors} errors of wrk"])
                print(*table(sites, title), sep="\n", flush=True)
        finally:
            for each in stop:
                each()
    print(
        f"  {rounds} rounds of {seconds} s, {CONNECTIONS} connections; wrk runs on the same "
        f"{len(CORES)} cores"
    )


def _start(field: Field) -> tuple[list[Site], list[Callable[[], object]]]:
    stop: list[Callable[[], object]] = []

    def web(name: str) -> Running:
        running = field.start(WEBAPP, cores=tuple(CORES), behind=[])
        field.await_(running)
        running.name = name
        return running

    def program(name: str, command: list[str], address: Address, times: int = 1) -> Site:
        for number in range(times):
            each = Program(f"{name.replace(' ', '-')}-{number}", command, field.folder)
            stop.append(each.stop)
            each.waitForPort(address)
        return Site(name, address)

    alone = web("one process")
    sites = [Site("twisted.web, one process", alone.address)]
    cloned = Cloned(field.folder, PROCESSES, "web.tac")
    stop.append(cloned.stop)
    until(field.events, cloned.ready, "the start of the clones", 0.05)
    sites.append(Site(f"txlb, {PROCESSES} clones", cloned.address))
    address = ("127.0.0.1", freePort())
    command = python("-m", "benchmarks.clones.reuseport", f"{address[0]}:{address[1]}")
    sites.append(program(f"SO_REUSEPORT, {PROCESSES} processes", command, address, PROCESSES))
    behind = [web("behind HAProxy").address for _ in range(PROCESSES)]
    haproxy = peerNamed(BASELINE)
    if haproxy.version() is not None:
        running = field.start(haproxy, cores=tuple(CORES), behind=behind)
        field.await_(running)
        sites.append(Site(f"HAProxy (TCP) before {PROCESSES} processes", running.address))
    gunicorn = _gunicorn()
    if gunicorn is None:
        print("gunicorn: not measured, as pip can't install it")
    else:
        address = ("127.0.0.1", freePort())
        command = _gunicornCommand(gunicorn, address)
        name = f"gunicorn, {PROCESSES} workers, gthread, 8 threads"
        sites.append(program(name, command, address))
    return sites, stop


def _gunicornCommand(program: Path, address: Address) -> list[str]:
    return [
        str(program),
        *("--workers", str(PROCESSES), "--worker-class", "gthread", "--threads", "8"),
        # As long as wrk keeps its connections, all of which are to be served.
        *("--keep-alive", "75", "--log-level", "error", "--chdir", str(ROOT)),
        *("--bind", f"{address[0]}:{address[1]}", "benchmarks.clones.wsgi:application"),
    ]


def _gunicorn() -> Path | None:
    """
    Find gunicorn in an environment of its own, which is made if there is none.
    """
    program = GUNICORN / "bin" / "gunicorn"
    if program.exists():
        return program
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pip = (str(GUNICORN / "bin" / "python"), "-m", "pip", "--quiet", "install", "gunicorn")
    for command in ((sys.executable, "-m", "venv", str(GUNICORN)), pip):
        done = subprocess.run(
            command, check=False, env=environ, timeout=INSTALLING, capture_output=True
        )
        if done.returncode:
            return None
    return program

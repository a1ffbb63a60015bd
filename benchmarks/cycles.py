"""
C{python -m benchmarks.cycles}: what choosing costs, for every policy and for few
and many hosts.

A cycle is what a balancer does for a connection beside moving its bytes: a pool
claims a host and gives it back. Its cost is the CPU time of the thread. Rounds go
through all policies and sizes, every second one backwards, so that what else the
machine does falls on all alike; the figure is the median of the rounds, with the
quartiles.

Every pool has hosts of the weights 1 to 4, as many connections as hosts, and
clients from 1,000 addresses; C{ewma} has a time for each host, and C{maglev} its
table.

Beside them is the weighted random choice of txLoadBalancer 1.1.0, written anew
after its design: each time it makes a list of all hosts, each as often as its
weight says, of those that are in the list of open hosts, and takes one of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from benchmarks.figures import Figure, figure
from benchmarks.machine import describe
from benchmarks.programs import ROOT
from benchmarks.report._svg import lines, page
from benchmarks.report._table import Table
from txlb.model import ProxyHost
from txlb.pool import HostPool
from txlb.schedulers import schedulerKinds, weightr

SIZES = (3, 10, 100, 1000, 10_000)

#: The most that a cycle may cost, in microseconds and beside one with ten hosts;
#: and how many times cheaper it has to be than 1.1.0's.
MOST = 8.0
GROWTH = 4.0
BETTER = 25.0

OLD = "1.1.0 weighted"

MICRO = 1e6


@dataclass(frozen=True)
class Scale:
    """
    How long a run is.

    @ivar rounds: how often each is measured.
    @ivar cycles: of one measurement.
    """

    name: str
    rounds: int
    cycles: int


FULL = Scale("full", 15, 20_000)
SHORT = Scale("short", 5, 4_000)
SMOKE = Scale("smoke", 2, 50)


class OldWeighted:
    """
    The weighted random choice of 1.1.0, by its design.
    """

    def __init__(self, count: int, random: Random) -> None:
        self._random = random
        self._open = [(f"10.0.{number >> 8}.{number & 255}", 80) for number in range(count)]
        self._weights = {host: 1 + number % 4 for number, host in enumerate(self._open)}
        self._active = dict.fromkeys(self._open, 0)

    def cycle(self) -> None:
        """
        Choose a host, count its connection, and count it back.
        """
        choices = [
            host
            for host, weight in self._weights.items()
            for _ in range(weight)
            if host in self._open
        ]
        host = self._random.choice(choices)
        self._active[host] += 1
        self._active[host] -= 1


def poolCycle(word: str, count: int) -> Callable[[], None]:
    """
    @return: does one cycle with a pool.
    """
    hosts = [
        ProxyHost(f"h{number}", f"10.0.{number >> 8}.{number & 255}", 80, 1 + number % 4)
        for number in range(count)
    ]
    pool = HostPool(word, hosts, random=Random(1))
    chance = Random(2)
    clients = [(f"10.1.{number >> 8}.{number & 255}", 1024) for number in range(1000)]
    while (deadline := pool.nextDeadline()) is not None:
        pool.advance(deadline)
    for number in range(count):
        pool.acquire(clients[number % 1000]).took(0.001 * (1 + chance.random()))
    turn = 0

    def cycle() -> None:
        nonlocal turn
        turn += 1
        pool.acquire(clients[turn % 1000]).release()

    return cycle


def measure(cycle: Callable[[], None], cycles: int) -> float:
    """
    @return: microseconds of CPU for one cycle.
    """
    begun = time.thread_time()
    for _ in range(cycles):
        cycle()
    return (time.thread_time() - begun) / cycles * MICRO


@dataclass
class Cycles:
    """
    What was found.

    @ivar samples: microseconds a cycle, by policy and number of hosts, of each
        round.
    """

    scale: str
    began: str
    machine: dict[str, str]
    samples: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def figure(self, word: str, count: int) -> Figure | None:
        """
        @return: L{None} where it was not measured.
        """
        samples = self.samples.get(word, {}).get(count)
        return figure(samples) if samples else None

    def judged(self) -> list[tuple[str, float, str, bool]]:
        """
        Compare the figures with the thresholds.

        @return: name, figure, threshold, and whether the threshold is met.
        """
        rows = []
        for word in self.samples:
            many, few = self.figure(word, 10_000), self.figure(word, 10)
            if many is not None and few is not None:
                cost, growth = many.median, many.median / few.median
                rows.append((f"{word}, 10,000 hosts, µs", cost, f"<= {MOST:g}", cost <= MOST))
                rows.append(
                    (f"{word}, 10,000 beside 10", growth, f"<= {GROWTH:g}", growth <= GROWTH)
                )
        old, new = self.figure(OLD, 100), self.figure(weightr, 100)
        if old is not None and new is not None:
            better = old.median / new.median
            rows.append(
                (f"{OLD} beside {weightr}, 100 hosts", better, f">= {BETTER:g}", better >= BETTER)
            )
        return rows


def run(scale: Scale, sizes: Iterable[int] = SIZES) -> Cycles:
    """
    Measure everything.
    """
    found = Cycles(scale.name, time.strftime("%Y-%m-%d %H:%M"), describe())
    works: list[tuple[str, int, Callable[[], None]]] = []
    for kind in schedulerKinds():
        works += [
            (kind.word, count, poolCycle(kind.word, count))
            for count in sizes
            if kind.maxHosts is None or count <= kind.maxHosts
        ]
    works.append((OLD, 100, OldWeighted(100, Random(1)).cycle))
    for number in range(scale.rounds):
        for word, count, cycle in works if number % 2 == 0 else reversed(works):
            cycles = max(scale.cycles // 20, 10) if word == OLD else scale.cycles
            samples = found.samples.setdefault(word, {}).setdefault(count, [])
            samples.append(measure(cycle, cycles))
    found.samples = {
        word: dict(sorted(found.samples[word].items()))
        for word in [*(kind.word for kind in schedulerKinds()), OLD]
    }
    return found


def tablesOf(found: Cycles) -> list[Table]:
    """
    Return the tables of a run.
    """
    sizes = sorted({count for samples in found.samples.values() for count in samples})
    rows = []
    for word in found.samples:
        cells = [found.figure(word, count) for count in sizes]
        rows.append(
            [
                word,
                *(
                    "-" if c is None else f"{c.median:.2f} ({c.low:.2f} to {c.high:.2f})"
                    for c in cells
                ),
            ]
        )
    judged = [
        (what, f"{value:.2f}", wanted, "met" if met else "not met")
        for what, value, wanted, met in found.judged()
    ]
    return [
        Table(
            "A cycle, in microseconds of CPU",
            ("", *(f"{count:,} hosts" for count in sizes)),
            rows,
            "A pick, acquire and release through a pool; median and quartiles.",
        ),
        Table("What is wanted of a cycle", ("", "measured", "wanted", ""), judged),
    ]


def plotOf(found: Cycles) -> str:
    """
    Return the picture of a run.
    """
    series = [
        (word, {count: figure(samples).median for count, samples in by.items()})
        for word, by in found.samples.items()
        if word != OLD
    ]
    half = (len(series) + 1) // 2
    ordered = sorted(series, key=lambda each: each[1][max(each[1])])
    return page(
        [
            lines("A cycle, the cheaper policies", "hosts", "µs of CPU", ordered[:half]),
            lines("A cycle, the others", "hosts", "µs of CPU", ordered[half:]),
        ]
    )


def write(found: Cycles, folder: Path) -> list[Path]:
    """
    Write C{cycles.json}, C{cycles.md}, C{cycles.inc} for the documentation, and
    C{cycles.svg}.

    @return: what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = [f"a {found.scale} run, begun {found.began}"]
    facts += [f"{name}: {value}" for name, value in found.machine.items()]
    bullets = "\n".join(f"- {fact}" for fact in facts)
    tables = tablesOf(found)
    texts = {
        "cycles.json": json.dumps(asdict(found), indent=1) + "\n",
        "cycles.md": "\n".join(
            ["# Cycles", "", bullets, "", *(each.markdown() for each in tables)]
        ),
        "cycles.inc": "\n".join([bullets, "", *(each.restructured() for each in tables)]),
        "cycles.svg": plotOf(found),
    }
    written = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def main(arguments: list[str]) -> int:
    """
    Run.

    @return: the exit status: 0 where everything is as it is wanted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cycles",
        description="Measure what choosing a host costs. Without options this takes about five "
        "minutes; leave the machine alone meanwhile.",
    )
    size = parser.add_mutually_exclusive_group()
    for scale, text in (
        (SHORT, "take a minute, and so be less sure"),
        (SMOKE, "only see that everything works; the figures mean nothing"),
    ):
        size.add_argument(
            f"--{scale.name}", dest="scale", action="store_const", const=scale, help=text
        )
    parser.set_defaults(scale=FULL)
    parser.add_argument(
        "--results",
        type=Path,
        default=ROOT / "benchmarks" / "results",
        help="the folder to write to (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    found = run(options.scale)
    for path in write(found, options.results):
        print(path)
    status = 0
    for what, value, wanted, met in found.judged():
        print(f"{what}: {value:.2f}, wanted {wanted}: {'met' if met else 'NOT MET'}")
        status = status if met or options.scale is SMOKE else 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

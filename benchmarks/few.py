"""
One work and a few peers, to measure a change of the relay in seconds instead of half an
hour.

C{python -m benchmarks.few connection-32 haproxy "txlb fast"}; the first peer is
the one that the others are compared with. C{--before PYTHON} adds the fast relay of the
txlb that another interpreter has, such as one of an earlier revision in an environment of
its own: before and after in one run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.peers import PEERS, Field, peerNamed, txlbOf
from benchmarks.programs import ProgramError
from benchmarks.scale import FULL
from benchmarks.works import RELAYING, Comparison, Errors, compare


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.few",
        description="Measure the CPU of one work for a few peers, beside the first of them.",
    )
    works = [make(FULL.transfer).key for make in RELAYING]
    parser.add_argument("work", choices=works, metavar="WORK", help=", ".join(works))
    names = [peer.name for peer in PEERS]
    parser.add_argument("peers", choices=names, nargs="+", metavar="PEER", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=FULL.rounds)
    parser.add_argument("--seconds", type=float, default=FULL.seconds, help="of a round of a peer")
    parser.add_argument("--before", metavar="PYTHON", help="an interpreter with another txlb")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace, errors: Errors) -> Comparison:
    """
    Let the peers do the work by turns.

    @raise ProgramError: one of them does not start.
    """
    machine.raiseDescriptorLimit()
    work = next(w for w in (make(FULL.transfer) for make in RELAYING) if w.key == options.work)
    with tempfile.TemporaryDirectory(prefix="txlb-bench") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with machine.startingOn(machine.OTHER_CORE), Field(folder) as field:
            peers = [peerNamed(each) for each in options.peers]
            if options.before:
                peers.append(txlbOf(options.before, "fast"))
            running = field.startAll(peers)
            return compare(field.events, running, work, options.rounds, options.seconds, errors)


def _latencies(found: Comparison, name: str, baseline: str) -> str:
    """
    Tell the median and the 99th percentile beside those of the baseline, if there are any.
    """
    median = found.latencyRatio(name, baseline, lambda sample: sample.median)
    late = found.latencyRatio(name, baseline, lambda sample: sample.late)
    if median is None or late is None:
        return ""
    return f"   p50 {median.median:.2f}, p99 {late.median:.2f}"


def main(arguments: list[str]) -> int:
    """
    Measure, and print a line for each peer.

    @return: the exit status: 0 where nothing went wrong.
    """
    options = _options(arguments)
    errors = Errors()
    try:
        found = measure(options, errors)
    except ProgramError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{found.title}: CPU for each {found.unit}, and beside {options.peers[0]}")
    for name in found.samples:
        cpu, ratio = found.cpu(name), found.ratio(name, options.peers[0])
        if cpu is not None and ratio is not None:
            print(
                f"  {name:<22} {cpu.median / 1000:>12,.1f} µs   "
                f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
                f"{_latencies(found, name, options.peers[0])}"
            )
    return 1 if errors.lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

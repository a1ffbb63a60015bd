"""
The CPU of the manager of clones.
"""

from __future__ import annotations

from benchmarks.clones._cloned import NAME, Cloned
from benchmarks.peers import BASELINE, Field, peerNamed
from benchmarks.works import Errors, compare, connections, requests


def costs(field: Field, cloned: Cloned, rounds: int, seconds: float, errors: Errors) -> None:
    """
    Print the CPU of the manager for a connection, and for a request on a kept connection,
    beside that of HAProxy in front of as many hosts.

    @param seconds: how long a round of a peer is.
    """
    (haproxy,) = field.startAll([peerNamed(BASELINE)], cloned.count)
    for work in (connections(32), requests(64)):
        peers = [haproxy, cloned.running(field)]
        found = compare(field.events, peers, work, rounds, seconds, errors)
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

"""
A program that attacks until it is told to stop, or for a minute.

C{python -m benchmarks.attacks.attacker KIND ARGUMENTS...}. When it gets SIGTERM it
writes what it has done as JSON: how often, by what that is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from benchmarks.attacks import _floods, _hosts, _offers, _pipeline, _tlsfloods
from benchmarks.attacks._done import Done

#: Seconds after which an attack ends if it is not stopped.
LIMIT = 60.0

#: Attackers give way to what is measured.
NICE = 10

#: What each kind does: it is called with a count of what it does and with its
#: arguments, and goes on for ever.
KINDS: dict[str, Callable[..., object]] = {
    "busy": _floods.busy,
    "ssh-ignore": _floods.ignore,
    "ssh-exchange": _floods.exchange,
    "ssh-silent": _floods.silent,
    "ssh-connect": _floods.connect,
    "ssh-offers": _offers.offer,
    "control": _pipeline.pipeline,
    "chunks": _hosts.chunks,
    "headers": _hosts.headers,
    "tls-handshakes": _tlsfloods.handshakes,
    "tls-garbage": _tlsfloods.garbage,
    "tls-records": _tlsfloods.records,
    "tls-piecemeal": _tlsfloods.piecemeal,
}


def main(kind: str, *arguments: str) -> None:
    """
    Attack.
    """
    os.nice(NICE)
    done = Done()

    def stop(_number: int, _frame: object) -> NoReturn:
        json.dump(done.counts, sys.stdout)
        sys.stdout.flush()
        # Threads and half an operation are of no interest any more.
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    KINDS[kind](done, *arguments)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])

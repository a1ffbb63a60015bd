"""
How evenly the clones of an application share connections.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.clones._cloned import Cloned
from benchmarks.programs import PATIENCE, ProgramError
from benchmarks.traffic import Events

#: Connections that stay, of each try.
CONNECTIONS = 200

#: Seconds between two connections, if they do not come at once.
APART = 0.002

#: A question for the clone's name, and the bytes of the answer.
ASK = b"GET /name HTTP/1.1\r\n\r\n"
NAME = 8


def evenness(events: Events, cloned: Cloned, sharing: str, tries: int) -> None:
    """
    Open connections that stay, again and again, and print how many the clones had of them: the
    one with the most and the one with the fewest.

    @param sharing: how they share the connections, for the report.
    """
    for what, apart in (("at once", 0.0), ("one by one", APART)):
        found = []
        for _ in range(tries):
            found.append(_countsOf(cloned.address, apart, cloned.count))
            events.runFor(0.2)
        print(evennessRow(f"{sharing}, {what}", found), flush=True)


def evennessRow(what: str, found: Sequence[Sequence[int]]) -> str:
    """
    Make a line of the report.

    @param found: of each try, the connections of each clone.
    """
    most, fewest = [max(each) for each in found], [min(each) for each in found]
    return (
        f"  {what:<22} most {statistics.median(most):>4g} (at most {max(most)}), "
        f"fewest {statistics.median(fewest):>4g} (at least {min(fewest)})"
    )


def _countsOf(address: tuple[str, int], apart: float, clones: int) -> list[int]:
    counts: Counter[bytes] = Counter()
    with ExitStack() as stack:
        socks = []
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(socket.create_connection(address, PATIENCE))
            sock.sendall(ASK)
            socks.append(sock)
            if apart:
                time.sleep(apart)
        for sock in socks:
            name = sock.recv(NAME, socket.MSG_WAITALL)
            if len(name) < NAME:
                raise ProgramError("a clone does not say its name")
            counts[name] += 1
    found = sorted(counts.values())
    return [0] * (clones - len(found)) + found

"""
A client that measures how long small requests take, one after the other.

    python -m benchmarks.probe ADDRESS PORT

Each request is a connection of its own: the probe connects, sends a byte, and waits until
the host has sent it back and the end of the connection has come. A line on standard input ends
the measurement; the answer is a line of JSON, and the next measurement begins. The
probe ends when its standard input does.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from array import array

from benchmarks.figures import percentile
from benchmarks.machine import comeFirst

#: Seconds between two requests, and the longest that one may take.
PACE, PATIENCE = 0.001, 10.0


def request(address: tuple[str, int]) -> float:
    """
    Do one request.

    @return: how many seconds it took.
    @raise OSError: it failed.
    """
    began = time.monotonic()
    with socket.create_connection(address, PATIENCE) as sock:
        sock.sendall(b"x")
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(2) != b"x":
            raise OSError("the answer is not the one that it has to be")
    return time.monotonic() - began


def main(address: str, port: str) -> None:
    """
    Measure until standard input ends.
    """
    comeFirst()
    samples, failed = array("d"), 0
    while True:
        try:
            samples.append(request((address, int(port))))
        except OSError:
            failed += 1
        if not select.select([sys.stdin], [], [], PACE)[0]:
            continue
        if not sys.stdin.readline():
            return
        found = {
            "count": len(samples),
            "failed": failed,
            "late": percentile(samples, 0.99) if samples else 0.0,
            "most": max(samples, default=0.0),
        }
        print(json.dumps(found), flush=True)
        samples, failed = array("d"), 0


if __name__ == "__main__":
    main(*sys.argv[1:])

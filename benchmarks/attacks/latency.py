"""
A client that makes small requests at a steady rate and tells how long they took.

C{python -m benchmarks.attacks.latency HOST PORT SECONDS} writes two lists of seconds as
JSON: of requests on one connection, and of requests that each have a connection of
their own. The time of a request begins when it was due, not when it was sent: a balancer
that stands still for 100 ms keeps 50 requests waiting, not one.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable

from benchmarks.traffic import PLAIN

#: Seconds between two requests on the connection that is kept.
KEPT_INTERVAL = 0.005

#: Seconds between two new connections.
FRESH_INTERVAL = 0.02

#: Seconds that one request may take; one that takes longer counts as this.
PATIENCE = 5.0

#: How much sooner than most programs this one gets the processor.
NICE = -10

Address = tuple[str, int]


class Kept:
    """
    Requests on one connection. One that fails is made again on the next.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._sock: socket.socket | None = None

    def __call__(self) -> None:
        """
        Make one.

        @raise OSError: it failed.
        """
        if self._sock is None:
            self._sock = _connected(self._address)
        try:
            _ask(self._sock)
        except OSError:
            self._sock.close()
            self._sock = None
            raise


class Fresh:
    """
    Requests on connections of their own.
    """

    def __init__(self, address: Address) -> None:
        self._address = address

    def __call__(self) -> None:
        """
        Make one.

        @raise OSError: it failed.
        """
        with _connected(self._address) as sock:
            _ask(sock)


def _connected(address: Address) -> socket.socket:
    sock = socket.create_connection(address, PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _ask(sock: socket.socket) -> None:
    sock.sendall(PLAIN.request)
    answer = b""
    while not PLAIN.isComplete(answer):
        data = sock.recv(65536)
        if not data:
            raise ConnectionError("closed before the answer was complete")
        answer += data


def measure(ask: Callable[[], None], interval: float, seconds: float) -> list[float]:
    """
    Make requests at a steady rate.

    @return: how long each took from when it was due, in seconds; L{PATIENCE} for one
        that failed.
    """
    taken: list[float] = []
    began = time.perf_counter()
    for number in range(int(seconds / interval)):
        due = began + number * interval
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        if time.perf_counter() > began + 2 * seconds:
            # What is left would have waited at least as long.
            taken += [time.perf_counter() - due] * (int(seconds / interval) - number)
            break
        try:
            ask()
        except OSError:
            taken.append(PATIENCE)
        else:
            taken.append(time.perf_counter() - due)
    return taken


def main(host: str, port: str, seconds: str) -> None:
    """
    Measure, and write what was found.
    """
    try:
        os.nice(NICE)
    except PermissionError:
        # Then the attackers are the ones that are nicer.
        pass
    address = (host, int(port))
    found: dict[str, list[float]] = {}

    def run(name: str, ask: Callable[[], None], interval: float) -> None:
        found[name] = measure(ask, interval, float(seconds))

    threads = [
        threading.Thread(target=run, args=("kept", Kept(address), KEPT_INTERVAL)),
        threading.Thread(target=run, args=("fresh", Fresh(address), FRESH_INTERVAL)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""
The rate of connections of each client: a token bucket each, in bounded memory.
"""

from __future__ import annotations

import math
from array import array
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Callable

from txlb._facts import Facts
from txlb.errors import StateError

#: The most clients that are remembered. That takes about 10 MiB.
MOST_CLIENTS = 65_536

#: The number of old buckets that are reviewed at each new client: more than one, so
#: that there are never many that are full and need not be kept.
SWEPT = 2

#: If there is no room, the fullest of so many buckets is dropped.
CANDIDATES = 16

#: How many bytes the names of clients have; see L{txlb.pool.Admission}.
SIZES = (4, 8, 16)

#: The rounding error of sums of floating-point numbers, in seconds.
SLACK = 1e-9


class ClientRates:
    """
    A token bucket for each client. A bucket holds C{burst} tokens, and gets C{rate} of
    them a second; every new connection takes one.

    A bucket is stored as the time at which it will be full again, and a full bucket is
    not stored: the virtual scheduling algorithm of ITU-T I.371.

    The number of buckets is bounded. If one more is needed, the fullest of a few is
    dropped, and its client gains the few tokens that were missing. The bucket of a
    client that has used up its tokens is among the emptiest. It is dropped only if all
    others in the same window are emptier: for that an attacker needs as many addresses
    as there are buckets, and has to spend as many tokens as all of these hold, each
    time, to gain one client's burst.

    @param rate: new connections a second, above 0.
    @param burst: connections at once, at least 1; by default those of a second.
    @param most: the most clients that are remembered, at least L{CANDIDATES}.
    """

    __slots__ = ("_clients", "_fullAt", "_hand", "_interval", "_most", "_places", "_tolerance")

    def __init__(self, rate: float, burst: int | None = None, most: int = MOST_CLIENTS) -> None:
        self._interval = 1.0 / rate
        size = max(1, math.ceil(rate)) if burst is None else burst
        self._tolerance = (size - 1) * self._interval + SLACK
        self._most = most
        self._places: dict[bytes, int] = {}
        self._clients: list[bytes] = []
        self._fullAt: list[float] = []
        self._hand = 0

    def __len__(self) -> int:
        return len(self._clients)

    def kept(self, now: float) -> dict[str, object]:
        """
        Return the buckets that are not full, as plain values: for each length of the clients'
        names these and their times, in Base64. So a table without room is ready in milliseconds.
        """
        clients: dict[int, list[bytes]] = {}
        times: dict[int, list[float]] = {}
        for client, fullAt in zip(self._clients, self._fullAt, strict=True):
            if fullAt > now:
                size = len(client)
                if size not in clients:
                    clients[size], times[size] = [], []
                clients[size].append(client)
                times[size].append(fullAt)
        return {
            "interval": self._interval,
            "tolerance": self._tolerance,
            "clients": {str(size): _encoded(b"".join(clients[size])) for size in clients},
            "times": {str(size): _encoded(array("d", times[size]).tobytes()) for size in clients},
        }

    def restoring(self, facts: Facts, now: float) -> Callable[[], None]:
        """
        Read what L{kept} has returned. If the rate is another one by now all buckets are full, as
        they are if a file with another rate is loaded.

        @return: takes it over.
        @raise StateError: a value can't be right.
        """
        same = facts.number("interval") == self._interval
        same = same and facts.number("tolerance") == self._tolerance
        latest = now + self._tolerance + self._interval
        buckets: dict[bytes, float] = {}
        names, whens = facts.inside("clients"), facts.inside("times")
        for size in SIZES if same else ():
            clients, times = _decoded(names, str(size)), array("d")
            packed = _decoded(whens, str(size))
            if len(clients) % size or len(packed) != len(clients) // size * times.itemsize:
                raise StateError(f"the clients of {facts.where} and their times don't fit together")
            times.frombytes(packed)
            keys = (clients[at : at + size] for at in range(0, len(clients), size))
            buckets.update(zip(keys, times, strict=True))
        if len(buckets) > self._most or not all(0 <= when <= latest for when in buckets.values()):
            raise StateError(f"the rates of {facts.where} have a time that can't be")

        def take() -> None:
            self._places = {client: place for place, client in enumerate(buckets)}
            self._clients, self._fullAt = list(buckets), list(buckets.values())
            self._hand = 0

        return take

    def take(self, client: bytes, now: float) -> bool:
        """
        Take one token of a client.

        @param now: in seconds of a monotonic clock.
        @return: whether there was one.
        """
        place = self._places.get(client)
        if place is None:
            self._remember(client, now)
            return True
        fullAt = max(self._fullAt[place], now)
        if fullAt - now > self._tolerance:
            return False
        self._fullAt[place] = fullAt + self._interval
        return True

    def _remember(self, client: bytes, now: float) -> None:
        """
        Begin a bucket, from which one token is taken.
        """
        for _ in range(SWEPT):
            self._sweep(now)
        if len(self._clients) >= self._most:
            self._forget(self._fullest())
        self._places[client] = len(self._clients)
        self._clients.append(client)
        self._fullAt.append(now + self._interval)

    def _sweep(self, now: float) -> None:
        if self._clients:
            self._hand = (self._hand + 1) % len(self._clients)
            if self._fullAt[self._hand] <= now:
                self._forget(self._hand)

    def _fullest(self) -> int:
        count = len(self._clients)
        window = [(self._hand + number) % count for number in range(CANDIDATES)]
        self._hand = (self._hand + CANDIDATES) % count
        return min(window, key=self._fullAt.__getitem__)

    def _forget(self, place: int) -> None:
        """
        Drop a bucket; the last one takes its place.
        """
        del self._places[self._clients[place]]
        client, fullAt = self._clients.pop(), self._fullAt.pop()
        if place < len(self._clients):
            self._clients[place], self._fullAt[place] = client, fullAt
            self._places[client] = place


def _encoded(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _decoded(facts: Facts, key: str) -> bytes:
    value = facts.values.get(key, "")
    if isinstance(value, str) and len(value) <= 2 * MOST_CLIENTS * max(SIZES):
        try:
            return b64decode(value, validate=True)
        except (NoBase64, ValueError):
            pass
    raise facts.wrong(key, "Base64")

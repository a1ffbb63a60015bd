"""
The rate of connections of each client: a token bucket each, in bounded memory.
"""

from __future__ import annotations

import math

#: The most clients that are remembered. That takes about 10 MiB.
MOST_CLIENTS = 65_536

#: The number of old buckets that are reviewed at each new client: more than one, so
#: that there are never many that are full and need not be kept.
SWEPT = 2

#: If there is no room, the fullest of so many buckets is dropped.
CANDIDATES = 16

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

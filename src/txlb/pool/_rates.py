"""
How often each client may come: a bucket of tokens for everybody, in bounded
memory.
"""

from __future__ import annotations

import math

#: How many clients are remembered at most. It takes about 10 MiB to be full.
MOST_CLIENTS = 65_536

#: With every client that is new, so many are looked at whether they need be
#: remembered: more than one, so that there are never many who need not.
SWEPT = 2

#: Where there is no room, the one of so many whose bucket is fullest is forgotten.
CANDIDATES = 16

#: Seconds by which sums of floating-point numbers may be off.
SLACK = 1e-9


class ClientRates:
    """
    A token bucket for each client. A bucket holds C{burst} tokens, and gets
    C{rate} of them a second; every new connection takes one.

    All that is kept of a bucket is when it will be full again, and a bucket that
    is full is not kept at all: the virtual scheduling algorithm of ITU-T I.371.

    There are at most so many buckets. Where one more is wanted, the fullest of a
    few is given up, so that its client gains the few tokens that were missing.
    Who has used up their tokens is among the emptiest, and would be forgotten
    only if all others in the same window had used up more: for that somebody
    needs as many addresses as there are buckets, and has to spend as many tokens
    as all of these hold, each time, to gain one client's burst.

    @param rate: new connections a second, above 0.
    @param burst: connections at once, at least 1; by default those of a second.
    @param most: clients that are remembered, at least L{CANDIDATES}.
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
        A client wants one token.

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
        The last one takes over its place.
        """
        del self._places[self._clients[place]]
        client, fullAt = self._clients.pop(), self._fullAt.pop()
        if place < len(self._clients):
            self._clients[place], self._fullAt[place] = client, fullAt
            self._places[client] = place

"""
Rates of counters, of the last and of earlier intervals.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from txlb.cli._client import Row
from txlb.cli._status import ofKind

#: Samples that are remembered.
SAMPLES = 240

Key = tuple[str, ...]

#: The counters of a host, and of a service, that rates are made of.
_HOST_COUNTERS = ("connections", "failures", "bytesIn", "bytesOut")


@dataclass
class Line:
    """
    A line for a service or a host.

    @ivar key: its names.
    @ivar row: its row of the status.
    @ivar rates: the growth of counters a second, by their names; empty before there are
        two samples.
    @ivar past: the new connections a second of each sample, the oldest first.
    """

    key: Key
    row: Row
    rates: dict[str, float] = field(default_factory=dict)
    past: Sequence[float] = ()


class Rates:
    """
    The rates between one status and the next.

    @ivar lines: services, each followed by its hosts, as they are now.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._before: dict[Key, dict[str, float]] = {}
        self._past: dict[Key, deque[float]] = {}
        self._when = 0.0

    def take(self, rows: list[Row], now: float) -> None:
        """
        Take in a status.

        @param rows: its rows.
        @param now: when it was, in seconds of a monotonic clock.
        """
        elapsed, self._when = now - self._when, now
        before, self._before = self._before, {}
        past, self._past = self._past, {}
        self.lines = []
        for service in ofKind(rows, "service"):
            counters = {
                "connections": float(service["accepted"]),
                "refused": float(sum(service["refused"].values())),
            }
            self._add((service["name"],), service, counters, before, past, elapsed)
            for host in ofKind(rows, "host", service=service["name"]):
                key = (service["name"], host["group"], host["name"])
                counters = {name: float(host[name]) for name in _HOST_COUNTERS}
                self._add(key, host, counters, before, past, elapsed)

    def _add(
        self,
        key: Key,
        row: Row,
        counters: dict[str, float],
        before: dict[Key, dict[str, float]],
        past: dict[Key, deque[float]],
        elapsed: float,
    ) -> None:
        rates: dict[str, float] = {}
        known = before.get(key)
        samples = past.get(key)
        if samples is None:
            samples = deque(maxlen=SAMPLES)
        if known is not None and elapsed > 0:
            # A host that was removed and added anew begins at zero.
            rates = {n: max(counters[n] - known[n], 0.0) / elapsed for n in counters}
            samples.append(rates["connections"])
        self._before[key] = counters
        self._past[key] = samples
        self.lines.append(Line(key, row, rates, tuple(samples)))

    @property
    def hosts(self) -> list[Line]:
        """
        The lines of hosts.
        """
        return [line for line in self.lines if len(line.key) == 3]

    @property
    def services(self) -> list[Line]:
        """
        The lines of services.
        """
        return [line for line in self.lines if len(line.key) == 1]

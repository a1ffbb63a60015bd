"""
What the tests of the pool have in common: a clock that stands still until it is
told, a pool that writes down its events, failures of every kind.
"""

from __future__ import annotations

from random import Random
from typing import Any

from txlb.model import ProxyHost
from txlb.pool import Attempt, Dial, DialLimits, Event, Failure, FailureKind, HostPool

REFUSED = Failure(FailureKind.REFUSED, "connection refused")
TIMEOUT = Failure(FailureKind.TIMEOUT)
UNREACHABLE = Failure(FailureKind.UNREACHABLE, "no route to host")
BUSY = Failure(FailureKind.BUSY)
PORTS = Failure(FailureKind.PORTS, "no port is left")
LOCAL = Failure(FailureKind.LOCAL, "too many open files")

#: Times to try that are never in the way.
PATIENT = DialLimits(connectTimeout=1e6, dialTimeout=1e6, retries=100)


class Bench:
    """
    A pool with a clock and a list of its events.
    """

    def __init__(self, *names: str, scheduler: str = "leastc", **settings: Any) -> None:
        self.now = 1000.0
        self.events: list[Event] = []
        self.pool = HostPool(
            scheduler,
            [ProxyHost(name, "127.0.0.1", 7000 + place) for place, name in enumerate(names)],
            service="web",
            group="g",
            seconds=lambda: self.now,
            random=Random(1),
            publish=self.events.append,
            **settings,
        )
        self.events.clear()

    def told(self) -> list[str]:
        """
        The kinds of the events since the last time, each with the host's name.
        """
        told = [f"{event.kind.value} {event.key[-1]}" for event in self.events]
        self.events.clear()
        return told

    def dial(self, limits: DialLimits = PATIENT, clientAddr: object = None) -> Dial:
        """
        The search of a client.
        """
        return self.pool.dial(clientAddr, limits)

    def attempt(self, limits: DialLimits = PATIENT) -> Attempt:
        """
        The first host that a client is to try, which there has to be.
        """
        attempt = self.dial(limits).start()
        assert isinstance(attempt, Attempt), attempt
        return attempt

    def state(self, name: str) -> str:
        """
        The state of a host, in a word.
        """
        return self.pool.getHost(name).stateWord

    def fell(self, name: str) -> None:
        """
        Have a host put out by one failure; all others are up.
        """
        others = frozenset(host.key for host in self.pool.hosts if host.name != name)
        lease = self.pool.claim(None, others)
        assert lease is not None
        self.pool.reportFailed(lease, REFUSED)
        lease.release()

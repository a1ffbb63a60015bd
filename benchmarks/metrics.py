"""
C{python -m benchmarks.metrics}: the cost of metrics and of the history in a balancer of many hosts.

For each text it prints the CPU of the whole and of its longest slice, which is the longest time for
which the data plane is held. Both are the CPU clock of this thread, so that other programs on the
machine count for little; each is the best of several runs, and the first run, in which labels are
made, stands beside it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from txlb.admin import Target
from txlb.admin._history import History
from txlb.admin.metrics import Exposition, HAProxyExposition, gzipped, statistics
from txlb.application import LoadBalancedService
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Attempt, CheckResult, Histogram, HostPool
from txlb.pool._histogram import CONNECT_BOUNDS

#: The services to which the hosts are divided.
SERVICES = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """
    The cost of one text.

    @ivar name: its name.
    @ivar first: milliseconds of CPU of the first run.
    @ivar whole: milliseconds of CPU of the best run.
    @ivar longest: milliseconds of CPU of the longest slice of the run in which that is shortest.
    @ivar size: bytes of the text.
    """

    name: str
    first: float
    whole: float
    longest: float
    size: int

    def __str__(self) -> str:
        return (
            f"{self.name:<34} {self.whole:7.2f} ms ({self.first:6.2f} ms at first), longest slice "
            f"{self.longest:5.2f} ms, {self.size / 1e6:5.2f} MB"
        )


def balancerOf(hosts: int) -> LoadBalancedService:
    """
    Make a balancer whose hosts have been used and checked.
    """
    chance = random.Random(17)
    services = [
        ProxyService(
            f"service{number}",
            [("127.0.0.1", 8080 + number)],
            [
                ProxyGroup(
                    "production",
                    "leastc",
                    True,
                    [
                        ProxyHost(f"host{place}.example.com", "127.0.0.1", 1 + place)
                        for place in range(hosts // SERVICES)
                    ],
                )
            ],
        )
        for number in range(SERVICES)
    ]
    manager = proxyManagerFactory(services)
    for service in services:
        pool = manager.getPool(service.name)
        for host in pool.hosts:
            counters = host.counters
            counters.connections = chance.randrange(10**7)
            counters.failures = chance.randrange(10**3)
            counters.checkFailures, counters.downs = chance.randrange(50), chance.randrange(20)
            host.active = chance.randrange(100)
            counters.bytesIn, counters.bytesOut = chance.randrange(10**12), chance.randrange(10**13)
            host.connectTime = chance.random() / 100
            pool.watch(host.name)
            pool.reportCheck(host.name, CheckResult(True, "200 OK", chance.random() / 100))
    balancer = LoadBalancedService(manager)
    for _ in balancer.history._measuring():  # noqa: SLF001
        pass
    return balancer


def costOf(name: str, text: Callable[[], Iterable[object]], runs: int) -> Cost:
    """
    Make a text several times.

    @param text: returns its slices.
    """
    clock = time.thread_time
    wholes, longests, size = [], [], 0
    for _ in range(runs):
        longest, size, began = 0.0, 0, clock()
        before = began
        for each in text():
            now = clock()
            longest = max(longest, now - before)
            size += len(each) if isinstance(each, bytes) else 0
            before = clock()
        wholes.append((clock() - began) * 1000)
        longests.append(longest * 1000)
    return Cost(name, wholes[0], min(wholes), min(longests), size)


def costsOf(hosts: int, runs: int) -> list[Cost]:
    """
    Measure all texts, and the points of the history.
    """
    balancer = balancerOf(hosts)
    target = Target(balancer, None, History())
    exposition, haproxy = Exposition(target), HAProxyExposition(target)
    return [
        costOf("text 0.0.4", exposition.text, runs),
        costOf("OpenMetrics 1.0", partial(exposition.text, openMetrics=True), runs),
        costOf("the same, gzip", lambda: gzipped(exposition.text(openMetrics=True)), runs),
        costOf("names of HAProxy", haproxy.text, runs),
        costOf("statistics as CSV", partial(statistics, target), runs),
        costOf("points of the history", balancer.history._measuring, runs),  # noqa: SLF001
    ]


def observing(times: int) -> float:
    """
    Return nanoseconds of CPU that it takes to count one value in a histogram.
    """
    histogram = Histogram(CONNECT_BOUNDS)
    values = [0.0007 * (number % 50) for number in range(times)]
    began = time.thread_time_ns()
    for value in values:
        histogram.observe(value)
    return (time.thread_time_ns() - began) / times


def cycling(times: int) -> float:
    """
    Return microseconds of CPU of the pool for one connection, histograms included.
    """
    pool = HostPool("roundr", [ProxyHost(f"h{n}", "127.0.0.1", n + 1) for n in range(4)])
    began = time.thread_time_ns()
    for _ in range(times):
        step = pool.dial().start()
        assert isinstance(step, Attempt)
        step.connected().release()
    return (time.thread_time_ns() - began) / times / 1000


def main(arguments: list[str]) -> int:
    """
    Measure, and print.

    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=__doc__)
    parser.add_argument("--hosts", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args(arguments)
    print(f"{options.hosts} hosts, the best of {options.runs} runs:")
    for cost in costsOf(options.hosts, options.runs):
        print(f"  {cost}")
    times = 2000 * options.runs
    best = min(observing(times) for _ in range(5))
    print(f"a value in a histogram: {best:.0f} ns; a connection has two")
    print(f"a connection in the pool: {min(cycling(times) for _ in range(5)):.2f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

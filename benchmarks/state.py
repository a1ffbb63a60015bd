"""
C{python -m benchmarks.state}: the cost of handing the state of a balancer of many hosts to its
successor.

The old process makes the pieces ahead while it serves, so that its longest piece counts. It makes
the rest, and the new process takes it over, while nothing is served, so that all of that counts.
Times are the CPU clock of this thread. Other programs on the machine count for little, but not for
nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from txlb.application import LoadBalancedService
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Attempt, CheckResult, HostPool

#: The policies whose state is the largest, each in its own way.
POLICIES = ("leastc", "roundr", "weightlc", "ewma", "sticky")

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Cost:
    """
    The cost of one upgrade, in milliseconds of CPU.

    @ivar policy: the word of the policy.
    @ivar piece: the longest piece ahead, its JSON included.
    @ivar gives: the rest in the old process, if each host has had traffic since.
    @ivar takes: the rest in the new process.
    @ivar ahead: bytes of JSON ahead.
    @ivar rest: bytes of JSON of the rest.
    """

    policy: str
    piece: float
    gives: float
    takes: float
    ahead: int
    rest: int

    def __str__(self) -> str:
        return (
            f"{self.policy:<9} longest piece {self.piece:5.1f} ms; nothing served: gives "
            f"{self.gives:5.1f} ms, takes {self.takes:5.1f} ms; {self.ahead / 1e6:5.2f} MB ahead, "
            f"{self.rest / 1e6:5.2f} MB then"
        )


def balancerOf(policy: str, hosts: int, *, used: bool = True) -> LoadBalancedService:
    """
    Make a balancer.

    @param used: whether its hosts have been checked and used.
    """
    group = ProxyGroup(
        "main",
        policy,
        True,
        [ProxyHost(f"h{place}", "127.0.0.1", 1 + place, 1 + place % 3) for place in range(hosts)],
    )
    service = ProxyService("web", [("127.0.0.1", 8080)], [group])
    balancer = LoadBalancedService(proxyManagerFactory([service], random=random.Random(1)))
    pool = balancer.manager.getPool("web", "main")
    if used:
        for name in [host.name for host in pool.hosts]:
            pool.reportCheck(name, CheckResult(True, "connected", 0.001))
        use(pool, 2 * hosts)
    return balancer


def use(pool: HostPool, connections: int) -> None:
    """
    Let clients connect, and stay.
    """
    for number in range(connections):
        step = pool.dial((f"198.51.100.{number % 250}", 1)).start()
        assert isinstance(step, Attempt)
        step.connected().add(100, 200)


def measured(function: Callable[[], _Result]) -> tuple[float, _Result]:
    """
    Call a function, and return the milliseconds of CPU and its result.
    """
    gc.collect()
    gc.disable()
    try:
        began = time.thread_time()
        found = function()
        return (time.thread_time() - began) * 1000, found
    finally:
        gc.enable()


def costOf(policy: str, hosts: int) -> Cost:
    """
    Hand the state of a balancer to another one of the same hosts.
    """
    old, new = balancerOf(policy, hosts), balancerOf(policy, hosts, used=False)
    pool = old.manager.getPool("web", "main")
    pieces, longest = [], 0.0
    steps = old.keptAhead()
    while True:
        took, piece = measured(lambda: _written(next(steps, None)))
        if piece == "null":
            break
        longest = max(longest, took)
        pieces.append(piece)
    for piece in pieces:
        new.restoreState(json.loads(piece))
    for host in pool.hosts:
        host.counters.bytesIn += 100
    manager, heir = old.manager, new.manager
    gives, rest = measured(lambda: _written({each.name: _rest(each) for each in manager.keepers}))
    takes, _ = measured(lambda: _take(heir.keepers, rest))
    return Cost(policy, longest, gives, takes, sum(map(len, pieces)), len(rest))


def _written(state: object) -> str:
    return json.dumps(state, separators=(",", ":"))


def _rest(keeper: object) -> object:
    return keeper.rest() if hasattr(keeper, "rest") else keeper.state()  # type: ignore[attr-defined]


def _take(keepers: Iterable[object], rest: str) -> None:
    states = json.loads(rest)
    for keeper in keepers:
        keeper.restore(states[keeper.name])  # type: ignore[attr-defined]


def costs(hosts: int, times: int, policies: Iterable[str] = POLICIES) -> Iterator[Cost]:
    """
    Measure each policy.

    @param times: how often; the least value of each time counts.
    """
    for policy in policies:
        found = [costOf(policy, hosts) for _ in range(times)]
        yield Cost(
            policy,
            min(each.piece for each in found),
            min(each.gives for each in found),
            min(each.takes for each in found),
            found[-1].ahead,
            found[-1].rest,
        )


def main(arguments: list[str]) -> int:
    """
    Run the benchmark.

    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.state")
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args(arguments)
    print(f"{given.hosts} hosts, each with traffic since the pieces; the best of {given.times}")
    for cost in costs(given.hosts, given.times):
        print(cost, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""
The cost of L{txlb.web.BalancedAgent} beside Twisted's C{Agent}: the same requests to one
host, over connections that are kept.

C{python -m benchmarks.agent}; both agents run by turns in one process, and the host in
another one.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import react
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.iweb import IAgent

from benchmarks.figures import figure, ratio
from txlb.model import ProxyHost
from txlb.pool import HostPool
from txlb.web import BalancedAgent

#: The names of the two in the output.
AGENT, BALANCED = "Agent", "BalancedAgent"

#: The program of the host, which answers every request with the same small page and
#: writes its port first.
HOST = """
import sys
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

class Page(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"hello\\n"

class Quiet(Site):
    def log(self, request):
        pass

port = reactor.listenTCP(0, Quiet(Page()), interface="127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
"""


class Host(ProcessProtocol):
    """
    The process of the host.

    @ivar port: fires with its port.
    @ivar ended: fires when the process has ended.
    """

    def __init__(self) -> None:
        self.port: Deferred[int] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._said = b""

    def outReceived(self, data: bytes) -> None:
        """
        Read the port.
        """
        self._said += data
        if self._said.endswith(b"\n") and not self.port.called:
            self.port.callback(int(self._said))

    def processEnded(self, reason: Failure) -> None:
        """
        Say that it has ended.
        """
        if not self.port.called:
            self.port.errback(reason)
        self.ended.callback(None)


def agents(reactor: Any, port: int) -> dict[str, IAgent]:
    """
    Make both agents, each with connections of its own that are kept.
    """
    kept = HTTPConnectionPool(reactor)
    pool = HostPool("leastc", [ProxyHost("host", "127.0.0.1", port)])
    return {AGENT: Agent(reactor, pool=kept), BALANCED: BalancedAgent(pool, reactor)}


async def requests(agent: IAgent, uri: bytes, count: int, atOnce: int) -> float:
    """
    Send requests, some at once.

    @param atOnce: the number of requests under way.
    @return: the CPU time of this process for one, in seconds.
    @raise ValueError: an answer is wrong.
    """

    async def some() -> None:
        for _ in range(count // atOnce):
            body: bytes = await readBody(await agent.request(b"GET", uri))
            if body != b"hello\n":
                raise ValueError(f"the host answered {body!r}")

    began = time.process_time()
    await gatherResults([Deferred.fromCoroutine(some()) for _ in range(atOnce)])
    return (time.process_time() - began) / (count // atOnce * atOnce)


async def measure(
    reactor: Any, rounds: int, count: int, atOnce: int
) -> dict[str, dict[int, float]]:
    """
    Let both send the same number of requests in each round, in an order that turns.

    @return: CPU seconds for a request of each, by round.
    """
    host = Host()
    process = reactor.spawnProcess(host, sys.executable, [sys.executable, "-c", HOST], env=None)
    try:
        port = await host.port
        uri = f"http://127.0.0.1:{port}/".encode()
        both = agents(reactor, port)
        samples: dict[str, dict[int, float]] = {name: {} for name in both}
        for agent in both.values():
            await requests(agent, uri, atOnce, atOnce)
        for number in range(rounds):
            for name in sorted(both, reverse=bool(number % 2)):
                samples[name][number] = await requests(both[name], uri, count, atOnce)
        return samples
    finally:
        if not host.ended.called:
            process.signalProcess("KILL")
        await host.ended


async def main(reactor: Any, *arguments: str) -> None:
    """
    Measure, and print a line for each.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.agent",
        description="Measure the CPU of a request by BalancedAgent beside Agent, one host.",
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=2000, help="of each, in a round")
    parser.add_argument("--at-once", type=int, default=10)
    options = parser.parse_args(arguments)
    # readBody has it for every body of Agent's.
    warnings.filterwarnings("ignore", "Using readBody", DeprecationWarning)
    samples = await measure(reactor, options.rounds, options.requests, options.at_once)
    print(f"CPU of the client for each request, {options.at_once} at once, and beside Agent")
    for name, values in samples.items():
        cpu, beside = figure(list(values.values())), ratio(values, samples[AGENT])
        if beside is None:
            continue
        print(
            f"  {name:<14} {cpu.median * 1e6:>8.1f} µs  {1 / cpu.median:>8,.0f} a second of CPU"
            f"   {beside.median:.2f} ({beside.low:.2f} to {beside.high:.2f})"
        )


if __name__ == "__main__":
    react(main, sys.argv[1:])

"""
An HTTP client that balances: each request goes to a host of a pool, and to the next one
if the host can't be reached. There is no proxy.

    python http_client.py 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003
"""

import sys
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react
from twisted.web.client import readBody

from txlb.model import ProxyHost
from txlb.pool import DialLimits, HostPool
from txlb.web import BalancedAgent


async def get(agent: BalancedAgent, uri: bytes) -> str:
    """
    Get a page.
    """
    page: bytes = await readBody(await agent.request(b"GET", uri))
    return page.decode()


async def main(reactor: Any, *addresses: str) -> None:
    """
    Get ten pages at a time from the hosts, twice.
    """
    pool = HostPool("leastc", [ProxyHost.at(address, address) for address in addresses])
    agent = BalancedAgent(pool, reactor, DialLimits(connectTimeout=1.0, retries=5))
    for _ in range(2):
        requests = [Deferred.fromCoroutine(get(agent, b"http://hello/")) for _ in range(10)]
        for page in await gatherResults(requests, consumeErrors=True):
            print(page.strip())
    await agent.close()
    for host in pool.hosts:
        counted = host.counters
        print(
            f"{host.name}: {host.stateWord}, {counted.connections} requests, "
            f"{counted.failures} failures, {host.active} open {host.reason}"
        )


if __name__ == "__main__":
    react(main, sys.argv[1:])

"""
An HTTP client that sends each request to the host with the fewest requests. There is no
proxy: the pool only chooses the host.

    python least_connections_client.py 127.0.0.1:7001 127.0.0.1:7002
"""

import sys
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone

from txlb.model import ProxyHost
from txlb.pool import HostPool
from txlb.schedulers import leastc


class Page(Protocol):
    """
    The body of a response.
    """

    def __init__(self) -> None:
        self.received = b""
        self.whole: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ResponseDone):
            self.whole.callback(self.received)
        else:
            self.whole.errback(reason)


async def get(agent: Agent, pool: HostPool, path: str) -> bytes:
    """
    Get a page. The host counts as busy until the last byte has arrived.
    """
    with pool.acquire() as lease:
        response = await agent.request(b"GET", f"http://{lease.host.address}{path}".encode())
        page = Page()
        response.deliverBody(page)
        return await page.whole


async def main(reactor: Any, *addresses: str) -> None:
    """
    Get ten pages at a time from the hosts.
    """
    pool = HostPool(leastc, [ProxyHost.at(address, address) for address in addresses])
    agent = Agent(reactor)
    requests = [Deferred.fromCoroutine(get(agent, pool, "/")) for _ in range(10)]
    for page in await gatherResults(requests, consumeErrors=True):
        print(page.decode().strip())
    for host in pool.hosts:
        print(f"{host.name}: {host.counters.connections} requests, {host.active} open")


if __name__ == "__main__":
    react(main, sys.argv[1:])

"""
A check that is a Python function: a host is healthy while its queue is short.

The arguments are the ports of hosts that answer with the length of their queue. The
program prints the events of the balancer.
"""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from txlb.application.service import LoadBalancedService
from txlb.health import Target
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService, TCPAddress

#: The most jobs that may wait at a healthy host.
MOST = 10


class Answer(Protocol):
    """
    A protocol that collects the bytes of a host until it closes.
    """

    def __init__(self) -> None:
        self.data = b""
        self.complete: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """
        Keep some bytes.
        """
        self.data += data[:100]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Return the answer.
        """
        self.complete.callback(self.data)


async def ask(target: Target) -> tuple[bool, str]:
    """
    Ask a host for the length of its queue.
    """
    if not isinstance(target.address, TCPAddress):
        return False, "it has no port"
    endpoint = TCP4ClientEndpoint(reactor, target.address.host, target.address.port)
    answer = await connectProtocol(endpoint, Answer())
    length = int(await answer.complete)
    return length <= MOST, f"{length} jobs wait"


def isWell(target: Target) -> Deferred[tuple[bool, str]]:
    """
    Check a host.
    """
    return Deferred.fromCoroutine(ask(target))


if __name__ == "__main__":
    hosts = [ProxyHost(f"host{port}", "127.0.0.1", int(port)) for port in sys.argv[1:]]
    group = ProxyGroup("workers", enabled=True, hosts=hosts)
    manager = proxyManagerFactory([ProxyService("jobs", [("127.0.0.1", 0)], [group])])
    manager.subscribe(lambda event: print(event, flush=True))
    balancer = LoadBalancedService(manager, reactor)
    balancer.startService()
    balancer.setCheck("jobs", "workers", isWell, interval=0.2)
    reactor.addSystemEventTrigger("before", "shutdown", balancer.stopService)
    reactor.run()

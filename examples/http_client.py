"""
An HTTP client that balances: each request goes to a host of a pool, and to the next one
where that can't be reached. There is no proxy.

    python http_client.py 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003

L{BalancedAgent} is an C{IAgent}, so that Twisted's C{ContentDecoderAgent} and C{CookieAgent},
or treq's C{HTTPClient}, take it where they take an C{Agent}.
"""

import sys
from collections.abc import Hashable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, gatherResults
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import react
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure as TwistedFailure
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    readBody,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from txlb.deadlines import Deadlines
from txlb.errors import NoHostAvailable
from txlb.model import Address, ProxyHost
from txlb.pool import (
    Attempt,
    DialLimits,
    Failure,
    FailureKind,
    GaveUp,
    HostPool,
    Lease,
    Outcome,
    Waiting,
)
from txlb.proxy import ConnectFailed, connectTo
from txlb.schedulers import leastc


@implementer(IStreamClientEndpoint)
class HostEndpoint:
    """
    Connects to the host of one attempt, by its deadline.

    @param creator: makes TLS connections; L{None} for plain HTTP.
    """

    def __init__(
        self,
        reactor: Any,
        deadlines: Deadlines,
        attempt: Attempt,
        creator: IOpenSSLClientConnectionCreator | None,
    ) -> None:
        self._reactor = reactor
        self._deadlines = deadlines
        self._attempt = attempt
        self._creator = creator

    @property
    def address(self) -> Address:
        """
        Where it connects to.
        """
        return self._attempt.address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}. It fails with L{ConnectFailed} where the
        host can't be reached, and with nothing else unless it is cancelled.
        """
        attempt = self._attempt
        if attempt.dial.pool.seconds() >= attempt.deadline:
            # A kept connection broke long after the request was written to it. That says
            # nothing about whether the host accepts, so it must not be marked for it.
            return fail(ConnectFailed(Failure(FailureKind.BUSY, "no time is left")))
        if self._creator is not None:
            protocolFactory = TLSMemoryBIOFactory(
                self._creator, True, protocolFactory, self._reactor
            )
        factory: Any = protocolFactory  # which asks nobody for the address
        protocol = factory.buildProtocol(None)
        connecting = connectTo(self._reactor, self._deadlines, attempt, protocol)
        if self._creator is not None:
            connecting.addCallback(lambda _: protocol.wrappedProtocol)
        return connecting


@implementer(IAgentEndpointFactory)
class HostEndpoints:
    """
    Says to an C{Agent} that whatever the URI names is reached at the host of one attempt.
    The URI's name is still what goes into the Host header and what certificates are
    checked for.
    """

    def __init__(
        self, reactor: Any, deadlines: Deadlines, attempt: Attempt, policy: IPolicyForHTTPS
    ) -> None:
        self._reactor = reactor
        self._deadlines = deadlines
        self._attempt = attempt
        self._policy = policy

    def endpointForURI(self, uri: URI) -> HostEndpoint:
        """
        See L{IAgentEndpointFactory.endpointForURI}.
        """
        secure = uri.scheme == b"https"
        creator = self._policy.creatorForNetloc(uri.host, uri.port) if secure else None
        return HostEndpoint(self._reactor, self._deadlines, self._attempt, creator)


class KeptConnections(HTTPConnectionPool):
    """
    Keeps idle connections for each host apart. Twisted's own would keep them by the name in
    the URI, which is the same for all hosts, and so hand out one to any of them.
    """

    def getConnection(self, key: Hashable, endpoint: Any) -> Deferred[Any]:
        """
        See L{HTTPConnectionPool.getConnection}.
        """
        return super().getConnection((key, endpoint.address), endpoint)


class Body(Protocol):
    """
    Passes a response's body on, counts it, and releases the lease at its end.
    """

    def __init__(self, receiver: IProtocol, lease: Lease) -> None:
        self._receiver = receiver
        self._lease = lease

    def makeConnection(self, transport: ITransport) -> None:
        """
        See L{IProtocol.makeConnection}.
        """
        super().makeConnection(transport)
        self._receiver.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IProtocol.dataReceived}.
        """
        self._lease.add(0, len(data))
        self._receiver.dataReceived(data)

    def connectionLost(self, reason: TwistedFailure = connectionDone) -> None:
        """
        The body is complete, or the rest of it is lost.
        """
        complete = reason.check(ResponseDone, PotentialDataLoss)
        self._lease.release(Outcome.DONE if complete else Outcome.HOST_RESET)
        self._receiver.connectionLost(reason)


class LeasedResponse(proxyForInterface(IResponse)):  # type: ignore[misc] # made at run time
    """
    A response whose host counts as busy until the body was read or lost.
    """

    def __init__(self, original: IResponse, lease: Lease) -> None:
        super().__init__(original)
        self._lease = lease
        if original.length == 0:
            # Nobody need ask for a body that isn't there.
            lease.release()

    def deliverBody(self, protocol: IProtocol) -> None:
        """
        See L{IResponse.deliverBody}.
        """
        if self._lease.outcome is None:
            protocol = Body(protocol, self._lease)
        self.original.deliverBody(protocol)


@implementer(IAgent)
class BalancedAgent:
    """
    Sends each request to a host of a pool. Where connecting to it fails, the next host is
    tried; nothing of the request has been written then. Once a host was reached, what
    happens is the caller's to judge.

    @param hosts: all of them serve whatever is asked for.
    @param limits: how long and how often to try.
    @param policy: how the certificates of hosts are checked, for C{https}.
    @param persistent: whether connections are kept for later requests, at most two idle
        ones for each host.
    """

    def __init__(
        self,
        reactor: Any,
        hosts: HostPool,
        limits: DialLimits | None = None,
        policy: IPolicyForHTTPS | None = None,
        *,
        persistent: bool = True,
    ) -> None:
        self.hosts = hosts
        self._connections = KeptConnections(reactor, persistent)
        self._reactor = reactor
        self._limits = limits
        self._policy = policy if policy is not None else BrowserLikePolicyForHTTPS()
        self._deadlines = Deadlines(reactor, hosts.seconds)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        See L{IAgent.request}.

        @return: fires with the response when its headers are here; its body has to be read,
            as that of any response, for the host counts as busy until then. It fails with
            L{NoHostAvailable} where no host could be reached, and as that of C{Agent}
            where one was.
        """
        return Deferred.fromCoroutine(self._request(method, uri, headers, bodyProducer))

    async def close(self) -> None:
        """
        Close the connections that are kept. Nothing may be under way any more.
        """
        await self._connections.closeCachedConnections()
        self._deadlines.stop()

    async def _request(self, method: bytes, uri: bytes, *more: Any) -> IResponse:
        # A policy with affinity keeps a page on the host that has it in its cache.
        step = self.hosts.dial(uri.decode("ascii"), self._limits).start()
        while not isinstance(step, GaveUp):
            if isinstance(step, Waiting):
                step = await turnOf(step)
                continue
            try:
                response = await self._agentFor(step).request(method, uri, *more)
            except ConnectFailed as error:
                step = step.failed(error.failure)
            except (RequestTransmissionFailed, ResponseFailed) as error:
                cancelled = any(reason.check(CancelledError) for reason in error.reasons)
                step.connected().release(Outcome.CLIENT_GONE if cancelled else Outcome.HOST_RESET)
                raise
            except BaseException:
                step.cancel()
                raise
            else:
                # For a policy that goes by latency, the time to the headers is what counts.
                return LeasedResponse(response, step.connected())
        raise NoHostAvailable(f"{uri.decode()}: {step.reason.value}, the last: {step.failure}")

    def _agentFor(self, attempt: Attempt) -> Agent:
        endpoints = HostEndpoints(self._reactor, self._deadlines, attempt, self._policy)
        agent: Agent = Agent.usingEndpointFactory(self._reactor, endpoints, self._connections)
        return agent


def turnOf(waiting: Waiting) -> Deferred[Attempt | GaveUp]:
    """
    Wait until a host has room.
    """
    turn: Deferred[Attempt | GaveUp] = Deferred(lambda _: waiting.dial.cancel())
    waiting.whenWoken(turn.callback)
    return turn


async def get(agent: IAgent, uri: bytes) -> str:
    """
    Get a page.
    """
    response = await agent.request(b"GET", uri)
    page: bytes = await readBody(response)
    return page.decode()


async def main(reactor: Any, *addresses: str) -> None:
    """
    Get ten pages at a time from the hosts, twice.
    """
    hosts = HostPool(leastc, [ProxyHost.at(address, address) for address in addresses])
    agent = BalancedAgent(reactor, hosts, DialLimits(connectTimeout=1.0, retries=5))
    for _ in range(2):
        requests = [Deferred.fromCoroutine(get(agent, b"http://hello/")) for _ in range(10)]
        for page in await gatherResults(requests, consumeErrors=True):
            print(page.strip())
    await agent.close()
    for host in hosts.hosts:
        counted = host.counters
        print(
            f"{host.name}: {host.stateWord}, {counted.connections} requests, "
            f"{counted.failures} failures, {host.active} open {host.reason}"
        )


if __name__ == "__main__":
    react(main, sys.argv[1:])

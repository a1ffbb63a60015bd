"""
An HTTP client that balances: each request goes to a host of a pool, and to the next one
if the host can't be reached. There is no proxy.

    python http_client.py 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003

L{BalancedAgent} is an C{IAgent}, so it replaces an C{Agent} in Twisted's
C{ContentDecoderAgent} and C{CookieAgent}, and in treq's C{HTTPClient}.
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
    An endpoint that connects to the host of one attempt, by its deadline.

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
        The address to connect to.
        """
        return self._attempt.address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the host. The Deferred fails with L{ConnectFailed} if the host can't
        be reached, and with no other error unless it is cancelled.
        """
        attempt = self._attempt
        if attempt.dial.pool.seconds() >= attempt.deadline:
            # A kept connection broke long after the request was written to it. That
            # does not show whether the host accepts, so the host must not be marked
            # down.
            return fail(ConnectFailed(Failure(FailureKind.BUSY, "no time is left")))
        if self._creator is not None:
            protocolFactory = TLSMemoryBIOFactory(
                self._creator, True, protocolFactory, self._reactor
            )
        factory: Any = protocolFactory  # which ignores the address
        protocol = factory.buildProtocol(None)
        connecting = connectTo(self._reactor, self._deadlines, attempt, protocol)
        if self._creator is not None:
            connecting.addCallback(lambda _: protocol.wrappedProtocol)
        return connecting


@implementer(IAgentEndpointFactory)
class HostEndpoints:
    """
    A factory that tells an C{Agent} to connect to the host of one attempt for every
    URI. The name in the URI goes into the Host header, and certificates are checked for
    it.
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
        Make an endpoint for the attempt's host, with TLS if the URI asks for it.
        """
        secure = uri.scheme == b"https"
        creator = self._policy.creatorForNetloc(uri.host, uri.port) if secure else None
        return HostEndpoint(self._reactor, self._deadlines, self._attempt, creator)


class KeptConnections(HTTPConnectionPool):
    """
    A pool of idle connections with a key for each host. Twisted's own pool keeps them
    by the name in the URI, which is the same for all hosts, so it would return a
    connection to any of them.
    """

    def getConnection(self, key: Hashable, endpoint: Any) -> Deferred[Any]:
        """
        Return a kept connection to the endpoint's host, or make one.
        """
        return super().getConnection((key, endpoint.address), endpoint)


class Body(Protocol):
    """
    A protocol that passes a response's body on, counts it, and releases the lease at
    its end.
    """

    def __init__(self, receiver: IProtocol, lease: Lease) -> None:
        self._receiver = receiver
        self._lease = lease

    def makeConnection(self, transport: ITransport) -> None:
        """
        Connect the receiver as well.
        """
        super().makeConnection(transport)
        self._receiver.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Count the bytes and pass them on.
        """
        self._lease.add(0, len(data))
        self._receiver.dataReceived(data)

    def connectionLost(self, reason: TwistedFailure = connectionDone) -> None:
        """
        Release the lease: the body is complete, or the rest of it is lost.
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
            # The caller need not ask for an empty body.
            lease.release()

    def deliverBody(self, protocol: IProtocol) -> None:
        """
        Deliver the body, and release the lease at its end.
        """
        if self._lease.outcome is None:
            protocol = Body(protocol, self._lease)
        self.original.deliverBody(protocol)


@implementer(IAgent)
class BalancedAgent:
    """
    An agent that sends each request to a host of a pool. If connecting to the host
    fails, it tries the next one; no byte of the request has been written then. After
    the host was reached, errors go to the caller.

    @param hosts: the hosts; all of them serve every request.
    @param limits: how long and how often to try.
    @param policy: the check of the hosts' certificates, for C{https}.
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
        Send a request to a host of the pool.

        @return: fires with the response when its headers have arrived. The caller has
            to read its body, because the host counts as busy until then. It fails with
            L{NoHostAvailable} if no host could be reached, and with the errors of
            C{Agent} if a host was reached.
        """
        return Deferred.fromCoroutine(self._request(method, uri, headers, bodyProducer))

    async def close(self) -> None:
        """
        Close the connections that are kept. No request may be under way.
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
                # Policies by latency use the time to the headers.
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

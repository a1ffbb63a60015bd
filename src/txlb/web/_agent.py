"""
The agent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from txlb._reactor import pickedReactor
from txlb.connecting import ConnectFailed
from txlb.endpoints import PoolUpkeep, attemptFrom
from txlb.errors import NoHostAvailable
from txlb.pool import Attempt, DialLimits, HostPool, Outcome
from txlb.web._attemptendpoints import AttemptEndpoints
from txlb.web._keptconnections import KeptConnections
from txlb.web._leasedresponse import LeasedResponse

#: Methods whose requests may be sent again if the connection broke: RFC 9110, section
#: 9.2.2. A server may have processed the first one.
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})


@implementer(IAgent)
class BalancedAgent:
    """
    An C{IAgent} that sends each request to a host of a pool. It replaces an C{Agent} in
    C{ContentDecoderAgent} and C{CookieAgent}, and in treq's C{HTTPClient}::

        pool = HostPool("leastc", [ProxyHost.at("a", "10.0.0.1:80"), ...])
        response = await BalancedAgent(pool).request(b"GET", b"http://api.example/")

    The name in the URI goes into the Host header, and for C{https} the certificate has to
    be for that name. The pool chooses the address. The host counts as busy until the body
    of the response was read, so read every body.

    If the host can't be reached, the next one is tried. If the connection breaks before
    an answer, a request is sent to the next host if it may be repeated: its method is
    idempotent and it has no body. nginx does the same (C{proxy_next_upstream error}). All
    hosts together have C{dialTimeout} from the beginning of the request to the last
    attempt. If the host has to be left (it is removed by force, or its time to drain is
    over), a body that is being read ends with an error.

    @param pool: the hosts; all of them serve every request.
    @param reactor: L{None} for the global one.
    @param limits: how long and how often to try; by default those of L{DialLimits}.
    @param policy: the check of the hosts' certificates, for C{https}; by default the same
        as for C{Agent}.
    @param persistent: whether connections are kept for later requests, at most two idle
        ones for each host.
    @param repeat: whether a request that may be repeated is sent to the next host if the
        connection to the first one broke.
    @param failing: statuses that count against a host, such as C{range(500, 600)}. The
        host is marked down after C{answerFall} such responses in a row. The pool has to
        have C{expectAnswer=True}, which also limits how many hosts are out at once.
    @raise ValueError: C{failing} is given, and the pool has no C{expectAnswer}.
    """

    def __init__(
        self,
        pool: HostPool,
        reactor: Any = None,
        limits: DialLimits | None = None,
        policy: IPolicyForHTTPS | None = None,
        *,
        persistent: bool = True,
        repeat: bool = True,
        failing: Collection[int] = (),
    ) -> None:
        if failing and not pool.settings.expectAnswer:
            raise ValueError("failing statuses put hosts out only in a pool with expectAnswer=True")
        self.pool = pool
        self._reactor = pickedReactor(reactor)
        self._connections = KeptConnections(self._reactor, persistent)
        self._limits = limits
        self._policy = policy if policy is not None else BrowserLikePolicyForHTTPS()
        self._repeat = repeat
        self._failing = failing

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        Send a request to a host of the pool.

        @return: fires with the response when its headers have arrived; its C{host} is the
            name of the host. The caller has to read its body, because the host counts as
            busy until then. It fails with L{NoHostAvailable} if no host could be reached,
            and with the errors of C{Agent} if a host was reached. Cancelling it closes the
            connection.
        """
        repeat = self._repeat and method in IDEMPOTENT and bodyProducer is None
        return Deferred.fromCoroutine(self._request(repeat, method, uri, headers, bodyProducer))

    async def close(self) -> None:
        """
        Close the idle connections. The agent may be used again.
        """
        await self._connections.closeCachedConnections()

    async def _request(self, repeat: bool, method: bytes, uri: bytes, *more: Any) -> IResponse:
        upkeep = self._upkeep()
        # The error of a host that was reached, which says more than those of others that
        # could not be.
        broken: Exception | None = None
        try:
            # A policy with affinity keeps a page on the host that has it in its cache.
            dial = self.pool.dial(uri.decode("ascii"), self._limits)
            attempt = await attemptFrom(dial.start())
            while True:
                try:
                    response = await self._agentFor(upkeep, attempt).request(method, uri, *more)
                except ConnectFailed as error:
                    attempt = await attemptFrom(attempt.failed(error.failure))
                except (RequestTransmissionFailed, ResponseFailed) as error:
                    cancelled = any(reason.check(CancelledError) for reason in error.reasons)
                    lease = attempt.connected()
                    lease.hostFirst = not cancelled
                    lease.release(Outcome.CLIENT_GONE if cancelled else Outcome.HOST_RESET)
                    if cancelled or not (repeat and isinstance(error, UNANSWERED)):
                        raise
                    broken = error
                    attempt = await attemptFrom(dial.again())
                except BaseException:
                    attempt.cancel()
                    raise
                else:
                    return self._responseOf(attempt, response)
        except NoHostAvailable as error:
            raise broken or error from None
        finally:
            upkeep.release()

    def _responseOf(self, attempt: Attempt, response: IResponse) -> IResponse:
        bad = response.code in self._failing
        # Policies by latency use the time to the headers.
        lease = attempt.connected()
        ending = Outcome.BAD_ANSWER if bad else Outcome.DONE
        return LeasedResponse(response, lease, ending, self._upkeep)

    def _upkeep(self) -> PoolUpkeep:
        return PoolUpkeep.of(self.pool, self._reactor)

    def _agentFor(self, upkeep: PoolUpkeep, attempt: Attempt) -> Agent:
        endpoints = AttemptEndpoints(self._reactor, upkeep.deadlines, attempt, self._policy)
        agent: Agent = Agent.usingEndpointFactory(self._reactor, endpoints, self._connections)
        return agent


#: The errors of requests that got no byte of an answer.
UNANSWERED = (RequestTransmissionFailed, ResponseNeverReceived)

"""
Endpoints of HTTP clients that leave no lines in the log.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer


@implementer(IStreamClientEndpoint)
class QuietEndpoint:
    """
    An endpoint whose factories don't tell in the log of each connection. While a registry is away
    there are some in each second.

    @param endpoint: makes the connections.
    """

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        See C{IStreamClientEndpoint}.
        """
        protocolFactory.noisy = False
        connecting: Deferred[Any] = self._endpoint.connect(protocolFactory)
        return connecting


@implementer(IAgentEndpointFactory)
class QuietEndpoints:
    """
    A factory that gives an C{Agent} the endpoints that it would make itself, made quiet.

    @param reactor: makes the connections.
    @param timeout: seconds until a connection is there.
    @ivar policy: verifies servers, for C{https}. Another one counts for the connections to come.
    """

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS, timeout: float) -> None:
        self._reactor = reactor
        self.policy = policy
        self._timeout = timeout

    def endpointForURI(self, uri: URI) -> QuietEndpoint:
        """
        Make an endpoint for the host of a URI, with TLS if the URI asks for it.
        """
        endpoint: Any = HostnameEndpoint(self._reactor, uri.host, uri.port, self._timeout)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self.policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return QuietEndpoint(endpoint)

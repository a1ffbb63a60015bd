"""
The factory of endpoints that an C{Agent} asks for one attempt.
"""

from __future__ import annotations

from typing import Any

from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from txlb.deadlines import Deadlines
from txlb.pool import Attempt
from txlb.web._attemptendpoint import AttemptEndpoint


@implementer(IAgentEndpointFactory)
class AttemptEndpoints:
    """
    A factory that tells an C{Agent} to connect to the host of one attempt for every
    URI. The name in the URI goes into the Host header, and certificates are verified for
    that name.
    """

    def __init__(
        self, reactor: Any, deadlines: Deadlines, attempt: Attempt, policy: IPolicyForHTTPS
    ) -> None:
        self._reactor = reactor
        self._deadlines = deadlines
        self._attempt = attempt
        self._policy = policy

    def endpointForURI(self, uri: URI) -> AttemptEndpoint:
        """
        Make an endpoint for the attempt's host, with TLS if the URI asks for it.
        """
        secure = uri.scheme == b"https"
        creator = self._policy.creatorForNetloc(uri.host, uri.port) if secure else None
        return AttemptEndpoint(self._reactor, self._deadlines, self._attempt, creator)

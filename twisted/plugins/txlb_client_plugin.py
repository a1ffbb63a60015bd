"""
Makes client endpoints such as C{txlb:leastc:a.example\\:80:b.example\\:80} known to Twisted.
"""

from typing import Any

from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class _PoolParser:
    """
    The parser of C{txlb:}. Every program that connects to an endpoint makes one.
    """

    prefix = "txlb"

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> IStreamClientEndpoint:
        """
        Make the endpoint. See L{txlb.endpoints.endpointFromWords}.
        """
        from txlb.endpoints import endpointFromWords  # noqa: PLC0415 - only if it is this endpoint

        endpoint: IStreamClientEndpoint = endpointFromWords(reactor, *args, **kwargs)
        return endpoint


clientEndpoint = _PoolParser()

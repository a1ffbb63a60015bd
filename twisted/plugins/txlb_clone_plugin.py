"""
Makes endpoints such as C{clone:4:tcp\\:8080} known to Twisted.
"""

from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint, IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamServerEndpointStringParser)
class _CloneParser:
    """
    The parser of C{clone:}. Every program that listens on an endpoint makes one.
    """

    prefix = "clone"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> IStreamServerEndpoint:
        """
        Make the endpoint. See L{txlb.cloning.CloneEndpoint.fromWords}.
        """
        from txlb.cloning import CloneEndpoint  # noqa: PLC0415 - only if it is this endpoint

        endpoint: IStreamServerEndpoint = CloneEndpoint.fromWords(reactor, *args, **kwargs)
        return endpoint


cloneEndpoint = _CloneParser()

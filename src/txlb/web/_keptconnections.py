"""
The idle connections of an agent.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.client import HTTPConnectionPool


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

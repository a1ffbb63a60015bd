"""
The place where the connections of a listener with prefaces come in.
"""

from __future__ import annotations

from txlb.connecting import packedClient
from txlb.interfaces import IPreface
from txlb.model import Listener
from txlb.pool import Networks
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._destination import Destination
from txlb.wire import ConnectionPreface, HeaderRule, Reject

_HERE = Destination()


class Entrance:
    """
    The entrance of one listener: it decides how the preface of a connection is read, and
    where the connection goes then.

    @param configured: the listener.
    """

    def __init__(self, configured: Listener) -> None:
        words = frozenset(configured.proxyProtocol)
        self._timeout = configured.prefaceTimeout
        self._reads = bool(words)
        self._versions = frozenset(number for number in (1, 2) if f"v{number}" in words)
        self._rule = HeaderRule.OPTIONAL if "optional" in words else HeaderRule.REQUIRED
        trusted = configured.trusted
        self._trusted = Networks(trusted, ()) if trusted else None

    def preface(self, client: ClientConnection) -> IPreface:
        """
        Make the reader of the preface of a connection.
        """
        rule = None
        versions = self._versions
        if self._reads:
            rule = self._rule
            if self._trusted is not None and not self._trusted.allows(packedClient(client.peer)):
                # A header of any version is refused.
                rule, versions = HeaderRule.REFUSED, frozenset((1, 2))
        return ConnectionPreface(self._timeout, rule, versions)

    def route(self, client: ClientConnection) -> Destination | Reject:
        """
        Decide where a connection goes once its preface is read.
        """
        return _HERE

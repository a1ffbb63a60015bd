"""
The place where connections with a preface come in.
"""

from __future__ import annotations

from collections.abc import Mapping

from txlb.connecting import packedClient
from txlb.interfaces import IPreface
from txlb.model import Listener, Routes
from txlb.pool import Networks
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._destination import Destination
from txlb.wire import Alert, ConnectionPreface, Done, HeaderRule, Reject, wholeClientHello

#: The reason for closing a client that no service wants.
NO_TLS = "it speaks no TLS, and no service here takes it"


class Entrance:
    """
    The entrance at one address, for the listeners of all services that share it: it decides
    how the preface of a connection is read, and which service gets the connection then.

    @param listeners: the listeners, by the names of their services; at least one.
    """

    def __init__(self, listeners: Mapping[str, Listener]) -> None:
        self._listeners = listeners
        # The settings of the socket are the same for all.
        configured = next(iter(listeners.values()))
        words = frozenset(configured.proxyProtocol)
        self.timeout = configured.prefaceTimeout
        self._versions = frozenset(number for number in (1, 2) if f"v{number}" in words)
        self._rule = HeaderRule.OPTIONAL if "optional" in words else HeaderRule.REQUIRED
        trusted = configured.trusted
        self._trusted = Networks(trusted, ()) if trusted else None
        self.isShared = len(listeners) > 1
        self._wantsHello = self.isShared or configured.readsHello
        self._routes = Routes(tuple(listeners.items()))
        self._destinations = {name: Destination(name) for name in listeners}

    def isProxy(self, client: ClientConnection) -> bool:
        """
        Tell whether a connection comes from a proxy that is trusted to tell its client.
        """
        trusted = self._trusted
        return bool(self._versions) and (
            trusted is None or trusted.allows(packedClient(client.peer))
        )

    def glance(self, data: bytes) -> Done | None:
        """
        Look at the first bytes of a connection.

        @return: the verdict, if they are the whole preface: a ClientHello, as most clients send it,
            where no PROXY header may come; else L{None}.
        """
        if self._versions or not self._wantsHello:
            return None
        hello = wholeClientHello(data)
        if hello is None:
            return None
        return Done(None, hello.serverName, data, hello.alpn, None, hello)

    def preface(self, client: ClientConnection) -> IPreface:
        """
        Make the reader of the preface of a connection.
        """
        rule = None
        versions = self._versions
        if versions:
            rule = self._rule
            if not self.isProxy(client):
                # A header of any version is refused.
                rule, versions = HeaderRule.REFUSED, frozenset((1, 2))
        return ConnectionPreface(
            self.timeout,
            rule,
            versions,
            wantsHello=self._wantsHello,
            plain=self._routes.plain is not None,
        )

    def route(self, client: ClientConnection) -> Destination | Reject:
        """
        Decide where a connection goes once its preface is read. Its listener is the one of
        that service from then on.
        """
        name = self._serviceOf(client)
        if isinstance(name, Reject):
            return name
        client.listener = self._listeners[name]
        return self._destinations[name]

    def _serviceOf(self, client: ClientConnection) -> str | Reject:
        found = client.found
        if not self._wantsHello or found is None:
            return next(iter(self._listeners))
        if found.hello is None and found.serverName is None:
            return self._routes.plain or Reject(NO_TLS)
        name = self._routes.find(found.serverName, found.alpn)
        if name is not None:
            return name
        asked = found.serverName or "no server name"
        offered = f" and offers {', '.join(found.alpn[:5])}" if found.alpn else ""
        reason = f"it asks for {asked}{offered}, and no service here has that"
        return Reject(reason, b"" if found.hello is None else Alert.UNRECOGNIZED_NAME.record)

"""
TLS of the console.
"""

from __future__ import annotations

import contextlib
from typing import Any
from weakref import WeakSet

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from txlb.model import ListenTLS
from txlb.tls import TLSStore


class ConsoleTLSFactory(TLSMemoryBIOFactory):
    """
    Puts TLS around the connections of the console, also if the console takes no more of them.
    Twisted's own factory does not expect that.
    """

    def buildProtocol(self, addr: Any) -> Any:
        """
        Take a client.

        @return: L{None} if the console does not take it.
        """
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)


@implementer(IOpenSSLServerConnectionCreator)
class ConsoleTLS:
    """
    Makes the TLS connections of the console, each with the certificates that are in use then.
    They are in the store of the balancer, which reads their files again if they change.

    @param store: has the contexts.
    @param settings: those of the console.
    """

    def __init__(self, store: TLSStore, settings: ListenTLS) -> None:
        self._store = store
        self._settings = settings
        # A context can't be changed any more when it has made a connection.
        self._known: WeakSet[SSL.Context] = WeakSet()

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        Make the connection of a client.
        """
        default = self._store.serverContexts(self._settings).choose(None)
        assert default is not None  # noqa: S101 - there is one for clients without a name
        context = default.context
        if context not in self._known:
            self._known.add(context)
            # A listener of a service with the very same settings has used it already. Then
            # clients get the default.
            with contextlib.suppress(ValueError):
                context.set_tlsext_servername_callback(self._choose)
        connection = SSL.Connection(context, None)
        connection.set_app_data(tlsProtocol)
        return connection

    def _choose(self, connection: SSL.Connection) -> None:
        """
        Take the context for the name that a client asks for.
        """
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        found = self._store.serverContexts(self._settings).choose(name or None)
        if found is None:
            connection.get_app_data().abortConnection()
        elif found.context is not connection.get_context():
            connection.set_context(found.context)

"""
TLS of the console.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from txlb.model import ListenTLS
from txlb.tls import TLSStore


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

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        Make the connection of a client.
        """
        contexts = self._store.serverContexts(self._settings)
        default = contexts.choose(None)
        assert default is not None  # noqa: S101 - there is one for clients without a name
        context = default.context

        def choose(connection: SSL.Connection) -> None:
            name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
            found = contexts.choose(name or None)
            if found is None:
                tlsProtocol.abortConnection()
            elif found is not default:
                connection.set_context(found.context)

        context.set_tlsext_servername_callback(choose)
        return SSL.Connection(context, None)

"""
Tests for L{txlb.clients._quietendpoints}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txlb.clients import TLSPolicy
from txlb.clients._quietendpoints import QuietEndpoints


class QuietEndpointsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.endpoints = QuietEndpoints(self.reactor, TLSPolicy(), 2.0)

    def test_interfaces(self) -> None:
        verifyObject(IAgentEndpointFactory, self.endpoints)
        made = self.endpoints.endpointForURI(URI.fromBytes(b"http://127.0.0.1:2379"))
        verifyObject(IStreamClientEndpoint, made)

    def test_connects(self) -> None:
        """
        It connects to the host of the URI, within the time, and its factory says nothing.
        """
        for scheme, secure in ((b"http", False), (b"https", True)):
            with self.subTest(scheme):
                factory: Any = Factory.forProtocol(Protocol)
                uri = URI.fromBytes(scheme + b"://127.0.0.1:2379/x")
                connecting = self.endpoints.endpointForURI(uri).connect(factory)
                self.assertFalse(factory.noisy)
                host, port, client, timeout, _ = self.reactor.tcpClients[-1]
                self.assertEqual((host, port, timeout), ("127.0.0.1", 2379, 2.0))
                protocol: Any = client.buildProtocol(None)
                self.assertEqual("TLS" in type(protocol._wrappedProtocol).__name__, secure)
                connecting.cancel()
                self.failureResultOf(connecting)

    def test_otherPolicy(self) -> None:
        """
        Another policy counts for the connections to come.
        """
        asked: list[bytes] = []

        @implementer(IPolicyForHTTPS)
        class Policy:
            def creatorForNetloc(self, host: bytes, port: int) -> Any:
                asked.append(host)
                return TLSPolicy().creatorForNetloc(host, port)

        uri = URI.fromBytes(b"https://127.0.0.1:2379")
        self.endpoints.endpointForURI(uri)
        self.endpoints.policy = Policy()
        self.endpoints.endpointForURI(uri)
        self.assertEqual(asked, [b"127.0.0.1"])

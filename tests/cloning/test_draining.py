"""
Tests for L{txlb.cloning._draining}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from txlb.cloning._draining import drainProtocol
from txlb.interfaces import IDrainable


class Wrapper:
    """
    A protocol around another one, as TLS is.
    """

    def __init__(self, inner: Any) -> None:
        self.wrappedProtocol = inner


@implementer(IDrainable)
class Willing:
    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.error = error

    def drain(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


class Page(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"page"


class DrainingTests(SynchronousTestCase):
    def test_asked(self) -> None:
        inner = Willing()
        drainProtocol(Wrapper(Wrapper(inner)))
        self.assertEqual(inner.asked, 1)

    def test_raises(self) -> None:
        drainProtocol(Willing(ValueError("no")))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_other(self) -> None:
        """
        A protocol that knows nothing of it is left alone, and a circle ends.
        """
        drainProtocol(object())
        circle = Wrapper(None)
        circle.wrappedProtocol = circle
        drainProtocol(circle)
        self.assertIs(circle.wrappedProtocol, circle)

    def test_web(self) -> None:
        """
        A server of twisted.web answers the next request, and closes the connection after
        it in the way of HTTP/1.1.
        """
        channel: Any = Site(Page()).buildProtocol(None)
        transport: Any = StringTransport()
        transport.setTcpNoDelay = lambda _: None
        channel.makeConnection(transport)
        channel.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertNotIn(b"close", transport.value().lower())
        self.assertFalse(transport.disconnecting)
        transport.clear()
        drainProtocol(channel)
        channel.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"connection: close", transport.value().lower())
        self.assertTrue(transport.value().endswith(b"page"))
        self.assertTrue(transport.disconnecting)

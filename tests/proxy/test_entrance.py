"""
Tests for L{txlb.proxy.Entrance}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.model import Listener
from txlb.proxy import ClientConnection, Destination, Entrance
from txlb.wire import Done, NeedMore, Reject, encodeProxyV1, encodeProxyV2

HEADER = encodeProxyV1(("203.0.113.1", 1), ("203.0.113.2", 2))
BINARY = encodeProxyV2(("203.0.113.1", 1), ("203.0.113.2", 2))


class EntranceTests(SynchronousTestCase):
    def feed(
        self, peer: object, data: bytes, address: Any = "127.0.0.1:80", **options: Any
    ) -> object:
        """
        @return: the verdict about these bytes of a client.
        """
        listener = Listener(address, **{"proxyProtocol": "v1 v2", **options})
        client = ClientConnection(-1, peer, listener)
        return Entrance({"web": listener}).preface(client).feed(data)

    def test_trusted(self) -> None:
        """
        The header of a trusted source is believed, which has to send one; in all families.
        """
        for trusted, peer in (
            ("192.0.2.0/24", ("192.0.2.9", 5)),
            ("192.0.2.0/24", ("::ffff:192.0.2.9", 5, 0, 0)),
            ("2001:db8::/32 192.0.2.1", ("2001:db8::7", 5, 0, 0)),
            ("all", ("198.51.100.1", 5)),
            ("unix", ""),
        ):
            found = self.feed(peer, HEADER + b"rest", trusted=trusted)
            assert isinstance(found, Done)
            self.assertEqual((found.clientAddr, found.leftover), (("203.0.113.1", 1), b"rest"))
            self.assertIsInstance(self.feed(peer, b"GET", trusted=trusted), Reject)

    def test_notTrusted(self) -> None:
        """
        Any other source may not send one, of any version.
        """
        for peer in (("192.0.3.1", 5), ("::1", 5, 0, 0), "", b""):
            for header in (HEADER, BINARY):
                found = self.feed(peer, header, trusted="192.0.2.0/24", proxyProtocol="v1")
                self.assertEqual(found, Reject("it sends a PROXY header and is not trusted"))
            self.assertEqual(self.feed(peer, b"GET", trusted="192.0.2.0/24"), Done(leftover=b"GET"))

    def test_UNIX(self) -> None:
        """
        All clients of a UNIX socket are trusted, unless it says which are.
        """
        self.assertIsInstance(self.feed("", b"GET", "unix:/a"), Reject)
        self.assertIsInstance(self.feed("", b"GET", "unix:/a", trusted="unix"), Reject)
        self.assertIsInstance(self.feed("", b"GET", "unix:/a", trusted="192.0.2.1"), Done)

    def test_versions(self) -> None:
        """
        Only the versions that are configured may come.
        """
        peer = ("192.0.2.1", 5)
        for version, good, bad in (("v1", HEADER, BINARY), ("v2", BINARY, HEADER)):
            options = {"proxyProtocol": version, "trusted": "all"}
            self.assertIsInstance(self.feed(peer, good, **options), Done)
            self.assertIsInstance(self.feed(peer, bad, **options), Reject)

    def test_optional(self) -> None:
        """
        It may be missing if the listener says so.
        """
        peer = ("192.0.2.1", 5)
        options = {"proxyProtocol": "v1 optional", "trusted": "all"}
        self.assertIsInstance(self.feed(peer, HEADER, **options), Done)
        self.assertEqual(self.feed(peer, b"GET", **options), Done(leftover=b"GET"))
        self.assertEqual(self.feed(peer, b"PRO", **options), NeedMore())

    def test_timeout(self) -> None:
        """
        A client has the time of the listener.
        """
        listener = Listener(":80", proxyProtocol="v1", trusted="all", prefaceTimeout=7)
        client = ClientConnection(-1, "", listener)
        self.assertEqual(Entrance({"web": listener}).preface(client).timeout, 7.0)

    def test_route(self) -> None:
        """
        The connection goes to the service of the listener.
        """
        listener = Listener(":80", proxyProtocol="v1", trusted="all")
        client = ClientConnection(-1, "", listener)
        self.assertEqual(Entrance({"web": listener}).route(client), Destination("web"))

"""
Tests for L{txlb.proxy._headers}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.wire.hellos import hello
from txlb.errors import ModelError
from txlb.model import Listener, ProxyGroup
from txlb.proxy import ClientConnection
from txlb.proxy._headers import headerFor
from txlb.wire import (
    ClientHello,
    Done,
    ProxyHeader,
    ProxyHeaderReader,
    TLSFacts,
    TLVKind,
    encodeProxyV1,
    encodeProxyV2,
)

SOURCE, DESTINATION = ("203.0.113.1", 1), ("203.0.113.2", 2)
FACTS = TLSFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", verifyResult=0, protocol="h2")
TLVS = (
    (TLVKind.CRC32C, b"\0\0\0\0"),
    (TLVKind.AUTHORITY, b"old.example"),
    (TLVKind.ALPN, b"http/1.1"),
    (TLVKind.NOOP, b"\0"),
    (TLVKind.UNIQUE_ID, b"id-1"),
    (TLVKind.NETNS, b"blue"),
    (0xEA, b"vpce"),
)


class HeaderTests(SynchronousTestCase):
    def header(self, found: Done | None, **settings: Any) -> ProxyHeader:
        """
        @return: the header for a host, as a host reads it.
        """
        client = ClientConnection(-1, ("192.0.2.9", 9), Listener(":80"))
        client.found = found
        group = ProxyGroup("g", enabled=True, **{"sendProxy": "v2", **settings})
        header = ProxyHeaderReader().feed(headerFor(client, group))
        assert header is not None
        return header

    def came(self, **more: Any) -> Done:
        """
        @return: the preface of a client that came with a header.
        """
        header = ProxyHeader(2, SOURCE, DESTINATION, TLVS)
        return Done(SOURCE, header.authority, b"", (), header, **more)

    def test_addresses(self) -> None:
        """
        The addresses are those of the client's own header; of each family, and of UNIX
        sockets.
        """
        for version in ("v1", "v2"):
            for ends in ((SOURCE, DESTINATION), (("2001:db8::1", 1), ("2001:db8::2", 2))):
                found = Done(ends[0], header=ProxyHeader(1, *ends))
                told = self.header(found, sendProxy=version)
                self.assertEqual((told.source, told.destination, told.tlvs), (*ends, ()))
        paths = ProxyHeader(2, b"/a", b"/b")
        told = self.header(Done(paths.clientAddr, header=paths))
        self.assertEqual((told.source, told.destination), (b"/a", b"/b"))

    def test_encoded(self) -> None:
        """
        Without TLVs the headers are those of the codec.
        """
        client = ClientConnection(-1, ("192.0.2.9", 9), Listener(":80"))
        client.found = self.came()
        for version, encode in (("v1", encodeProxyV1), ("v2", encodeProxyV2)):
            group = ProxyGroup("g", sendProxy=version)
            self.assertEqual(headerFor(client, group), encode(SOURCE, DESTINATION))
        self.assertEqual(headerFor(client, ProxyGroup("g")), b"")

    def test_passed(self) -> None:
        """
        The TLVs that came are passed on if asked, but for those whose meaning ends here.
        """
        self.assertEqual(self.header(self.came()).tlvs, ())
        passed = self.header(self.came(), passTLVs=True).tlvs
        self.assertEqual(passed, (TLVS[1], TLVS[2], TLVS[4], TLVS[6]))

    def test_TLS(self) -> None:
        """
        What is known of TLS is told in TLVs, and goes before what the client's header says.
        """
        found = replace(self.came(tls=FACTS), serverName="new.example")
        for passTLVs, more in ((False, ()), (True, (TLVS[6],))):
            told = self.header(found, sendProxy="v2-ssl", passTLVs=passTLVs)
            self.assertEqual((told.authority, told.alpn), ("new.example", "h2"))
            self.assertEqual(told.tls, replace(FACTS, protocol=""))
            self.assertEqual(told.tlv(TLVKind.UNIQUE_ID), b"id-1")
            self.assertEqual(told.tlvs[4:], more)

    def test_passedThrough(self) -> None:
        """
        Of a session that is passed through only the name is known: the client offers protocols,
        of which the host chooses one.
        """
        greeting = ClientHello("a.example", ("h2",))
        found = Done(None, "a.example", hello(), ("h2",), hello=greeting)
        client = ClientConnection(-1, ("192.0.2.9", 9), Listener(":80"))
        client.found = replace(found, header=ProxyHeader(1, SOURCE, DESTINATION))
        group = ProxyGroup("g", sendProxy="v2-ssl")
        first, second = (ProxyHeaderReader().feed(headerFor(client, group)) for _ in range(2))
        assert first is not None and second is not None
        self.assertEqual((first.authority, first.alpn, first.tls), ("a.example", None, None))
        one, other = first.tlv(TLVKind.UNIQUE_ID), second.tlv(TLVKind.UNIQUE_ID)
        assert one is not None
        # Each connection has an identifier of its own.
        self.assertRegex(one, rb"[0-9a-f]{32}\Z")
        self.assertNotEqual(one, other)

    def test_needed(self) -> None:
        """
        Only version 2 has TLVs.
        """
        for version in (None, "v1"):
            error = self.assertRaises(ModelError, ProxyGroup, "g", sendProxy=version, passTLVs=True)
            self.assertIn('needs sendProxy="v2" or "v2-ssl"', str(error))

"""
Tests for L{txlb.wire.ConnectionPreface}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.wire.headers import vectors
from tests.wire.hellos import hello
from txlb.interfaces import IPreface
from txlb.wire import (
    MAX_CLIENT_HELLO,
    MAX_PROXY_HEADER,
    ClientHello,
    ConnectionPreface,
    Done,
    HeaderRule,
    NeedMore,
    Reject,
    TLSFacts,
    encodeProxyV1,
)
from txlb.wire._proxy import SIGNATURE
from txlb.wire._tlvs import tlv

CLIENT, SERVER = ("192.0.2.1", 4711), ("192.0.2.2", 443)
HEADER = encodeProxyV1(CLIENT, SERVER)
FACTS = TLSFacts("TLSv1.3", verifyResult=0)


def withTLVs() -> bytes:
    """
    A header of a proxy that has ended TLS.
    """
    rest = bytes(8) + b"\0\1\0\2" + tlv(2, b"b.example") + tlv(1, b"h2") + tlv(0x20, FACTS.toTLV())
    return SIGNATURE + b"\x21\x11" + len(rest).to_bytes(2, "big") + rest


class PrefaceTests(SynchronousTestCase):
    def feed(self, data: bytes, rule: HeaderRule | None = None, **options: Any) -> object:
        """
        The verdict about bytes that come at once, which is that of bytes that come one by one.
        """
        found = ConnectionPreface(5.0, rule, **options).feed(data)
        preface = ConnectionPreface(5.0, rule, **options)
        for at in range(len(data)):
            answer = preface.feed(data[at : at + 1])
            if isinstance(answer, Reject):
                self.assertEqual(answer, found)
                return found
            if isinstance(answer, Done):
                assert isinstance(found, Done)
                left = len(found.leftover) - len(answer.leftover)
                self.assertEqual(answer.leftover, found.leftover[: len(answer.leftover)])
                self.assertEqual(at + 1 + left, len(data))
                self.assertEqual(
                    (answer.clientAddr, answer.serverName, answer.alpn, answer.hello),
                    (found.clientAddr, found.serverName, found.alpn, found.hello),
                )
                return found
        self.assertIsInstance(found, NeedMore)
        return found

    def end(self, data: bytes, rule: HeaderRule | None = None, **options: Any) -> Done | Reject:
        """
        The verdict about a client that sends these bytes and no more.
        """
        preface = ConnectionPreface(5.0, rule, **options)
        if data:
            self.assertIsInstance(preface.feed(data), NeedMore)
        return preface.end("over")

    def test_interface(self) -> None:
        preface = ConnectionPreface(5.0, HeaderRule.REQUIRED)
        self.assertTrue(verifyObject(IPreface, preface))
        self.assertEqual((preface.timeout, preface.maxBytes), (5.0, MAX_PROXY_HEADER))
        both = ConnectionPreface(5.0, HeaderRule.REQUIRED, wantsHello=True)
        self.assertGreater(both.maxBytes, MAX_PROXY_HEADER + MAX_CLIENT_HELLO)

    def test_header(self) -> None:
        """
        A header alone, for each rule.
        """
        for rule in (HeaderRule.REQUIRED, HeaderRule.OPTIONAL):
            found = self.feed(HEADER + b"GET", rule)
            assert isinstance(found, Done) and found.header is not None
            self.assertEqual((found.clientAddr, found.leftover), (CLIENT, b"GET"))
            self.assertEqual(found.header.destination, SERVER)
            self.assertEqual(self.end(b"PROXY", rule), Reject("over"))
            self.assertIsInstance(self.feed(b"PROXY TCP4 x\r\n", rule), Reject)
        self.assertIsInstance(self.feed(HEADER, HeaderRule.REFUSED), Reject)

    def test_none(self) -> None:
        """
        A client without a header, for each rule.
        """
        refused = Reject("it begins with no PROXY header")
        self.assertEqual(self.feed(b"GET", HeaderRule.REQUIRED), refused)
        self.assertEqual(self.end(b"", HeaderRule.REQUIRED), Reject("over"))
        for rule in (HeaderRule.OPTIONAL, HeaderRule.REFUSED):
            self.assertEqual(self.feed(b"PGET", rule), Done(leftover=b"PGET"))
            # The server may be the one that begins.
            self.assertEqual(self.end(b"", rule), Done())
            self.assertEqual(self.end(b"PRO", rule), Reject("over"))

    def test_hello(self) -> None:
        """
        A ClientHello stays a part of what follows.
        """
        data = hello("a.example", [b"h2"])
        wanted = Done(None, "a.example", data, ("h2",), hello=ClientHello("a.example", ("h2",)))
        self.assertEqual(self.feed(data, wantsHello=True), wanted)
        self.assertEqual(self.end(data[:3], wantsHello=True, plain=True), Reject("over"))
        self.assertIsInstance(self.feed(b"\x16\x03\x01\0\0", wantsHello=True, plain=True), Reject)

    def test_plain(self) -> None:
        """
        A client without TLS, or one that is silent, if there is a service for it.
        """
        self.assertEqual(self.feed(b"GET", wantsHello=True), Reject("it speaks no TLS"))
        self.assertEqual(self.end(b"", wantsHello=True), Reject("over"))
        self.assertEqual(self.feed(b"GET", wantsHello=True, plain=True), Done(leftover=b"GET"))
        self.assertEqual(self.end(b"", wantsHello=True, plain=True), Done())

    def test_both(self) -> None:
        """
        A ClientHello behind a header.
        """
        data = hello("a.example")
        found = self.feed(HEADER + data, HeaderRule.REQUIRED, wantsHello=True)
        assert isinstance(found, Done)
        self.assertEqual((found.clientAddr, found.serverName), (CLIENT, "a.example"))
        self.assertEqual(found.leftover, data)
        for rule in (HeaderRule.OPTIONAL, HeaderRule.REFUSED):
            found = self.feed(data, rule, wantsHello=True)
            self.assertEqual(found, Done(None, "a.example", data, hello=ClientHello("a.example")))
        self.assertEqual(self.end(HEADER, HeaderRule.REQUIRED, wantsHello=True), Reject("over"))
        found = self.end(HEADER, HeaderRule.REQUIRED, wantsHello=True, plain=True)
        assert isinstance(found, Done)
        self.assertEqual(found.clientAddr, CLIENT)

    def test_endedBefore(self) -> None:
        """
        A proxy that has ended TLS tells the name, the protocol and the session, so that the
        client need speak no TLS any more.
        """
        data = withTLVs()
        for wantsHello in (False, True):
            found = self.feed(data + b"GET", HeaderRule.REQUIRED, wantsHello=wantsHello)
            assert isinstance(found, Done)
            self.assertEqual((found.serverName, found.alpn), ("b.example", ("h2",)))
            self.assertEqual((found.tls, found.leftover), (FACTS, b"GET"))
        found = self.feed(data + hello("a.example"), HeaderRule.REQUIRED, wantsHello=True)
        assert isinstance(found, Done)
        self.assertEqual((found.serverName, found.alpn), ("a.example", ()))

    def test_vectors(self) -> None:
        """
        Each header of the list has the same verdict here.
        """
        for vector in vectors():
            preface = ConnectionPreface(5.0, HeaderRule.REQUIRED)
            answer: object = NeedMore()
            for piece in vector.split():
                if isinstance(answer, NeedMore):
                    answer = preface.feed(piece)
            if vector.verdict == "accept":
                assert isinstance(answer, Done), vector.name
                self.assertTrue(vector.rest.startswith(answer.leftover))
            elif vector.verdict == "reject":
                self.assertIsInstance(answer, Reject, vector.name)
            else:
                self.assertEqual(preface.end("over"), Reject("over"), vector.name)

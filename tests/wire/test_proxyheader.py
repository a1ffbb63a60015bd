"""
Tests for L{txlb.wire.ProxyHeaderReader}.
"""

from __future__ import annotations

import ipaddress
import struct
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.headers import Vector, vectors
from txlb.wire import (
    MAX_PROXY_HEADER,
    ProxyHeader,
    ProxyHeaderError,
    ProxyHeaderReader,
    TLSFacts,
    encodeProxyV1,
    encodeProxyV2,
)
from txlb.wire._proxy import SIGNATURE
from txlb.wire._tlvs import crc32c, tlv

ADDRESSES = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 1234, 443)


def version2(rest: bytes = b"", family: int = 0x11, addresses: bytes = ADDRESSES) -> bytes:
    rest = addresses + rest
    return SIGNATURE + struct.pack("!BBH", 0x21, family, len(rest)) + rest


def read(data: bytes) -> ProxyHeader:
    found = ProxyHeaderReader().feed(data)
    assert found is not None
    return found


def plain(end: object) -> object:
    """
    An address as the reader writes it.
    """
    if not isinstance(end, tuple):
        return end
    address = ipaddress.ip_address(end[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(address if mapped is None else mapped), end[1]


class VectorTests(SynchronousTestCase):
    def play(self, vector: Vector) -> None:
        reader = ProxyHeaderReader()
        header, left = None, []
        try:
            for piece in vector.split():
                if header is None:
                    header = reader.feed(piece)
                    left = [reader.data]
                else:
                    left.append(piece)
        except ProxyHeaderError:
            verdict = "reject"
        else:
            verdict = "incomplete" if header is None else "accept"
        if vector.verdict == "incomplete" and verdict == "reject":
            # It says how long it is going to be, and that is too much already.
            self.assertIn("65535", vector.name)
            return
        self.assertEqual(verdict, vector.verdict)
        if header is None:
            return
        self.assertEqual(header.source, plain(vector.source))
        self.assertEqual(header.destination, plain(vector.destination))
        self.assertEqual(b"".join(left), vector.rest)
        for kind, value in vector.tlvs:
            self.assertEqual(header.tlv(kind), value)


def _add(vector: Vector) -> None:
    def test(self: VectorTests) -> None:
        self.play(vector)

    test.__doc__ = f"The verdict is {vector.verdict}."
    setattr(VectorTests, f"test_{vector.name}", test)


for _vector in vectors():
    _add(_vector)


class ProxyHeaderTests(SynchronousTestCase):
    def wrong(self, data: bytes, message: str) -> None:
        error = self.assertRaises(ProxyHeaderError, ProxyHeaderReader().feed, data)
        self.assertIn(message, str(error))

    def test_ours(self) -> None:
        """
        The headers that this package writes are read as they were meant.
        """
        for client, server in (
            (("192.0.2.1", 1), ("192.0.2.2", 65535)),
            (("2001:db8::1", 0), ("2001:db8::2", 443)),
        ):
            for version, encode in ((1, encodeProxyV1), (2, encodeProxyV2)):
                wanted = ProxyHeader(version, client, server)
                self.assertEqual(read(encode(client, server)), wanted)
        self.assertEqual(read(encodeProxyV2("/a", b"/b")), ProxyHeader(2, b"/a", b"/b"))

    def test_versions(self) -> None:
        """
        A version that may not come is refused by its beginning.
        """
        for version, data in ((2, b"PROXY "), (1, SIGNATURE)):
            reader = ProxyHeaderReader(frozenset((version,)))
            error = self.assertRaises(ProxyHeaderError, reader.feed, data)
            self.assertEqual(str(error), f"its PROXY header is of version {3 - version}")
            self.assertTrue(reader.mayBeHeader)

    def test_otherProtocols(self) -> None:
        """
        Protocols that begin in nearly the same way are told apart.
        """
        for data in (b"PRI * HTTP/2.0\r\n", b"\r\nGET", b"P", b"PROXY", b"PROXYjunk", b"\x16\x03"):
            reader = ProxyHeaderReader()
            if b"PROXY ".startswith(data):
                self.assertIsNone(reader.feed(data))
                self.assertTrue(reader.mayBeHeader)
                self.assertFalse(reader.isHeader)
            else:
                self.assertRaises(ProxyHeaderError, reader.feed, data)
                self.assertFalse(reader.mayBeHeader)

    def test_clientAddr(self) -> None:
        """
        A client of a UNIX socket is known by the path of its own end, or of the end where it
        came in; a path is shown in characters that can be printed.
        """
        for source, destination, wanted in (
            (("192.0.2.1", 1), None, ("192.0.2.1", 1)),
            (b"/a", b"/b", ("unix:/a", 0)),
            (b"", b"/b", ("unix:/b", 0)),
            (b"", b"", None),
            (b"/\x1b\xff", b"", ("unix:/?\ufffd", 0)),
            (None, None, None),
        ):
            self.assertEqual(ProxyHeader(2, source, destination).clientAddr, wanted)

    def test_authority(self) -> None:
        """
        A name is one in printable ASCII.
        """
        for value, wanted in (
            (b"A.example", "a.example"),
            (b"", None),
            (b"a b", None),
            (b"a\x00", None),
            ("ä.example".encode(), None),
            (b"a" * 256, None),
        ):
            self.assertEqual(read(version2(tlv(2, value))).authority, wanted)
        self.assertIsNone(read(version2()).authority)

    def test_ALPN(self) -> None:
        """
        The protocol of the session.
        """
        self.assertEqual(read(version2(tlv(1, b"h2"))).alpn, "h2")
        self.assertIsNone(read(version2()).alpn)

    def test_checksum(self) -> None:
        """
        A checksum is verified, wherever it stands. The one of "123456789" is in RFC 3720.
        """
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        for before in (b"", tlv(4, b"\0")):
            empty = version2(before + tlv(3, bytes(4)) + tlv(5, b"id"))
            at = 16 + 12 + len(before) + 3
            checksum = struct.pack("!I", crc32c(empty))
            whole = empty[:at] + checksum + empty[at + 4 :]
            self.assertEqual(read(whole).tlv(5), b"id")
            self.wrong(whole[:-1] + b"x", "a wrong checksum")

    def test_uniqueID(self) -> None:
        """
        An identifier has 128 bytes at most.
        """
        self.assertEqual(read(version2(tlv(5, b"i" * 128))).tlv(5), b"i" * 128)
        self.wrong(version2(tlv(5, b"i" * 129)), "more than 128 bytes")

    def test_TLS(self) -> None:
        """
        The facts of a session come as they were written; without the flag for TLS there are
        none.
        """
        facts = TLSFacts(
            "TLSv1.3", "TLS_AES_128_GCM_SHA256", "gäst", "SHA256", "EC256", True, True, 0
        )
        self.assertEqual(read(version2(tlv(0x20, facts.toTLV()))).tls, facts)
        bare = TLSFacts(verifyResult=18)
        self.assertEqual(read(version2(tlv(0x20, bare.toTLV()))).tls, bare)
        self.assertIsNone(read(version2(tlv(0x20, b"\0\0\0\0\1"))).tls)
        self.wrong(version2(tlv(0x20, b"\1\0\0\0")), "an SSL TLV of less than 5 bytes")
        self.wrong(version2(tlv(0x20, b"\1\0\0\0\0\x21\0")), "within its length")

    def test_datagrams(self) -> None:
        """
        The addresses of datagrams stand for no client here.
        """
        self.assertEqual(read(version2(family=0x12)), ProxyHeader(2))

    def test_linear(self) -> None:
        """
        A header that comes byte by byte is looked at a constant number of times for each
        byte, counted in calls.
        """

        def calls(size: int) -> int:
            data = version2(tlv(4, bytes(size)))
            reader = ProxyHeaderReader()
            count = 0

            def profile(_frame: object, event: str, _argument: object) -> None:
                nonlocal count
                count += event in {"call", "c_call"}

            sys.setprofile(profile)
            try:
                for byte in data[:-1]:
                    reader.feed(bytes((byte,)))
            finally:
                sys.setprofile(None)
            return count

        self.assertLess(calls(2000), 2.2 * calls(1000))

    @given(st.binary(max_size=200), st.data())
    def test_anything(self, rest: bytes, data: st.DataObject) -> None:
        """
        Any bytes, in any pieces, get the verdict that they get at once, and no other
        exception.
        """
        beginning = data.draw(st.sampled_from((b"", b"PROXY TCP4 ", SIGNATURE, version2()[:-2])))
        whole = beginning + rest

        def verdict(pieces: list[bytes]) -> object:
            reader = ProxyHeaderReader()
            for index, piece in enumerate(pieces):
                try:
                    header = reader.feed(piece)
                except ProxyHeaderError as error:
                    return str(error)
                if header is not None:
                    return header, reader.data + b"".join(pieces[index + 1 :])
            self.assertLessEqual(len(reader.data), MAX_PROXY_HEADER)
            return None

        once = verdict([whole])
        self.assertEqual(verdict([whole[at : at + 1] for at in range(len(whole))]), once)
        cut = data.draw(st.integers(0, len(whole)))
        self.assertEqual(verdict([whole[:cut], whole[cut:]]), once)

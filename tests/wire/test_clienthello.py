"""
Tests for L{txlb.wire.ClientHelloReader}.
"""

from __future__ import annotations

import ssl
import struct
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.hellos import extension, hello, message, protocols, records, serverName
from txlb.wire import (
    MAX_CLIENT_HELLO,
    MAX_RECORDS,
    Alert,
    ClientHello,
    ClientHelloError,
    ClientHelloReader,
    NoTLSError,
)


def read(data: bytes) -> ClientHello | None:
    return ClientHelloReader().feed(data)


class ClientHelloTests(SynchronousTestCase):
    def wrong(self, data: bytes, message: str) -> Alert:
        """
        @return: the alert that the client gets.
        """
        error: ClientHelloError = self.assertRaises(ClientHelloError, read, data)
        self.assertIn(message, str(error))
        return error.alert

    def test_OpenSSL(self) -> None:
        """
        A ClientHello of a real client, in any records and any pieces.
        """
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="WWW.Example.org")
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        data = outgoing.read()
        wanted = ClientHello("www.example.org", ("h2", "http/1.1"), (0x0304, 0x0303))
        self.assertEqual(read(data), wanted)
        for size in (5, 6, 7, 100):
            self.assertEqual(read(records(data[5:], size)), wanted)
        for piece in (1, 2, 7):
            reader = ClientHelloReader()
            parts = [data[at : at + piece] for at in range(0, len(data), piece)]
            self.assertEqual([reader.feed(part) for part in parts[:-1]], [None] * (len(parts) - 1))
            self.assertEqual(reader.feed(parts[-1]), wanted)
            self.assertEqual(bytes(reader.data), data)

    def test_nothing(self) -> None:
        """
        A ClientHello of an old client has no extensions.
        """
        self.assertEqual(read(records(message())), ClientHello())
        self.assertEqual(read(records(message(extension(0, b"")))), ClientHello())

    def test_rest(self) -> None:
        """
        What follows it is kept as it is.
        """
        reader = ClientHelloReader()
        data = hello() + b"\x14\x03\x03\0\1\1more"
        self.assertEqual(reader.feed(data), ClientHello("a.example"))
        self.assertEqual(bytes(reader.data), data)

    def test_noTLS(self) -> None:
        """
        Other protocols are known by their first two bytes.
        """
        for data in (b"GET / HTTP/1.1", b"SSH-2.0", b"\x80\x2e\x01", b"\x16\x02", b"\0\0\0\x08"):
            self.assertRaises(NoTLSError, read, data)
        self.assertIsNone(read(b"\x16"))
        self.assertIsNone(read(b""))

    def test_GREASE(self) -> None:
        """
        Values that mean nothing are left out.
        """
        versions = extension(43, b"\x06\x3a\x3a\x03\x04\x03\x03")
        found = read(records(message(protocols((b"\x4a\x4a", b"h2")), versions)))
        self.assertEqual(found, ClientHello(None, ("h2",), (0x0304, 0x0303)))

    def test_ECH(self) -> None:
        """
        The outer name is the name.
        """
        for first, hasECH in ((b"\0", True), (b"\1", False)):
            found = read(records(message(serverName("front.example"), extension(0xFE0D, first))))
            self.assertEqual(found, ClientHello("front.example", hasECH=hasECH))

    def test_resumes(self) -> None:
        """
        A session of TLS 1.3 is offered in an extension of its own.
        """
        self.assertEqual(read(records(message(extension(41, b"x")))), ClientHello(resumes=True))

    def test_names(self) -> None:
        """
        Names are compared in lower case and without a dot at the end.
        """
        for name, wanted in (("A.Example", "a.example"), ("a.example.", "a.example")):
            self.assertEqual(read(hello(name)), ClientHello(wanted))
        for wrong in (b"", b"a b", b"a\0", b"\xc3\xa4", b"a" * 256):
            self.wrong(records(message(serverName(wrong))), "the server name")
        for data in (b"\0\0", b"\0\5\1\0\2aa", b"\0\4\0\0\1aa"):
            self.wrong(records(message(extension(0, data))), "the server name")

    def test_malformed(self) -> None:
        """
        Each is refused as soon as that is certain, with the reason and its alert.
        """
        others = {
            "no ClientHello": Alert.UNEXPECTED_MESSAGE,
            "a record of 0 bytes": Alert.UNEXPECTED_MESSAGE,
            "a record of 16385 bytes": Alert.RECORD_OVERFLOW,
            "another record": Alert.UNEXPECTED_MESSAGE,
            "65540 bytes": Alert.ILLEGAL_PARAMETER,
            "stands twice": Alert.ILLEGAL_PARAMETER,
        }
        good = message(serverName("a.example"))
        for data, text in (
            (records(b"\x02" + good[1:]), "no ClientHello"),
            (b"\x16\x03\x01\0\0", "a record of 0 bytes"),
            (b"\x16\x03\x01\x40\x01", "a record of 16385 bytes"),
            (records(good[:20]) + b"\x17\x03\x01\0\1", "another record"),
            (records(b"\x01\x01\x00\x00"), "65540 bytes"),
            (records(b"\x01\0\0\x02\x03\x03"), "ends too early"),
            (records(message(serverName("a"), serverName("b"))), "stands twice"),
            (records(message(b"\0\0\0\x09x")), "longer than"),
            (records(b"\x01" + (len(good) - 3).to_bytes(3, "big") + good[4:] + b"x"), "another l"),
            (records(message(extension(16, b"\0\2\2h"))), "the protocols"),
            (records(message(extension(16, b"\0\1\0"))), "the protocols"),
            (records(message(extension(16, b"\0"))), "the protocols"),
            (records(message(extension(43, b"\2\3"))), "the versions"),
            (records(message(extension(43, b"\1\3"))), "the versions"),
        ):
            alert = self.wrong(data, text)
            self.assertIs(alert, others.get(text, Alert.DECODE_ERROR), text)
        self.assertEqual(Alert.DECODE_ERROR.record, b"\x15\x03\x01\x00\x02\x02\x32")

    def test_bounds(self) -> None:
        """
        The longest one is read, and a longer one is refused by its length. So is one in more
        records than any sender needs, before it is complete.
        """

        def padded(size: int) -> bytes:
            bare = message(extension(21, b""))
            return message(extension(21, bytes(size - len(bare))))

        self.assertEqual(read(records(padded(MAX_CLIENT_HELLO))), ClientHello())
        self.wrong(records(padded(MAX_CLIENT_HELLO + 1))[:9], f"{MAX_CLIENT_HELLO + 1} bytes")
        # As many records as there may be, and one more.
        whole = padded(MAX_RECORDS * 9)
        self.assertEqual(read(records(whole, 9)), ClientHello())
        self.wrong(records(whole, 8), f"is not complete within {MAX_RECORDS} records")
        self.wrong(records(padded(MAX_CLIENT_HELLO), 1)[: 6 * MAX_RECORDS + 5], "not complete")

    def test_linear(self) -> None:
        """
        Each byte costs the same, in any pieces and records, counted in calls.
        """

        def calls(size: int) -> int:
            data = records(message(extension(21, bytes(size))), 40)
            reader = ClientHelloReader()
            count = 0

            def profile(_frame: object, event: str, _argument: object) -> None:
                nonlocal count
                count += event in {"call", "c_call"}

            sys.setprofile(profile)
            try:
                for at in range(len(data)):
                    reader.feed(data[at : at + 1])
            finally:
                sys.setprofile(None)
            return count

        self.assertLess(calls(4000), 2.2 * calls(2000))

    @given(st.data())
    def test_anything(self, data: st.DataObject) -> None:
        """
        Any bytes get a verdict, and the same one in any pieces.
        """
        whole = bytearray(
            hello(
                data.draw(st.sampled_from(("a.example", None))),
                data.draw(st.sampled_from(((), (b"h2", b"http/1.1")))),
                data.draw(st.integers(1, 200)),
            )
        )
        for _ in range(data.draw(st.integers(0, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(whole)))
        sent = bytes(whole[: data.draw(st.integers(0, len(whole)))]) + data.draw(st.binary())

        def verdict(pieces: list[bytes]) -> object:
            reader = ClientHelloReader()
            for piece in pieces:
                try:
                    found = reader.feed(piece)
                except (ClientHelloError, NoTLSError) as error:
                    return type(error), str(error)
                if found is not None:
                    return found
            return None

        once = verdict([sent])
        self.assertEqual(verdict([sent[:cut], sent[cut:]]), once)
        self.assertEqual(verdict([sent[at : at + 1] for at in range(len(sent))]), once)

    @given(st.binary(max_size=300))
    def test_anyBody(self, body: bytes) -> None:
        """
        A message of any bytes is a ClientHello or none, and nothing else is raised.
        """
        head = b"\x01" + struct.pack("!I", len(body))[1:]
        try:
            found = read(records(head + body))
        except ClientHelloError:
            return
        self.assertIsInstance(found, ClientHello)

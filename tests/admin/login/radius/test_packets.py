"""
Tests for L{txlb.admin.login.radius}; C{tests.integration.test_login_radius} has those with a
real server.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login.radius._packets import (
    ACCEPT,
    CHALLENGE,
    REMEDY,
    Answer,
    PacketIgnored,
    Request,
    vendorAttributes,
)

SECRET = b"secret"


def attribute(number: int, value: bytes) -> bytes:
    return bytes((number, len(value) + 2)) + value


def answerTo(
    request: Request, code: int = ACCEPT, attributes: bytes = b"", signed: bool = True
) -> bytes:
    """
    The answer of a server, made by RFC 2865 and 2869.
    """
    asked = request.data[4:20]
    if signed:
        attributes = attribute(80, bytes(16)) + attributes
    header = struct.pack("!BBH", code, request.data[1], 20 + len(attributes))
    if signed:
        signature = hmac.new(SECRET, header + asked + attributes, "md5").digest()
        attributes = attribute(80, signature) + attributes[18:]
    digest = hashlib.md5(header + asked + attributes + SECRET).digest()
    return header + digest + attributes


class PacketTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.request = Request(SECRET, "zoë", b"password", "txlb", "192.0.2.1")

    def ignored(self, data: bytes) -> str:
        return str(self.assertRaises(PacketIgnored, self.request.read, data))

    def test_request(self) -> None:
        """
        The Message-Authenticator comes first, and is right. The password is hidden.
        """
        data = self.request.data
        self.assertEqual((data[0], data[20], data[21]), (1, 80, 18))
        plain = data[:22] + bytes(16) + data[38:]
        self.assertEqual(data[22:38], hmac.new(SECRET, plain, "md5").digest())
        self.assertNotIn(b"password", data)
        self.assertIn(attribute(1, "zoë".encode()), data)
        self.assertIn(attribute(32, b"txlb"), data)
        other = Request(SECRET, "zoë", b"password", "txlb", "192.0.2.1", (b"state",))
        self.assertIn(attribute(24, b"state"), other.data)
        self.assertNotEqual(other.data[4:20], data[4:20])

    def test_accept(self) -> None:
        vendor = attribute(26, struct.pack("!I", 9) + attribute(1, b"a") + attribute(1, b"b"))
        more = attribute(11, b"ops") + attribute(11, b"all") + attribute(27, b"\0\0\0\x3c") + vendor
        answer = self.request.read(answerTo(self.request, ACCEPT, more))
        self.assertEqual((answer.code, answer.lasts), (ACCEPT, 60))
        self.assertEqual(answer.texts("Filter-Id"), ("ops", "all"))
        self.assertEqual(answer.texts("9/1"), ("a", "b"))
        self.assertEqual((answer.texts("Class"), answer.texts("9/2")), ((), ()))

    def test_challenge(self) -> None:
        more = (
            attribute(18, b"Your\ncode\x1b[2J") + attribute(24, b"s") + attribute(76, b"\0\0\0\1")
        )
        answer = self.request.read(answerTo(self.request, CHALLENGE, more))
        self.assertEqual(
            (answer.message, answer.state, answer.echo), ("Your code [2J", (b"s",), True)
        )
        self.assertFalse(Answer(CHALLENGE, {}).echo)

    def test_unsigned(self) -> None:
        self.assertEqual(self.ignored(answerTo(self.request, signed=False)), REMEDY)

    def test_notTheAnswer(self) -> None:
        right = answerTo(self.request)
        self.assertIn("another request", self.ignored(bytes((2, right[1] ^ 1)) + right[2:]))
        self.assertIn("another secret", self.ignored(right[:4] + bytes(16) + right[20:]))
        self.ignored(answerTo(self.request, 5))
        self.assertIn("makes no sense", self.ignored(right[:19]))
        self.assertIn("too long", self.ignored(b"x" * 5000))
        # The digest is right, and the Message-Authenticator is not.
        header, body = right[:4], attribute(80, bytes(16))
        digest = hashlib.md5(header + self.request.data[4:20] + body + SECRET).digest()
        self.ignored(header + digest + body)

    @given(st.binary(max_size=80), st.integers(0, 37), st.integers(0, 255))
    def test_anything(self, data: bytes, place: int, byte: int) -> None:
        """
        Nothing that comes is an answer, or raises another error.
        """
        request = Request(SECRET, "anna", b"x", "txlb", "unix")
        right = bytearray(answerTo(request))
        changed = right[place] != byte
        right[place] = byte
        for each in (
            data,
            bytes((2, request.data[1])) + data,
            *([bytes(right)] if changed else []),
        ):
            self.assertRaises(PacketIgnored, request.read, each)

    @given(st.lists(st.binary(max_size=30), max_size=3))
    def test_vendors(self, values: list[bytes]) -> None:
        with contextlib.suppress(StopIteration):
            key, found = next(iter(vendorAttributes(values).items()))
            self.assertIsInstance(key, tuple)
            self.assertLess(len(found), 50)

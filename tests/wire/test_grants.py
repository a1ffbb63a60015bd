"""
Tests for L{txlb.wire._grants}.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import (
    MAX_GRANTS_MESSAGE,
    Bye,
    Drain,
    Grant,
    GrantsError,
    Hello,
    Message,
    Passed,
    Ping,
    Pong,
    Quit,
    Refused,
    Status,
    Take,
    Welcome,
    decodeGrants,
    encodeGrants,
)

MESSAGES: tuple[Message, ...] = (
    Hello(1, 3, 2, listeners=("tcp-8080", "unix-web"), active=(5, 0), spawned=True),
    Hello(1, -1, 0, needsSockets=True),
    Hello(1, -1, 0, heir=True, draining=True),
    Welcome(1, 3, 2, ("tcp-8080",)),
    Refused("another application"),
    Grant(255, 65535),
    Passed(3),
    Passed(255, ("192.0.2.7", 65535), None, b"hello"),
    Passed(0, ("2001:db8:1:2:3:4:5:6", 1), ("2001:db8:1:2:3:4:5:7", 443), b"\x16\x03" * 8000),
    Status(0, 2**64 - 1, 2**32 - 1),
    Ping(7),
    Pong(7, 1500, 40_000),
    Drain(),
    Quit(),
    Take(),
    Bye(),
)


class GrantsTests(SynchronousTestCase):
    def test_thereAndBack(self) -> None:
        for message in MESSAGES:
            self.assertEqual(decodeGrants(encodeGrants(message)), message)

    def test_passed(self) -> None:
        """
        Connections whose first bytes nothing has read are passed with a few bytes. One of which too
        much was read is refused, as is a message that is none.
        """
        self.assertEqual(encodeGrants(Passed(2)), b"F\x02\x00")
        self.assertRaises(GrantsError, encodeGrants, Passed(2, first=bytes(MAX_GRANTS_MESSAGE)))
        for wrong in (
            b"F",
            b"F\x01\x05[",
            b"F\x01\x02[]",
            b"F\x01\x07[[1,2]]",
            b"F\x01\x081       ",
        ):
            self.assertRaises(GrantsError, decodeGrants, wrong)

    def test_short(self) -> None:
        """
        The messages of each connection are a few bytes.
        """
        self.assertEqual(encodeGrants(Grant(1, 2)), b"G\x01\x00\x02")
        self.assertEqual(len(encodeGrants(Status(0, 1, 1))), 14)

    def test_newer(self) -> None:
        """
        Fields that are not known here are ignored.
        """
        data = b"W" + json.dumps({"version": 2, "slot": 1, "generation": 0, "more": []}).encode()
        self.assertEqual(decodeGrants(data), Welcome(2, 1, 0))

    def test_wrong(self) -> None:
        for data in (
            b"",
            b"?",
            b"G",
            b"G\x01\x00\x02\x03",
            b"Dx",
            b"H",
            b"H{}",
            b"H[]",
            b"Hnull",
            b'H{"version": "1", "slot": 0, "generation": 0}',
            b'H{"version": true, "slot": 0, "generation": 0}',
            b'H{"version": 1, "slot": 0, "generation": 0, "listeners": "tcp"}',
            b'H{"version": 1, "slot": 0, "generation": 0, "active": ["1"]}',
            b"W" + b"[" * 20_000,
            b"R" + b" " * MAX_GRANTS_MESSAGE,
        ):
            with self.assertRaises(GrantsError, msg=data[:60]):
                decodeGrants(data)

    def test_tooMany(self) -> None:
        body = {"version": 1, "slot": 0, "generation": 0, "active": [0] * 257}
        with self.assertRaises(GrantsError):
            decodeGrants(b"H" + json.dumps(body).encode())

    def test_tooLong(self) -> None:
        with self.assertRaises(GrantsError):
            encodeGrants(Refused("x" * MAX_GRANTS_MESSAGE))

    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """
        Whatever another process sends is a message or an error.
        """
        try:
            message = decodeGrants(data)
        except GrantsError:
            return
        self.assertEqual(decodeGrants(encodeGrants(message)), message)

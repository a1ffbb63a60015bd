"""
Tests for L{txlb.admin.login.ldap._messages}.
"""

from __future__ import annotations

import contextlib
import io

from hypothesis import given
from hypothesis import strategies as st
from ldaptor.protocols import pureber, pureldap
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login.ldap._errors import ServerError
from txlb.admin.login.ldap._messages import (
    MAX_MESSAGE,
    Entry,
    Reference,
    Result,
    decodeMessage,
    encode,
    equals,
    searchRequest,
    takeMessage,
)

ENTRY = pureldap.LDAPMessage(
    pureldap.LDAPSearchResultEntry(
        b"cn=anna,dc=x", [(b"memberOf", [b"cn=ops", b"cn=all"]), (b"uid", [b"anna"])]
    ),
    id=7,
).toWire()
DONE = pureldap.LDAPMessage(pureldap.LDAPSearchResultDone(resultCode=4), id=300).toWire()
REFERRED = bytes.fromhex("30 16 02 01 01 61 11 0a 01 0a 04 00 04 00 a3 08 04 06 6c 64 61 70 3a 2f")
REFERENCE = bytes.fromhex("30 0d 02 01 02 73 08 04 06 6c 64 61 70 3a 2f")


class DecodeTests(SynchronousTestCase):
    def test_entry(self) -> None:
        number, entry = decodeMessage(ENTRY)
        assert isinstance(entry, Entry)
        self.assertEqual((number, entry.dn), (7, "cn=anna,dc=x"))
        self.assertEqual(entry.values("MEMBEROF"), (b"cn=ops", b"cn=all"))
        self.assertEqual(entry.values("mail"), ())

    def test_results(self) -> None:
        self.assertEqual(decodeMessage(DONE), (300, Result(4, "")))
        self.assertEqual(decodeMessage(REFERRED), (1, Result(10, "")))
        self.assertEqual(decodeMessage(REFERENCE), (2, Reference()))

    def test_wrong(self) -> None:
        for text in (
            "30 00",
            "30 03 02 01 01",
            "30 05 04 01 01 61 00",
            "30 05 02 01 01 61 00",
            "30 0a 02 01 01 61 05 02 01 00 04 00",
            "30 0c 02 01 01 99 07 0a 01 00 04 00 04 00",
            "30 0c 02 01 01 64 07 0a 01 00 04 00 04 00",
            "30 07 02 01 01 42 02 30 30",
        ):
            self.assertRaises(ServerError, decodeMessage, bytes.fromhex(text))

    @given(st.binary(max_size=60))
    def test_anything(self, data: bytes) -> None:
        """
        Nothing that comes raises another error, or is printed.
        """
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.suppress(ServerError):
            decodeMessage(data)
        self.assertEqual(shown.getvalue(), "")

    @given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 200))
    def test_changed(self, place: int, byte: int, end: int) -> None:
        """
        The same of messages that are nearly right.
        """
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            for message in (ENTRY, DONE, REFERRED, REFERENCE):
                changed = bytearray(message)
                changed[place % len(changed)] = byte
                for data in (bytes(changed), message[: end % len(message)]):
                    with contextlib.suppress(ServerError):
                        decodeMessage(data)
        self.assertEqual(shown.getvalue(), "")


class TakeTests(SynchronousTestCase):
    @given(st.lists(st.sampled_from([ENTRY, DONE, REFERENCE]), max_size=5), st.integers(1, 50))
    def test_chunks(self, messages: list[bytes], size: int) -> None:
        data, buffer, found = b"".join(messages), bytearray(), []
        for start in range(0, len(data), size):
            buffer += data[start : start + size]
            while (message := takeMessage(buffer)) is not None:
                found.append(message)
        self.assertEqual(found, messages)
        self.assertEqual(buffer, b"")

    def test_longLengths(self) -> None:
        body = b"x" * 300
        buffer = bytearray(b"\x30\x82\x01\x2c" + body + b"\x30")
        self.assertEqual(takeMessage(buffer), b"\x30\x82\x01\x2c" + body)
        self.assertIsNone(takeMessage(buffer))
        self.assertIsNone(takeMessage(bytearray(b"\x30\x82")))

    def test_refused(self) -> None:
        for data in (
            b"HTTP/1.1 400",
            b"\x30\x80",
            b"\x30\x85\0\0\0\0\1",
            b"\x30\x84" + (MAX_MESSAGE + 1).to_bytes(4, "big"),
        ):
            self.assertRaises(ServerError, takeMessage, bytearray(data))


class FilterTests(SynchronousTestCase):
    @given(st.text(min_size=1, max_size=30))
    def test_values(self, value: str) -> None:
        """
        A value is one value, whichever characters are in it.
        """
        request = searchRequest("dc=x", equals("uid", value), ["memberOf"], 2, 0.5)
        sent = encode(9, request)
        context = pureldap.LDAPBERDecoderContext_TopLevel(
            inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(
                fallback=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
                inherit=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
            )
        )
        message, _ = pureber.berDecodeObject(context, sent)
        found = message.value.filter
        self.assertIsInstance(found, pureldap.LDAPFilter_equalityMatch)
        self.assertEqual(found.assertionValue.value, value.encode())
        self.assertEqual((message.id, message.value.sizeLimit, message.value.timeLimit), (9, 2, 1))

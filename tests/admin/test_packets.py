"""
Tests for L{txlb.admin._packets} and L{txlb.admin._ciphers}.
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._ciphers import CIPHERS, MACS, packetCipher, padded
from txlb.admin._packets import (
    DISCONNECT_MAC_ERROR,
    DISCONNECT_PROTOCOL_ERROR,
    MAX_LINE,
    MAX_PACKET_BEFORE_LOGIN,
    SEQUENCES,
    PacketError,
    Packets,
)

KEY, INITIAL, MAC_KEY = bytes(range(64)), bytes(range(100, 164)), bytes(range(60, 124))


def pair(cipher: bytes | None, mac: bytes = MACS[0]) -> tuple[Packets, Packets]:
    """
    Two ends of one direction.
    """
    ours, theirs = Packets(), Packets()
    if cipher is not None:
        ours.outgoing = packetCipher(cipher, mac, KEY, INITIAL, MAC_KEY, sealing=True)
        theirs.incoming = packetCipher(cipher, mac, KEY, INITIAL, MAC_KEY, sealing=False)
    return ours, theirs


SUITES = [(None, MACS[0]), *((cipher, mac) for cipher in CIPHERS for mac in MACS)]


class PacketTests(SynchronousTestCase):
    @given(
        st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8),
        st.sampled_from(SUITES),
        st.integers(1, 90),
    )
    def test_thereAndBack(
        self, messages: list[bytes], suite: tuple[bytes | None, bytes], size: int
    ) -> None:
        """
        In whatever pieces they come.
        """
        ours, theirs = pair(*suite)
        data = b"".join(map(ours.seal, messages))
        found = []
        for begin in range(0, len(data), size):
            theirs.feed(data[begin : begin + size])
            while (message := theirs.next()) is not None:
                found.append(message)
        self.assertEqual(found, messages)
        self.assertEqual(theirs.waiting, 0)
        self.assertEqual(theirs.received, len(messages))

    def test_whatIsChangedIsFound(self) -> None:
        """
        Whichever byte behind the length it is, with every cipher; and before any of it is
        decrypted.
        """
        for suite in SUITES[1:]:
            ours, _ = pair(*suite)
            sealed = ours.seal(b"message")
            for place in range(4, len(sealed)):
                _, theirs = pair(*suite)
                changed = bytearray(sealed)
                changed[place] ^= 0x40
                theirs.feed(bytes(changed))
                error = self.assertRaises(PacketError, theirs.next)
                self.assertEqual(error.reason, DISCONNECT_MAC_ERROR)

    def test_whatIsRepeatedOrLeftOutIsFound(self) -> None:
        for suite in SUITES[1:]:
            ours, theirs = pair(*suite)
            first = ours.seal(b"first")
            theirs.feed(first)
            self.assertEqual(theirs.next(), b"first")
            theirs.feed(first)
            self.assertRaises(PacketError, theirs.next)
            ours, theirs = pair(*suite)
            ours.seal(b"first")
            theirs.feed(ours.seal(b"second"))
            self.assertRaises(PacketError, theirs.next)

    def test_lengths(self) -> None:
        """
        They are looked at before anything is waited for.
        """
        for length in (0, 4, 13, MAX_PACKET_BEFORE_LOGIN + 1, 0xFFFFFFFF):
            packets = Packets()
            packets.feed(struct.pack(">I", length))
            error = self.assertRaises(PacketError, packets.next)
            self.assertEqual(error.reason, DISCONNECT_PROTOCOL_ERROR)
            self.assertIn(f"a packet of {length} bytes", str(error))

    def test_padding(self) -> None:
        for padding in (0, 3, 11, 255):
            packets = Packets()
            packets.feed(struct.pack(">IB", 12, padding) + bytes(11))
            error = self.assertRaises(PacketError, packets.next)
            self.assertIn(f"{padding} of padding", str(error))

    def test_numbers(self) -> None:
        """
        They go on from 0 after 2**32.
        """
        ours, theirs = pair(b"aes128-ctr")
        ours.sent = theirs.received = SEQUENCES - 1
        for text in (b"last", b"first"):
            theirs.feed(ours.seal(text))
            self.assertEqual(theirs.next(), text)
        self.assertEqual((ours.sent, theirs.received), (1, 1))

    def test_line(self) -> None:
        packets = Packets()
        packets.feed(b"SSH-2.0-x")
        self.assertIsNone(packets.line())
        packets.feed(b"\r\nrest")
        self.assertEqual(packets.line(), b"SSH-2.0-x")
        self.assertEqual(packets.waiting, 4)
        packets = Packets()
        packets.feed(b"x" * (MAX_LINE - 1) + b"\n")
        self.assertEqual(packets.line(), b"x" * (MAX_LINE - 1))
        packets.feed(b"x" * MAX_LINE)
        self.assertRaises(PacketError, packets.line)


class FormatTests(SynchronousTestCase):
    """
    What goes over the wire, taken apart by other code.
    """

    def test_padding(self) -> None:
        """
        RFC 4253, section 6: at least four bytes, up to a multiple of the block. The length
        is part of that multiple only as long as it is encrypted too, or nothing is.
        """
        for size in range(1, 40):
            for cipher, mac in SUITES:
                ours, _ = pair(cipher, mac)
                packet = padded(b"x" * size, ours.outgoing)
                length, padding = struct.unpack(">IB", packet[:5])
                self.assertEqual(length, len(packet) - 4)
                self.assertEqual(length, 1 + size + padding)
                self.assertGreaterEqual(padding, 4)
                whole = len(packet) if cipher is None else length
                self.assertEqual(whole % (8 if cipher is None else 16), 0)

    def test_counterMode(self) -> None:
        """
        OpenSSH's PROTOCOL, section 1.5: the length in clear, the rest encrypted, and the MAC
        over number, length and what was encrypted.
        """
        ours, _ = pair(b"aes192-ctr", b"hmac-sha2-256-etm@openssh.com")
        ours.sent = 7
        sealed = ours.seal(b"message")
        mac = HMAC(MAC_KEY[:32], SHA256())
        mac.update(struct.pack(">I", 7) + sealed[:-32])
        mac.verify(sealed[-32:])
        clear = Cipher(algorithms.AES(KEY[:24]), modes.CTR(INITIAL[:16])).decryptor()
        packet = clear.update(sealed[4:-32])
        self.assertEqual(packet[1 : 1 + len(b"message")], b"message")

    def test_galoisMode(self) -> None:
        """
        RFC 5647, section 7: the last eight bytes of the nonce count packets, and the length is
        what else is authenticated.
        """
        ours, _ = pair(b"aes256-gcm@openssh.com")
        nonce = INITIAL[:12]
        for _ in range(2):
            sealed = ours.seal(b"message")
            packet = AESGCM(KEY[:32]).decrypt(nonce, sealed[4:], sealed[:4])
            self.assertEqual(packet[1 : 1 + len(b"message")], b"message")
            nonce = nonce[:4] + (int.from_bytes(nonce[4:], "big") + 1).to_bytes(8, "big")

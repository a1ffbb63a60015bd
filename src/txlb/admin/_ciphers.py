"""
Ciphers of ssh packets, one object for each direction of a connection.

Conch has ciphers that decrypt a packet before they authenticate it (encrypt-and-MAC).
These authenticate first: AES in counter mode with an HMAC over the encrypted bytes
(OpenSSH's C{PROTOCOL}, section 1.5), and AES-GCM (RFC 5647, with the names that OpenSSH
gave it). All of them leave the length of a packet readable.
"""

from __future__ import annotations

import hmac
import secrets
import struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from txlb.errors import TxlbError

#: The least padding of a packet, in bytes: RFC 4253, section 6.
MIN_PADDING = 4

_LENGTH = struct.Struct(">I")
_BLOCK = 16


class NotAuthentic(TxlbError):
    """
    A packet was not made with the keys of this connection.
    """


class PacketCipher(Protocol):
    """
    One direction of a connection.
    """

    @property
    def blockSize(self) -> int:
        """
        The number of which the length of a packet is a multiple, in bytes.
        """

    @property
    def lengthCounts(self) -> bool:
        """
        Whether the four bytes that say the length are part of that multiple.
        """

    @property
    def tagSize(self) -> int:
        """
        Bytes of the tag that follows a packet.
        """

    def seal(self, sequence: int, packet: bytes) -> bytes:
        """
        Make the bytes that go over the wire.

        @param sequence: the number of the packet, modulo 2**32.
        @param packet: its length in four bytes, and so many bytes.
        """

    def open(self, sequence: int, packet: bytes, tag: bytes) -> bytes:
        """
        Make the packet that L{seal} was given of the bytes that came over the wire.

        @param packet: its length in four bytes, and so many bytes.
        @return: the packet without its length.
        @raise NotAuthentic: it was not sealed with the same keys.
        """


class Cleartext:
    """
    No cipher: packets before the first keys.
    """

    blockSize = 8
    lengthCounts = True
    tagSize = 0

    def seal(self, sequence: int, packet: bytes) -> bytes:
        return packet

    def open(self, sequence: int, packet: bytes, tag: bytes) -> bytes:
        return packet[4:]


class CounterMode:
    """
    AES in counter mode, with an HMAC over the number, the length and the encrypted
    bytes of each packet.

    @param key: 16, 24 or 32 bytes.
    @param initial: the first counter, 16 bytes.
    @param macKey: the HMAC's key, as long as its hash.
    @param digest: the HMAC's hash, by its name in L{hashlib}.
    @param sealing: whether packets are sealed with it, or opened.
    """

    blockSize = _BLOCK
    lengthCounts = False

    def __init__(
        self, key: bytes, initial: bytes, macKey: bytes, digest: str, *, sealing: bool
    ) -> None:
        cipher = Cipher(algorithms.AES(key), modes.CTR(initial))
        self._context: CipherContext = cipher.encryptor() if sealing else cipher.decryptor()
        self._macKey = macKey
        self._digest = digest
        self.tagSize = len(macKey)

    def _tag(self, sequence: int, packet: bytes) -> bytes:
        return hmac.digest(self._macKey, _LENGTH.pack(sequence) + packet, self._digest)

    def seal(self, sequence: int, packet: bytes) -> bytes:
        """
        Encrypt a packet except for its length, and return it with its tag.
        """
        sealed = packet[:4] + self._context.update(packet[4:])
        return sealed + self._tag(sequence, sealed)

    def open(self, sequence: int, packet: bytes, tag: bytes) -> bytes:
        """
        Check the tag of a packet, and decrypt it.
        """
        if not hmac.compare_digest(tag, self._tag(sequence, packet)):
            raise NotAuthentic("a packet has a wrong HMAC")
        return self._context.update(packet[4:])


class GaloisMode:
    """
    AES-GCM. The length of a packet is authenticated with it.

    @param key: 16 or 32 bytes.
    @param initial: the first nonce, 12 bytes, of which the last eight are counted up.
    """

    blockSize = _BLOCK
    lengthCounts = False
    tagSize = 16

    def __init__(self, key: bytes, initial: bytes) -> None:
        self._cipher = AESGCM(key)
        self._fixed = initial[:4]
        self._counter = int.from_bytes(initial[4:], "big")

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter = (self._counter + 1) % (1 << 64)
        return nonce

    def seal(self, sequence: int, packet: bytes) -> bytes:
        return packet[:4] + self._cipher.encrypt(self._nonce(), packet[4:], packet[:4])

    def open(self, sequence: int, packet: bytes, tag: bytes) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(), packet[4:] + tag, packet[:4])
        except InvalidTag:
            raise NotAuthentic("a packet has a wrong tag") from None


#: Ciphers by their names, the best first, with the bytes of their keys.
_COUNTER = {b"aes256-ctr": 32, b"aes192-ctr": 24, b"aes128-ctr": 16}
_GALOIS = {b"aes256-gcm@openssh.com": 32, b"aes128-gcm@openssh.com": 16}
CIPHERS = (*_GALOIS, *_COUNTER)

#: Hashes of HMACs by the names of those.
_HASHES = {
    b"hmac-sha2-512-etm@openssh.com": ("sha512", 64),
    b"hmac-sha2-256-etm@openssh.com": ("sha256", 32),
}
MACS = tuple(_HASHES)


def packetCipher(
    cipher: bytes, mac: bytes, key: bytes, initial: bytes, macKey: bytes, *, sealing: bool
) -> PacketCipher:
    """
    Make one direction of a connection.

    @param cipher: one of L{CIPHERS}.
    @param mac: one of L{MACS}, which AES-GCM does without.
    @param key: the derived bytes, at least as many as it needs; likewise
        C{initial} and C{macKey}.
    @param sealing: whether packets are sealed with it, or opened.
    """
    if cipher in _GALOIS:
        return GaloisMode(key[: _GALOIS[cipher]], initial[:12])
    digest, size = _HASHES[mac]
    return CounterMode(
        key[: _COUNTER[cipher]], initial[:_BLOCK], macKey[:size], digest, sealing=sealing
    )


def padded(payload: bytes, cipher: PacketCipher) -> bytes:
    """
    Make a packet of a message: its length, the length of its padding, the message, and
    padding by chance (RFC 4253, section 6).
    """
    counted = len(payload) + (5 if cipher.lengthCounts else 1)
    padding = cipher.blockSize - counted % cipher.blockSize
    if padding < MIN_PADDING:
        padding += cipher.blockSize
    head = struct.pack(">IB", 1 + len(payload) + padding, padding)
    return head + payload + secrets.token_bytes(padding)

"""
The bytes of an ssh connection, cut into packets.

Source: RFC 4253, sections 4.2 and 6. The input comes from clients that are not trusted: a
line, a packet and the buffer have bounds.
"""

from __future__ import annotations

from txlb.admin._ciphers import (
    MIN_PADDING,
    Cleartext,
    NotAuthentic,
    PacketCipher,
    padded,
)
from txlb.errors import TxlbError

#: The longest line with which a client may begin, with its end: RFC 4253, section 4.2.
MAX_LINE = 255

#: The longest packet of a client that has not logged in, and of one that has, in bytes
#: without length and tag. RFC 4253 asks for 35,000; OpenSSH takes 256 KiB.
MAX_PACKET_BEFORE_LOGIN = 35_000
MAX_PACKET = 262_144

#: The shortest packet with its length: RFC 4253, section 6.
MIN_PACKET = 16

#: Sequence numbers are counted up to here, then from 0 again.
SEQUENCES = 1 << 32

DISCONNECT_PROTOCOL_ERROR = 2
DISCONNECT_MAC_ERROR = 5


class PacketError(TxlbError):
    """
    Input that is no ssh.

    @ivar reason: the number that a client is told, of RFC 4253, section 11.1.
    """

    def __init__(self, message: str, reason: int = DISCONNECT_PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.reason = reason


class Packets:
    """
    Cuts input into packets, and makes packets of messages. Owned by the protocol of one
    connection.

    @ivar incoming: the cipher of packets that come.
    @ivar outgoing: the cipher of packets that go.
    @ivar received: the number of the next packet that comes, modulo 2**32.
    @ivar sent: the number of the next one that goes, likewise.
    @ivar maxPacket: the longest packet that is taken, in bytes.
    """

    def __init__(self) -> None:
        self.incoming: PacketCipher = Cleartext()
        self.outgoing: PacketCipher = Cleartext()
        self.received = 0
        self.sent = 0
        self.maxPacket = MAX_PACKET_BEFORE_LOGIN
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """
        Take bytes that have come.
        """
        self._buffer += data

    @property
    def waiting(self) -> int:
        """
        The number of bytes that have come and are part of no packet yet.
        """
        return len(self._buffer)

    def line(self) -> bytes | None:
        """
        Take the line with which a client begins.

        @return: it, without its end; L{None} if there is no whole one yet.
        @raise PacketError: it is too long.
        """
        end = self._buffer.find(b"\n", 0, MAX_LINE)
        if end < 0:
            if len(self._buffer) >= MAX_LINE:
                raise PacketError(f"the first line has more than {MAX_LINE} bytes")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def next(self) -> bytes | None:
        """
        Take the next message.

        @return: it; L{None} if there is no whole one yet.
        @raise PacketError: it is too long, or not made with our keys.
        """
        buffer, cipher = self._buffer, self.incoming
        if len(buffer) < 4:
            return None
        length = int.from_bytes(buffer[:4], "big")
        self._checkLength(length)
        end = 4 + length
        if len(buffer) < end + cipher.tagSize:
            return None
        packet = bytes(buffer[:end])
        tag = bytes(buffer[end : end + cipher.tagSize])
        del buffer[: end + cipher.tagSize]
        try:
            opened = cipher.open(self.received, packet, tag)
        except NotAuthentic as error:
            raise PacketError(str(error), DISCONNECT_MAC_ERROR) from None
        self.received = (self.received + 1) % SEQUENCES
        padding = opened[0]
        if not MIN_PADDING <= padding < length - 1:
            raise PacketError(f"a packet of {length} bytes has {padding} of padding")
        return opened[1 : length - padding]

    def _checkLength(self, length: int) -> None:
        cipher = self.incoming
        counted = length + 4 if cipher.lengthCounts else length
        if length + 4 < MIN_PACKET or length > self.maxPacket:
            raise PacketError(f"a packet of {length} bytes, of at most {self.maxPacket}")
        if counted % cipher.blockSize:
            raise PacketError(f"a packet of {length} bytes, which is no multiple")

    def seal(self, message: bytes) -> bytes:
        """
        Make the packet of a message.
        """
        sealed = self.outgoing.seal(self.sent, padded(message, self.outgoing))
        self.sent = (self.sent + 1) % SEQUENCES
        return sealed

"""
Reading the ClientHello with which a TLS client begins. Nothing is decrypted.

Sources: RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3 (the name); RFC 7301 (ALPN);
RFC 8701 (values that mean nothing, GREASE). A hello that hides another one (ECH) is the outer
one, whose name is that of the server that the client lets us know.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

#: Bytes of a ClientHello at most. Those of browsers have 2000 at most, with keys for times
#: after quantum computers. HAProxy, nginx and Envoy have the same bound.
MAX_CLIENT_HELLO = 16384

#: Records of a ClientHello at most. Most senders have one, and those that hide its name from
#: filters a few. In records of a byte each it would hold the balancer for 10 ms or more.
MAX_RECORDS = 128

#: Bytes of the records of a ClientHello at most, their heads included.
MAX_HELLO_RECORDS = MAX_CLIENT_HELLO + 5 * MAX_RECORDS

#: The longest plaintext of a record (RFC 8446, section 5.1).
_MAX_RECORD = 16384

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _VERSIONS, _PSK, _ECH = 0, 16, 43, 41, 0xFE0D

#: The length of a list, and the kind and length of an extension.
_readLength = struct.Struct("!H").unpack_from
_readExtension = struct.Struct("!HH").unpack_from

#: The length of a list of names, and the kind and length of the first one.
_readName = struct.Struct("!HBH").unpack_from

_TOO_SHORT = "its ClientHello ends too early"


#: The record of a fatal alert (RFC 8446, section 6): its number follows.
_ALERT = b"\x15\x03\x01\x00\x02\x02"


class Alert(IntEnum):
    """
    The alerts of TLS (RFC 8446, section 6) that are sent without a TLS object.
    """

    UNEXPECTED_MESSAGE = 10
    RECORD_OVERFLOW = 22
    ILLEGAL_PARAMETER = 47
    DECODE_ERROR = 50
    UNRECOGNIZED_NAME = 112

    @property
    def record(self) -> bytes:
        """
        The alert as it is sent to a client whose ClientHello is refused.
        """
        return _ALERT + bytes((self,))


class ClientHelloError(Exception):
    """
    The bytes begin like a ClientHello, and are none. The text says why.

    @ivar alert: what a client is told.
    """

    def __init__(self, reason: str, alert: Alert = Alert.DECODE_ERROR) -> None:
        self.alert = alert
        super().__init__(reason)


class NoTLSError(Exception):
    """
    The client speaks no TLS.
    """


@dataclass(slots=True)
class ClientHello:
    """
    The parts of a ClientHello by which it is decided where its connection goes. It is never
    changed, but not frozen, as making it would take four times as long.

    @ivar serverName: the name that the client asks for, in lower case and without a dot at
        its end; L{None} if it asks for none.
    @ivar alpn: the protocols that it offers, the preferred one first, as text of one
        character a byte.
    @ivar versions: the versions of TLS that it offers, such as C{0x0304}; empty if it does
        not list them, as a client without TLS 1.3 does.
    @ivar hasECH: whether it hides another hello.
    @ivar resumes: whether it offers to resume a session of TLS 1.3.
    """

    serverName: str | None = None
    alpn: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()
    hasECH: bool = False
    resumes: bool = False


class ClientHelloReader:
    """
    A reader of the ClientHello of one connection, in any pieces and any records. It looks at
    each byte a constant number of times, and keeps at most two copies of each.

    @ivar data: all bytes that have come.
    """

    def __init__(self) -> None:
        self.data: bytes | bytearray = bytearray()
        self._body = bytearray()
        # Where the next record begins, and how much is left of the present one.
        self._at = 0
        self._left = 0
        self._records = 0

    def feed(self, data: bytes) -> ClientHello | None:
        """
        Take the next bytes.

        @return: the hello when it is complete; L{None} if more bytes are needed.
        @raise NoTLSError: the client speaks no TLS.
        @raise ClientHelloError: no ClientHello can come of them.
        """
        if not self.data and _isWhole(data):
            self.data = data
            return parseClientHello(data[9 : 5 + _readLength(data, 3)[0]])
        have = self.data
        have += data
        self.data = have
        if have and (have[0] != _HANDSHAKE or (len(have) > 1 and have[1] != 3)):
            raise NoTLSError
        while self._readRecord():
            if self._records > MAX_RECORDS:
                raise ClientHelloError(
                    f"its ClientHello is not complete within {MAX_RECORDS} records"
                )
            body = self._body
            if not body:
                continue
            if body[0] != _CLIENT_HELLO:
                raise ClientHelloError(
                    "its first message is no ClientHello", Alert.UNEXPECTED_MESSAGE
                )
            if len(body) < 4:
                continue
            size = 4 + int.from_bytes(body[1:4], "big")
            if size > MAX_CLIENT_HELLO:
                raise ClientHelloError(
                    f"its ClientHello has {size} bytes; {MAX_CLIENT_HELLO} is the most",
                    Alert.ILLEGAL_PARAMETER,
                )
            if len(body) >= size:
                return parseClientHello(bytes(body[4:size]))
        return None

    def _readRecord(self) -> bool:
        """
        Read the next part of a record, or its head.

        @return: whether there was one.
        """
        have, at = self.data, self._at
        if self._left:
            part = have[at : at + self._left]
            if not part:
                return False
            self._body += part
            self._at += len(part)
            self._left -= len(part)
            return True
        if len(have) - at < 5:
            return False
        if have[at] != _HANDSHAKE or have[at + 1] != 3:
            raise ClientHelloError(
                "another record stands within its ClientHello", Alert.UNEXPECTED_MESSAGE
            )
        self._left = int.from_bytes(have[at + 3 : at + 5], "big")
        if not 0 < self._left <= _MAX_RECORD:
            # Section 5.1: no message is in a record of none.
            alert = Alert.RECORD_OVERFLOW if self._left else Alert.UNEXPECTED_MESSAGE
            raise ClientHelloError(f"it has a record of {self._left} bytes", alert)
        self._at += 5
        self._records += 1
        return True


def wholeClientHello(data: bytes) -> ClientHello | None:
    """
    Read the ClientHello with which bytes begin, if it is whole, in a record of its own, and well
    formed.

    @return: L{None} if it is not, so that a L{ClientHelloReader} is needed.
    """
    if not _isWhole(data):
        return None
    try:
        return parseClientHello(data[9 : 5 + _readLength(data, 3)[0]])
    except ClientHelloError:
        return None


def _isWhole(data: bytes) -> bool:
    """
    Say whether bytes begin with a ClientHello in a record of its own, as most clients send it.
    """
    if len(data) < 9 or data[0] != _HANDSHAKE or data[1] != 3 or data[5] != _CLIENT_HELLO:
        return False
    size: int = _readLength(data, 3)[0]
    whole = int.from_bytes(data[6:9], "big") + 4 == size <= len(data) - 5
    return whole and size <= _MAX_RECORD


def parseClientHello(body: bytes) -> ClientHello:
    """
    Read a whole ClientHello, in time that is linear.

    @param body: the message without its type and length.
    @raise ClientHelloError: it is malformed.
    """
    end = len(body)
    try:
        # The version and the random bytes, then the session, the ciphers, the compressions.
        at = 35 + body[34]
        at += 2 + _readLength(body, at)[0]
        at += 1 + body[at]
        if at == end:
            return ClientHello()
        length = _readLength(body, at)[0]
    except (IndexError, struct.error):
        raise ClientHelloError(_TOO_SHORT) from None
    at += 2
    if at + length != end:
        raise ClientHelloError("its extensions have another length than they say")
    # Where each extension stands. They are many, and few of them are wanted.
    found: dict[int, int] = {}
    count = 0
    try:
        while at < end:
            kind, length = _readExtension(body, at)
            found[kind] = at
            at += 4 + length
            count += 1
    except struct.error:
        raise ClientHelloError(_TOO_SHORT) from None
    if at > end:
        raise ClientHelloError("an extension is longer than its ClientHello")
    if len(found) < count:
        raise ClientHelloError("an extension stands twice in it", Alert.ILLEGAL_PARAMETER)
    return ClientHello(
        _serverName(_extension(body, found[_SERVER_NAME])) if _SERVER_NAME in found else None,
        _protocols(_extension(body, found[_ALPN])) if _ALPN in found else (),
        _versions(_extension(body, found[_VERSIONS])) if _VERSIONS in found else (),
        # Only an inner hello begins with 1.
        _ECH in found and _extension(body, found[_ECH])[:1] == b"\0",
        _PSK in found,
    )


def _extension(body: bytes, at: int) -> bytes:
    """
    Return the value of the extension that begins at a place.
    """
    return body[at + 4 : at + 4 + _readLength(body, at + 2)[0]]


def _serverName(data: bytes) -> str | None:
    if not data:
        return None
    # A list of one name: its length, the kind of name, its length.
    length = len(data)
    if length < 6 or _readName(data) != (length - 2, 0, length - 5) or length > 260:
        raise ClientHelloError("the server name in it is malformed")
    try:
        name = data[5:].decode("ascii")
    except UnicodeDecodeError:
        name = ""
    # Of all ASCII that leaves the characters from 0x21 to 0x7E.
    if not name or " " in name or not name.isprintable():
        raise ClientHelloError("the server name in it has characters that no name has")
    return name.lower().removesuffix(".") or None


def _protocols(data: bytes) -> tuple[str, ...]:
    if not data:
        return ()
    if len(data) < 2 or int.from_bytes(data[:2], "big") != len(data) - 2:
        raise ClientHelloError("the protocols in it are malformed")
    found = []
    at = 2
    while at < len(data):
        length = data[at]
        at += 1
        protocol = data[at : at + length]
        if not length or len(protocol) != length:
            raise ClientHelloError("the protocols in it are malformed")
        if not _isGrease(protocol):
            found.append(protocol.decode("latin-1"))
        at += length
    return tuple(found)


def _versions(data: bytes) -> tuple[int, ...]:
    if not data:
        return ()
    if data[0] != len(data) - 1 or data[0] % 2:
        raise ClientHelloError("the versions in it are malformed")
    values = struct.unpack_from(f"!{data[0] // 2}H", data, 1)
    return tuple([each for each in values if each & 0x0F0F != 0x0A0A or each >> 8 != each & 0xFF])


def _isGrease(value: bytes) -> bool:
    return len(value) == 2 and value[0] == value[1] and value[0] & 0x0F == 0x0A

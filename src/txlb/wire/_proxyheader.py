"""
Reading PROXY headers, which tell us a client's address.

Source: W. Tarreau, "The PROXY protocol, versions 1 & 2", haproxy.org,
doc/proxy-protocol.txt.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from txlb.wire._proxy import (
    LOCAL,
    PROXY,
    SIGNATURE,
    TCP_OVER_IPV4,
    TCP_OVER_IPV6,
    UNIX_LENGTH,
    UNIX_STREAM,
    UNSPECIFIED,
    VERSION_2,
)
from txlb.wire._tlsfacts import TLSFacts, parseTLSFacts
from txlb.wire._tlvs import TLVError, TLVKind, crc32c, parseTLVs

#: Bytes of a header of version 1 at most, line end included: the bound of the specification.
MAX_V1 = 107

#: Bytes of a header of version 2 before its addresses.
V2_FIXED = 16

#: Bytes of addresses and TLVs in a header of version 2 at most. The specification allows 65535,
#: which no sender needs.
MAX_V2_REST = 4096

#: Bytes of a header of any version at most.
MAX_PROXY_HEADER = V2_FIXED + MAX_V2_REST

#: Bytes of an UNIQUE_ID at most, by the specification.
MAX_UNIQUE_ID = 128

#: The beginning of version 1, by which it is known.
_V1 = b"PROXY "

_V1_ADDRESSES = re.compile(
    rb"PROXY TCP([46]) ([0-9A-Fa-f:.]{2,45}) ([0-9A-Fa-f:.]{2,45})"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)

#: Families whose addresses this balancer has no use for: datagrams.
_UDP_OVER_IPV4, _UDP_OVER_IPV6, _UNIX_DATAGRAM = 0x12, 0x22, 0x32

#: The length of the addresses of each family that the specification knows.
_ADDRESSES = {
    UNSPECIFIED: 0,
    TCP_OVER_IPV4: 12,
    _UDP_OVER_IPV4: 12,
    TCP_OVER_IPV6: 36,
    _UDP_OVER_IPV6: 36,
    UNIX_STREAM: 2 * UNIX_LENGTH,
    _UNIX_DATAGRAM: 2 * UNIX_LENGTH,
}

#: An address as the socket functions write it: host and port, or the path of a UNIX socket.
End = tuple[str, int] | bytes


class ProxyHeaderError(Exception):
    """
    The bytes are no header, or none that may be sent here. The text says why.
    """


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """
    A PROXY header.

    @ivar version: 1 or 2.
    @ivar source: the address of the client: host and port, or the path of a UNIX socket;
        L{None} if the header tells none, so that the addresses of the socket count.
    @ivar destination: the address at which the client has been accepted, likewise.
    @ivar tlvs: type and value of each TLV, in their order.
    @ivar tls: the TLS session of the client, of the TLV for it; L{None} if it tells none.
    """

    version: int
    source: End | None = None
    destination: End | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()
    tls: TLSFacts | None = None

    def tlv(self, kind: int) -> bytes | None:
        """
        Return the value of the first TLV of a type; L{None} if there is none.
        """
        for each, value in self.tlvs:
            if each == kind:
                return value
        return None

    @property
    def authority(self) -> str | None:
        """
        The name of the server that the client has asked for; L{None} if the header tells
        none that can be a name.
        """
        value = self.tlv(TLVKind.AUTHORITY)
        if not value or len(value) > 255 or not value.isascii():
            return None
        name = value.decode("ascii")
        return name.lower() if name.isprintable() and " " not in name else None

    @property
    def alpn(self) -> str | None:
        """
        The protocol that the client speaks (ALPN); L{None} if the header tells none.
        """
        value = self.tlv(TLVKind.ALPN)
        return value.decode("latin-1") if value else None

    @property
    def clientAddr(self) -> tuple[str, int] | None:
        """
        The address by which limits, schedulers and logs know the client; L{None} if the
        header tells none. A client of a UNIX socket is known by a path, as one that comes
        through a UNIX socket here is.
        """
        source = self.source
        if isinstance(source, tuple):
            return source
        path = source or self.destination
        return (f"unix:{_shownPath(path)}", 0) if isinstance(path, bytes) and path else None


class ProxyHeaderReader:
    """
    A reader of the header of one connection, in any pieces. It keeps at most
    L{MAX_PROXY_HEADER} bytes and what came in the same piece, and looks at each byte a
    constant number of times.

    @param versions: the versions that may come: 1, 2 or both.
    """

    def __init__(self, versions: frozenset[int] = frozenset((1, 2))) -> None:
        self._versions = versions
        self._data = bytearray()
        self._searched = 0
        self._need = V2_FIXED

    @property
    def data(self) -> bytes:
        """
        The bytes that have come and belong to no header.
        """
        return bytes(self._data)

    @property
    def mayBeHeader(self) -> bool:
        """
        Whether the bytes that have come are those of a header, or may become it.
        """
        data = bytes(self._data[: len(SIGNATURE)])
        return SIGNATURE.startswith(data) or _V1.startswith(data) or data.startswith(_V1)

    @property
    def isHeader(self) -> bool:
        """
        Whether the bytes that have come begin a header beyond doubt.
        """
        return self._data.startswith((SIGNATURE, _V1))

    def append(self, data: bytes) -> None:
        """
        Take the next bytes without reading a header, to see whether they are those of one.
        """
        self._data += data

    def feed(self, data: bytes) -> ProxyHeader | None:
        """
        Take the next bytes.

        @return: the header when it is complete, and then L{data} is what follows it. L{None}
            if more bytes are needed.
        @raise ProxyHeaderError: no header can come of them.
        """
        self.append(data)
        if not self.mayBeHeader:
            raise ProxyHeaderError("it begins with no PROXY header")
        if self._data.startswith(SIGNATURE):
            return self._version2()
        if self._data.startswith(_V1):
            return self._version1()
        return None

    def _take(self, length: int) -> bytes:
        taken = bytes(self._data[:length])
        del self._data[:length]
        return taken

    def _version1(self) -> ProxyHeader | None:
        self._check(1)
        end = self._data.find(b"\n", self._searched, MAX_V1)
        if end < 0:
            if len(self._data) >= MAX_V1:
                raise ProxyHeaderError(f"its PROXY header does not end within {MAX_V1} bytes")
            self._searched = len(self._data)
            return None
        if self._data[end - 1] != ord("\r"):
            raise ProxyHeaderError("its PROXY header ends without a carriage return")
        return _parseLine(self._take(end + 1)[:-2])

    def _version2(self) -> ProxyHeader | None:
        self._check(2)
        data = self._data
        if len(data) > len(SIGNATURE):
            _checkCommand(data[len(SIGNATURE)])
        if len(data) < V2_FIXED:
            return None
        length = int.from_bytes(data[14:16], "big")
        if length > MAX_V2_REST:
            raise ProxyHeaderError(
                f"its PROXY header has {length} bytes of addresses and TLVs; {MAX_V2_REST} is "
                "the most"
            )
        if len(data) < V2_FIXED + length:
            return None
        return _parseBinary(self._take(V2_FIXED + length))

    def _check(self, version: int) -> None:
        if version not in self._versions:
            raise ProxyHeaderError(f"its PROXY header is of version {version}")


def _checkCommand(byte: int) -> None:
    if byte & 0xF0 != VERSION_2:
        raise ProxyHeaderError(f"its PROXY header is of version {byte >> 4}")
    if byte & 0x0F not in {LOCAL, PROXY}:
        raise ProxyHeaderError(f"its PROXY header has the unknown command {byte & 0x0F}")


def _parseLine(line: bytes) -> ProxyHeader:
    """
    Read a header of version 1, without its line end.
    """
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return ProxyHeader(1)
    found = _V1_ADDRESSES.fullmatch(line)
    if found is None:
        raise ProxyHeaderError("its PROXY header is malformed")
    family, source, destination, sourcePort, destinationPort = found.groups()
    ends: list[End] = []
    for host, port in ((source, sourcePort), (destination, destinationPort)):
        if int(port) > 65535:
            raise ProxyHeaderError("its PROXY header has a port over 65535")
        try:
            address = ipaddress.ip_address(host.decode("ascii"))
        except ValueError:
            raise ProxyHeaderError("its PROXY header has a malformed address") from None
        if address.version != int(family):
            raise ProxyHeaderError("its PROXY header has an address of the other family")
        ends.append((_plain(address), int(port)))
    return ProxyHeader(1, ends[0], ends[1])


def _parseBinary(header: bytes) -> ProxyHeader:
    """
    Read a whole header of version 2.
    """
    if header[12] & 0x0F == LOCAL:
        # The sender speaks for itself. Some senders name a family and leave its addresses
        # out, so nothing behind the length has a meaning.
        return ProxyHeader(2)
    family = header[13]
    if family not in _ADDRESSES:
        raise ProxyHeaderError(f"its PROXY header has the unknown family 0x{family:02x}")
    begin = V2_FIXED + _ADDRESSES[family]
    if len(header) < begin:
        raise ProxyHeaderError("its PROXY header is shorter than its addresses")
    if family == UNSPECIFIED:
        return ProxyHeader(2)
    try:
        tlvs = parseTLVs(header[begin:])
        tls = _checkTLVs(header, begin, tlvs)
    except TLVError as error:
        raise ProxyHeaderError(f"its PROXY header has {error}") from None
    source, destination = _ends(family, header[V2_FIXED:begin])
    return ProxyHeader(2, source, destination, tlvs, tls)


def _ends(family: int, data: bytes) -> tuple[End | None, End | None]:
    if family == UNIX_STREAM:
        return data[:UNIX_LENGTH].rstrip(b"\0"), data[UNIX_LENGTH:].rstrip(b"\0")
    if family not in {TCP_OVER_IPV4, TCP_OVER_IPV6}:
        return None, None
    size = 4 if family == TCP_OVER_IPV4 else 16
    hosts = (ipaddress.ip_address(data[at : at + size]) for at in (0, size))
    ports = (int.from_bytes(data[at : at + 2], "big") for at in (2 * size, 2 * size + 2))
    source, destination = zip(map(_plain, hosts), ports, strict=True)
    return source, destination


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(address if mapped is None else mapped)


def _checkTLVs(header: bytes, begin: int, tlvs: tuple[tuple[int, bytes], ...]) -> TLSFacts | None:
    """
    Check the TLVs that have a form, and the checksum if there is one.

    @return: the client's TLS session.
    """
    at, tls = begin, None
    for kind, value in tlvs:
        at += 3
        if kind == TLVKind.CRC32C:
            if len(value) != 4:
                raise TLVError("a checksum that has not 4 bytes")
            without = header[:at] + bytes(4) + header[at + 4 :]
            if crc32c(without) != int.from_bytes(value, "big"):
                raise TLVError("a wrong checksum")
        elif kind == TLVKind.UNIQUE_ID and len(value) > MAX_UNIQUE_ID:
            raise TLVError(f"an identifier of more than {MAX_UNIQUE_ID} bytes")
        elif kind == TLVKind.SSL:
            found = parseTLSFacts(value)
            tls = tls or found
        at += len(value)
    return tls


def _shownPath(path: bytes) -> str:
    """
    Write a path for logs: with characters alone that can be printed.
    """
    text = path.decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "?" for each in text)

"""
Tests for L{txlb.wire._proxy}.

The headers in hexadecimal are those of the test suites named beside them; where
none is named, of the specification's own layout (haproxy.org,
doc/proxy-protocol.txt).
"""

from __future__ import annotations

import ipaddress
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import encodeProxyV1, encodeProxyV2

#: The most that a header of version 1 may have, and receivers read.
MAX_V1 = 107

ports = st.integers(0, 65535)
v4 = st.ip_addresses(v=4)
v6 = st.ip_addresses(v=6)


class V1Tests(SynchronousTestCase):
    def test_tcp4(self) -> None:
        """
        As in Envoy's proxy_protocol_test.cc.
        """
        self.assertEqual(
            encodeProxyV1(("1.2.3.4", 65535), ("253.253.253.253", 1234)),
            bytes.fromhex(
                "50524f5859205443503420312e322e332e34203235332e3235332e3235332e3235332036353533352031"
                "3233340d0a"
            ),
        )

    def test_tcp6(self) -> None:
        """
        As in Envoy's proxy_protocol_test.cc and go-proxyproto's v1_test.go.
        """
        self.assertEqual(
            encodeProxyV1(("1:2:3::4", 65535, 0, 0), ("5:6::7:8", 1234, 0, 0)),
            bytes.fromhex(
                "50524f5859205443503620313a323a333a3a3420353a363a3a373a3820363535333520313233340d0a"
            ),
        )
        self.assertEqual(
            encodeProxyV1(("::1", 65533, 0, 0), ("::1", 65533, 0, 0)),
            bytes.fromhex("50524f58592054435036203a3a31203a3a312036353533332036353533330d0a"),
        )

    def test_unknown(self) -> None:
        """
        The short form, as the specification, Envoy and nginx have it, for
        everything that is not TCP.
        """
        header = bytes.fromhex("50524f585920554e4b4e4f574e0d0a")
        for client, server in (
            ("", "/run/web.sock"),
            (b"\0abstract", "/run/web.sock"),
            (("192.0.2.1", 1), "/run/web.sock"),
            ((), ()),
            (("nowhere", 1), ("192.0.2.1", 1)),
            ((1, 2), ("192.0.2.1", 1)),
            (("192.0.2.1", None), ("192.0.2.1", 1)),
        ):
            self.assertEqual(encodeProxyV1(client, server), header)

    def test_mapped(self) -> None:
        """
        A client of a listener for both families that came by IPv4 is told as
        such.
        """
        self.assertEqual(
            encodeProxyV1(("::ffff:192.0.2.1", 5, 0, 0), ("::ffff:192.0.2.2", 6, 0, 0)),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n",
        )

    def test_zone(self) -> None:
        """
        Zones mean nothing elsewhere and have no place in the header; receivers
        refuse them (go-proxyproto's v1_test.go).
        """
        self.assertEqual(
            encodeProxyV1(("fe80::1%eth0", 80, 0, 2), ("fe80::2%eth0", 443, 0, 2)),
            b"PROXY TCP6 fe80::1 fe80::2 80 443\r\n",
        )

    def test_mixed(self) -> None:
        """
        One header has one family: an IPv4 address is written as IPv6.
        """
        words = encodeProxyV1(("192.0.2.1", 5), ("2001:db8::2", 6, 0, 0)).split()
        self.assertEqual(words[:2], [b"PROXY", b"TCP6"])
        source = ipaddress.IPv6Address(words[2].decode())
        self.assertEqual(source.ipv4_mapped, ipaddress.IPv4Address("192.0.2.1"))
        self.assertEqual(words[3:], [b"2001:db8::2", b"5", b"6"])

    @given(st.one_of(st.tuples(v4, v4), st.tuples(v6, v6), st.tuples(v4, v6)), ports, ports)
    def test_bound(
        self,
        pair: tuple[
            ipaddress.IPv4Address | ipaddress.IPv6Address,
            ipaddress.IPv4Address | ipaddress.IPv6Address,
        ],
        sourcePort: int,
        destinationPort: int,
    ) -> None:
        """
        No header is longer than receivers read, and each says what it was made
        from.
        """
        source, destination = pair
        header = encodeProxyV1((str(source), sourcePort), (str(destination), destinationPort))
        self.assertLessEqual(len(header), MAX_V1)
        self.assertTrue(header.endswith(b"\r\n"))
        words = header[:-2].decode("ascii").split(" ")
        self.assertEqual(words[0], "PROXY")
        version = words[1].removeprefix("TCP")
        found = [ipaddress.ip_address(word) for word in words[2:4]]
        self.assertEqual({str(each.version) for each in found}, {version})
        self.assertEqual([plain(each) for each in found], [plain(each) for each in pair])
        self.assertEqual(words[4:], [str(sourcePort), str(destinationPort)])

    def test_longest(self) -> None:
        """
        The longest that there is fits.
        """
        address = "ffff:" * 7 + "fff0"
        header = encodeProxyV1((address, 65535, 0, 0), (address, 65535, 0, 0))
        self.assertEqual(len(header), 104)


def plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """
    An address as IPv4 where it can be.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class V2Tests(SynchronousTestCase):
    def test_tcp4(self) -> None:
        """
        As in Envoy's proxy_protocol_test.cc and in nginx's proxy_protocol2.t.
        """
        self.assertEqual(
            encodeProxyV2(("1.2.3.4", 773), ("0.1.1.2", 2)),
            bytes.fromhex("0d0a0d0a000d0a515549540a2111000c010203040001010203050002"),
        )
        self.assertEqual(
            encodeProxyV2(("192.0.2.1", 123), ("192.0.2.2", 5678)),
            bytes.fromhex("0d0a0d0a000d0a515549540a2111000cc0000201c0000202007b162e"),
        )

    def test_tcp6(self) -> None:
        """
        As in nginx's proxy_protocol2.t and in Varnish's o00001.vtc.
        """
        self.assertEqual(
            encodeProxyV2(("2001:db8::1", 123, 0, 0), ("2001:db8::2", 5678, 0, 0)),
            bytes.fromhex(
                "0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000120010db8000000000000"
                "000000000002007b162e"
            ),
        )
        self.assertEqual(
            encodeProxyV2(
                ("102:304:506::d0e:f10", 2314, 0, 0), ("8182:8384:8586::8d8e:8f80", 2828, 0, 0)
            ),
            bytes.fromhex(
                "0d0a0d0a000d0a515549540a212100240102030405060000000000000d0e0f1081828384858600000000"
                "00008d8e8f80090a0b0c"
            ),
        )

    def test_mapped(self) -> None:
        self.assertEqual(
            encodeProxyV2(("::ffff:192.0.2.1", 123, 0, 0), ("192.0.2.2", 5678)),
            encodeProxyV2(("192.0.2.1", 123), ("192.0.2.2", 5678)),
        )

    def test_mixed(self) -> None:
        """
        One header has one family: an IPv4 address is written as IPv6.
        """
        self.assertEqual(
            encodeProxyV2(("192.0.2.1", 123), ("2001:db8::2", 5678, 0, 0)),
            bytes.fromhex(
                "0d0a0d0a000d0a515549540a2121002400000000000000000000ffffc000020120010db8000000000000"
                "000000000002007b162e"
            ),
        )

    def test_unix(self) -> None:
        """
        Both paths, each filled up to 108 bytes with NUL (go-proxyproto's
        v2_test.go); one that is longer is cut.
        """
        header = bytes.fromhex("0d0a0d0a000d0a515549540a213100d8")
        self.assertEqual(
            encodeProxyV2("/run/src.sock", b"/run/dst.sock"),
            header + b"/run/src.sock" + bytes(95) + b"/run/dst.sock" + bytes(95),
        )
        self.assertEqual(encodeProxyV2("", "x" * 200), header + bytes(108) + b"x" * 108)
        self.assertEqual(encodeProxyV2("/\udcff", ""), header + b"/\xff" + bytes(214))

    def test_unspecified(self) -> None:
        """
        Of anything else the header says nothing, as the specification wants it.
        """
        header = bytes.fromhex("0d0a0d0a000d0a515549540a21000000")
        for client, server in (
            (("192.0.2.1", 1), "/run/web.sock"),
            ("", ("192.0.2.1", 1)),
            ((), ()),
            (("nowhere", 1), ("192.0.2.1", 1)),
        ):
            self.assertEqual(encodeProxyV2(client, server), header)

    @given(st.one_of(st.tuples(v4, v4), st.tuples(v6, v6), st.tuples(v6, v4)), ports, ports)
    def test_layout(
        self,
        pair: tuple[
            ipaddress.IPv4Address | ipaddress.IPv6Address,
            ipaddress.IPv4Address | ipaddress.IPv6Address,
        ],
        sourcePort: int,
        destinationPort: int,
    ) -> None:
        """
        The length is that of what follows, the family that of both addresses.
        """
        header = encodeProxyV2((str(pair[0]), sourcePort), (str(pair[1]), destinationPort))
        family, length = struct.unpack("!BH", header[13:16])
        self.assertEqual(length, len(header) - 16)
        size = {0x11: 4, 0x21: 16}[family]
        self.assertEqual(length, 2 * size + 4)
        found = [
            plain(ipaddress.ip_address(header[start : start + size])) for start in (16, 16 + size)
        ]
        self.assertEqual(found, [plain(each) for each in pair])
        self.assertEqual(struct.unpack("!HH", header[-4:]), (sourcePort, destinationPort))

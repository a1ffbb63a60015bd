"""
Tests for L{txlb.model._addresses}.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import AddressError, DuplicateName
from txlb.model import (
    InheritedAddress,
    ProxyGroup,
    ProxyService,
    TCPAddress,
    UNIXAddress,
    parseHostAddress,
    parseListenAddress,
)


class FormsTests(SynchronousTestCase):
    """
    Every form of an address, and what it is written as again.
    """

    def test_forms(self) -> None:
        for value, wanted, text in (
            ("127.0.0.1:8080", TCPAddress("127.0.0.1", 8080), "127.0.0.1:8080"),
            ("example.org:80", TCPAddress("example.org", 80), "example.org:80"),
            ("example.org.:80", TCPAddress("example.org.", 80), "example.org.:80"),
            ("my_host-1:65535", TCPAddress("my_host-1", 65535), "my_host-1:65535"),
            ("[::1]:80", TCPAddress("::1", 80), "[::1]:80"),
            ("[2001:DB8:0::1]:80", TCPAddress("2001:db8::1", 80), "[2001:db8::1]:80"),
            ("[fe80::1%eth0]:80", TCPAddress("fe80::1%eth0", 80), "[fe80::1%eth0]:80"),
            ("unix:/run/web.sock", UNIXAddress("/run/web.sock"), "unix:/run/web.sock"),
            (("127.0.0.1", 80), TCPAddress("127.0.0.1", 80), "127.0.0.1:80"),
            (["::1", 80], TCPAddress("::1", 80), "[::1]:80"),
            (("unix:/run/web.sock", 0), UNIXAddress("/run/web.sock"), "unix:/run/web.sock"),
        ):
            for parse in (parseHostAddress, parseListenAddress):
                found = parse(value)
                self.assertEqual(found, wanted)
                self.assertEqual(str(found), text)
                self.assertEqual(parse(text), wanted)
                self.assertEqual(parse(found), wanted)

    def test_everyInterface(self) -> None:
        """
        C{*:80} and C{:80} are every interface, which one can only listen on.
        """
        for value in ("*:80", ":80", ("", 80), ("*", 80)):
            found = parseListenAddress(value)
            self.assertEqual(found, TCPAddress("", 80))
            self.assertEqual(str(found), "*:80")
            error = self.assertRaises(AddressError, parseHostAddress, value)
            self.assertIn(repr(value), str(error))
            self.assertIn("stands for every interface", str(error))

    def test_port0(self) -> None:
        """
        Port 0 is for programs that listen, and for nobody else.
        """
        self.assertEqual(parseListenAddress("127.0.0.1:0"), TCPAddress("127.0.0.1", 0))
        error = self.assertRaises(AddressError, parseListenAddress, "127.0.0.1:0", False)
        self.assertEqual(
            str(error), "port 0 in '127.0.0.1:0' is no port to listen on; ports are 1 to 65535"
        )
        error = self.assertRaises(AddressError, parseHostAddress, "127.0.0.1:0")
        self.assertEqual(
            str(error), "port 0 in '127.0.0.1:0' can't be connected to; ports are 1 to 65535"
        )
        self.assertEqual(parseListenAddress("127.0.0.1:1", False), TCPAddress("127.0.0.1", 1))
        self.assertEqual(parseListenAddress("unix:/a", False), UNIXAddress("/a"))

    def test_literal(self) -> None:
        """
        There is nothing to resolve of an IP address or a path.
        """
        for value, literal in (
            ("127.0.0.1:1", True),
            ("[::1]:1", True),
            ("localhost:1", False),
            ("unix:/a", True),
        ):
            self.assertIs(parseHostAddress(value).isLiteral, literal)

    def test_values(self) -> None:
        """
        Addresses can't be changed, and can be keys.
        """
        address = TCPAddress("127.0.0.1", 80)
        with self.assertRaises(FrozenInstanceError):
            address.port = 81  # type: ignore[misc]  # that it can't be is the point
        with self.assertRaises(FrozenInstanceError):
            UNIXAddress("/a").path = "/b"  # type: ignore[misc]  # likewise
        self.assertEqual(len({address, TCPAddress("127.0.0.1", 80), UNIXAddress("/a")}), 2)


class WrongTests(SynchronousTestCase):
    """
    What is wrong with an address, in words that name it and the rule.
    """

    def assertWrong(self, value: object, *words: str) -> None:
        for parse in (parseHostAddress, parseListenAddress):
            error = self.assertRaises(AddressError, parse, value)
            for word in words:
                self.assertIn(word, str(error))

    def test_noPort(self) -> None:
        for value in ("127.0.0.1", "web", "", "[::1]"):
            self.assertWrong(value, repr(value), "has no port", "[::1]:port")

    def test_brackets(self) -> None:
        for value in ("::1:80", "2001:db8::1:80", "a:b:80", "::1"):
            self.assertWrong(value, repr(value), "stands in brackets", "[::1]:80")
        for value in ("[127.0.0.1]:80", "[]:80", "[web]:80"):
            self.assertWrong(value, repr(value), "only an IPv6 address stands in brackets")

    def test_port(self) -> None:
        for value in ("web:", "web:http", "web:8o", "web:-1", "web:+1", "web: 80", "web:80 "):
            self.assertWrong(value, repr(value), "is no port", "1 to 65535")
        for beyond in ("web:65536", "web:70000", "web:" + "9" * 5000, ("web", 70000), ("web", -1)):
            self.assertWrong(beyond, "does not exist", "1 to 65535")
        for port in (True, "80", 80.0, None):
            self.assertWrong(("web", port), f"port {port} in", "does not exist")

    def test_digits(self) -> None:
        """
        Only ASCII's digits are digits.
        """
        self.assertWrong("web:\u0668\u0660", "is no port")

    def test_host(self) -> None:
        for host in (
            "10.0.0.256",
            "10.0.0",
            "1",
            "we b",
            "-web",
            "web-",
            "web..org",
            ".",
            "a" * 64,
            ".".join(["a" * 60] * 5),
            "h\u00f6st",
            "web\n",
            "web/x",
        ):
            self.assertWrong(f"{host}:80", repr(host), "no IP address or host name")
        self.assertWrong("[1::2::3]:80", "'1::2::3' is no IP address or host name")
        self.assertWrong((None, 80), "None is no IP address or host name")

    def test_unix(self) -> None:
        for value in ("unix:", "unix:/a\0b", "unix:/" + "x" * 107, "unix:/" + "\u00e9" * 54):
            self.assertWrong(value, repr(value), "1 to 107 bytes")
        longest = "unix:/" + "x" * 106
        self.assertEqual(str(parseHostAddress(longest)), longest)

    def test_kind(self) -> None:
        for value in (None, 80, ("web",), ("web", 80, 0), {"web": 80}, b"web:80"):
            self.assertWrong(value, repr(value), "is no address", "write host:port")

    def test_madeByHand(self) -> None:
        """
        An address that was made without being read is checked like any other.
        """
        self.assertWrong(TCPAddress("we b", 80), "'we b' is no IP address or host name")
        self.assertWrong(TCPAddress("web", 70000), "port 70000 in 'web:70000' does not exist")
        self.assertWrong(UNIXAddress(""), "1 to 107 bytes")
        self.assertEqual(parseListenAddress(TCPAddress("*", 80)), TCPAddress("", 80))

    @given(st.one_of(st.text(max_size=30), st.from_regex(r"[\[\]:*a1.%/-]{0,12}:?[0-9]{0,6}")))
    def test_anyText(self, text: str) -> None:
        """
        Any text is an address, which reads back as the same, or an error.
        """
        try:
            found = parseListenAddress(text)
        except AddressError as error:
            self.assertTrue(str(error))
        else:
            self.assertEqual(parseListenAddress(str(found)), found)


class InheritedTests(SynchronousTestCase):
    """
    Sockets that systemd has opened, by their names.
    """

    def test_right(self) -> None:
        for name in ("web", "txlb.socket", "a b", "x" * 255, "80"):
            address = parseListenAddress(f"systemd:{name}")
            self.assertEqual(address, InheritedAddress(name))
            self.assertEqual(str(address), f"systemd:{name}")
            self.assertEqual(parseListenAddress(address), address)
            self.assertTrue(address.isLiteral)

    def test_wrong(self) -> None:
        for text in ("systemd:", "systemd:a:b", "systemd:\n", "systemd:ö", "systemd:" + "x" * 256):
            error = self.assertRaises(AddressError, parseListenAddress, text)
            self.assertIn("names no socket of systemd's", str(error))

    def test_noHost(self) -> None:
        """
        A host can't be reached at one.
        """
        for value in ("systemd:web", InheritedAddress("web")):
            self.assertRaises(AddressError, parseHostAddress, value)

    def test_service(self) -> None:
        groups = [ProxyGroup("g", enabled=True)]
        service = ProxyService("web", ["systemd:web", "127.0.0.1:80"], groups)
        self.assertEqual(service.addresses[0], InheritedAddress("web"))
        self.assertRaises(
            DuplicateName, ProxyService, "web", ["systemd:web", "systemd:web"], groups
        )

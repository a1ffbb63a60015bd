"""
Tests for L{txlb.model._addresses}.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import AddressError, DuplicateName, ModelError
from txlb.model import (
    InheritedAddress,
    ProxyGroup,
    ProxyService,
    TCPAddress,
    UNIXAddress,
    parseHostAddress,
    parseListenAddress,
    placeOf,
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
            ("[FE80::1%br-a.5]:80", TCPAddress("fe80::1%br-a.5", 80), "[fe80::1%br-a.5]:80"),
            ("[fe80::1%3]:80", TCPAddress("fe80::1%3", 80), "[fe80::1%3]:80"),
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

    def test_mapped(self) -> None:
        """
        An IPv4 address that is written as one of IPv6 is the IPv4 address. A socket
        that is bound to IPv6 alone can't listen on it, and a client of it is one of
        IPv4 (RFC 4291, 2.5.5.2).
        """
        for text in ("[::ffff:192.0.2.1]:80", "[::FFFF:c000:201]:80"):
            for parse in (parseHostAddress, parseListenAddress):
                self.assertEqual(parse(text), TCPAddress("192.0.2.1", 80))
                self.assertEqual(str(parse(text)), "192.0.2.1:80")

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
        for port in (True, 80.0, None):
            self.assertWrong(("web", port), f"port {port} in", "does not exist")
        self.assertWrong(("web", "80"), "port '80' in ('web', '80') is a text", "whole number")

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

    def test_unixPrintable(self) -> None:
        """
        A path goes into logs and onto terminals as it is, so that it has no
        characters that end lines, move the cursor or turn text round.
        """
        for character in (
            "\n",
            "\r",
            "\x1b",
            "\x7f",
            "\x85",
            "\u2028",
            "\u202e",
            "\u2066",
            "\udc80",
        ):
            self.assertWrong(f"unix:/run/a{character}b", "can't be printed", "line ends")
            self.assertWrong(UNIXAddress(f"/run/a{character}b"), "can't be printed")
        for text in ("unix:/run/a b", "unix:/run/d\u00e9j\u00e0", "unix:/run/\u05d0"):
            self.assertEqual(str(parseHostAddress(text)), text)

    def test_zone(self) -> None:
        """
        A zone names an interface, and only a link-local address has one: the system
        refuses to connect to or to listen on any other (RFC 4007, 6 and 11).
        """
        wrong = ("a\nb", "\x1b[2J", "\u202eeth0", "eth 0", "..", ".", "x" * 16, "a]b", "\u00e9")
        for zone in wrong:
            for host in (f"[fe80::1%{zone}]:80", (f"fe80::1%{zone}", 80)):
                self.assertWrong(host, repr(f"fe80::1%{zone}"), "is no network interface")
        for host in ("::1%lo", "2001:db8::1%eth0", "fd00::1%eth0"):
            self.assertWrong(f"[{host}]:80", repr(host), "only a link-local address", "fe80::/10")
        self.assertWrong("[fe80::1]:80", "'fe80::1' is a link-local address", "[fe80::1%eth0]:80")
        self.assertWrong("[fe80::1%]:80", "'fe80::1%' is no IP address or host name")
        self.assertWrong("[fe80::1%a/b]:80", "'fe80::1%a/b' is no IP address or host name")

    def test_URL(self) -> None:
        """
        A URL is answered with the address in it.
        """
        for text, meant in (
            ("http://127.0.0.1:7001/", "'127.0.0.1:7001'"),
            ("HTTPS://user@web.example/x?y", "'web.example:443'"),
            ("http://[::1]:80", "'[::1]:80'"),
            ("ws://web:", "'web:80'"),
            ("ftp://web", "'web:port'"),
            ("http:///", "host:port"),
        ):
            self.assertWrong(text, repr(text), f"is a URL; the address alone is {meant}")

    def test_foreignEndpoint(self) -> None:
        """
        Endpoints of Twisted's that are more than an address are answered with the address
        in them.
        """
        for text, meant in (
            ("ssl:443:privateKey=a.pem", "'*:443'"),
            ("haproxy:tcp:8080:interface=127.0.0.1", "'127.0.0.1:8080'"),
        ):
            self.assertWrong(text, "is an endpoint of Twisted's; the address alone is " + meant)

    def test_barePath(self) -> None:
        for path in ("/run/web.sock", "/run/web.sock:80"):
            self.assertWrong(path, f"is 'unix:{path}'")

    def test_barePort(self) -> None:
        for value in (8080, "8080"):
            self.assertWrong(value, "is no address but a port", "'127.0.0.1:8080'")
        self.assertWrong("9" * 40, "'127.0.0.1:80'")

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


class PermissionTests(SynchronousTestCase):
    """
    Whose a listener's UNIX socket is.
    """

    def test_right(self) -> None:
        """
        By default it is the process's alone, as nothing else can be meant.
        """
        self.assertEqual(parseListenAddress("unix:/a"), UNIXAddress("/a", mode=0o600))
        for settings in (
            {"mode": 0},
            {"mode": 0o777},
            {"user": "www-data"},
            {"group": "domain.users"},
            {"user": "web@example"},
            {"mode": 0o660, "user": "0", "group": "65534"},
        ):
            address = UNIXAddress("/a", **settings)
            self.assertEqual(parseListenAddress(address), address)
            self.assertEqual(str(address), "unix:/a")
            self.assertNotEqual(address, UNIXAddress("/a"))
            self.assertEqual(placeOf(address), UNIXAddress("/a"))
        made = parseListenAddress(UNIXAddress("/a", user=1000))  # type: ignore[arg-type]  # a number
        self.assertEqual(made, UNIXAddress("/a", user="1000"))
        self.assertEqual(placeOf(TCPAddress("::1", 80)), TCPAddress("::1", 80))

    def test_wrong(self) -> None:
        for settings, words in (
            ({"mode": 0o1660}, "mode of unix:/a is 944; it is a number from 0 to 0o777"),
            ({"mode": -1}, "is -1"),
            ({"mode": True}, "is True"),
            ({"mode": "0660"}, "is '0660'"),
            (
                {"user": ""},
                "user of unix:/a is ''; it is the name of a user of this machine",
            ),
            ({"user": "a b"}, "'a b'"),
            ({"user": "-a"}, "'-a'"),
            ({"user": True}, "is True"),
            ({"group": "a\nb"}, "group of unix:/a is 'a\\nb'"),
            ({"group": "a" * 257}, "it is the name of a group"),
        ):
            address = UNIXAddress("/a", **settings)
            error = self.assertRaises(ModelError, parseListenAddress, address)
            self.assertIn(words, str(error))

    def test_host(self) -> None:
        """
        A host's socket is the host's.
        """
        error = self.assertRaises(AddressError, parseHostAddress, UNIXAddress("/a", mode=0o660))
        self.assertIn("unix:/a of a host has no mode, user or group", str(error))
        self.assertEqual(parseHostAddress(UNIXAddress("/a")), UNIXAddress("/a"))


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
        error = self.assertRaises(AddressError, parseHostAddress, "systemd:web")
        self.assertIn("'systemd:web' is a socket to listen on; a host is reached at", str(error))
        self.assertRaises(AddressError, parseHostAddress, InheritedAddress("web"))

    def test_service(self) -> None:
        groups = [ProxyGroup("g", enabled=True)]
        service = ProxyService("web", ["systemd:web", "127.0.0.1:80"], groups)
        self.assertEqual(service.addresses[0], InheritedAddress("web"))
        self.assertRaises(
            DuplicateName, ProxyService, "web", ["systemd:web", "systemd:web"], groups
        )

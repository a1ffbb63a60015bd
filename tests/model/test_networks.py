"""
Tests for L{txlb.model._networks}.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import AddressError
from txlb.model import parseNetwork, readNetwork


class NetworkTests(SynchronousTestCase):
    def test_right(self) -> None:
        """
        However it is written, one network is one text.
        """
        for text, wanted in (
            ("all", "all"),
            ("unix", "unix"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("0::1/128", "::1"),
            ("::/0", "::/0"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", None),
        ):
            if wanted is None:
                self.assertRaises(AddressError, parseNetwork, text)
            else:
                self.assertEqual(parseNetwork(text), wanted)
        self.assertEqual(parseNetwork(IPv4Network("10.0.0.0/8")), "10.0.0.0/8")

    def test_wrong(self) -> None:
        """
        The error says what would be right.
        """
        for text, words in (
            ("", "'' is no network of clients; write 192.0.2.0/24"),
            ("example.com", "'example.com' is no network of clients; write"),
            ("10.0.0.256", "is no network of clients"),
            ("10.0.0.0/33", "is no network of clients"),
            ("010.0.0.1", "is no network of clients"),
            (" 10.0.0.1", "is no network of clients"),
            ("fe80::1%eth0", "has an interface's name"),
            ("10.0.0.1/8", "has bits set behind its prefix; the network is 10.0.0.0/8"),
            ("x" * 1000, "… is no network of clients"),
        ):
            with self.subTest(text=text):
                error = self.assertRaises(AddressError, parseNetwork, text)
                self.assertIn(words, str(error))
                self.assertLess(len(str(error)), 250)

    @given(st.ip_addresses(), st.integers(0, 128))
    def test_again(self, address: object, prefix: int) -> None:
        """
        What was read is read again as the same.
        """
        try:
            once = parseNetwork(f"{address}/{prefix}")
        except AddressError:
            return
        self.assertEqual(parseNetwork(once), once)
        self.assertIn(once.partition("/")[0], str(readNetwork(once)))

"""
Tests for counts of what each client has under way.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.proxy._clientcounts import ClientCounts


class ClientCountsTests(SynchronousTestCase):
    """
    L{ClientCounts}.
    """

    def setUp(self) -> None:
        self.counts = ClientCounts()

    def test_clients(self) -> None:
        """
        An IPv4 address is one client, however it is written, and so is an IPv6 network of 64 bits.
        """
        for address in (("192.0.2.1", 1), ("::ffff:192.0.2.1", 2, 0, 0)):
            self.counts.add(address)
        for address in (("2001:db8::1", 1, 0, 0), ("2001:db8::2:1", 2, 0, 0), ("fe80::1%lo", 1)):
            self.counts.add(address)
        self.assertEqual(self.counts.of(("192.0.2.1", 9)), 2)
        self.assertEqual(self.counts.of(("192.0.2.2", 9)), 0)
        self.assertEqual(self.counts.of(("2001:db8::9", 9, 0, 0)), 2)
        self.assertEqual(self.counts.of(("2001:db8:0:1::1", 9, 0, 0)), 0)
        self.assertEqual(len(self.counts), 3)

    def test_remove(self) -> None:
        """
        A client without anything is forgotten.
        """
        address = ("192.0.2.1", 1)
        key = self.counts.add(address)
        self.assertEqual(self.counts.add(address), key)
        self.counts.remove(key)
        self.assertEqual(self.counts.of(address), 1)
        self.counts.remove(key)
        self.assertEqual((self.counts.of(address), len(self.counts)), (0, 0))

    def test_UNIX(self) -> None:
        """
        The clients of a UNIX socket are not counted, nor is what has no address.
        """
        for address in ("", b"/run/x.sock", ("unix:/run/x.sock", 0), None):
            key = self.counts.add(address)
            self.assertIsNone(key)
            self.assertEqual(self.counts.of(address), 0)
            self.counts.remove(key)
        self.assertEqual(len(self.counts), 0)

"""
Tests for L{txlb.connecting._clients}.
"""

from __future__ import annotations

import ipaddress

from twisted.trial.unittest import SynchronousTestCase

from txlb.connecting._clients import packedClient


class PackedTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        """
        As accept has them.
        """
        for address, wanted in (
            (("192.0.2.1", 80), "192.0.2.1"),
            (("2001:db8::1", 80, 0, 0), "2001:db8::1"),
            (("fe80::1%eth0", 80, 0, 2), "fe80::1"),
            (("::ffff:192.0.2.1", 80, 0, 0), "192.0.2.1"),
            (("::", 80), "::"),
        ):
            self.assertEqual(packedClient(address), ipaddress.ip_address(wanted).packed)

    def test_none(self) -> None:
        """
        Clients of UNIX sockets have none, as accept has them and as dials do.
        """
        for address in ("", b"", None, (), ("unix:/run/web", 0), ("unix:/a:b", 0), (5, 6)):
            self.assertIsNone(packedClient(address))

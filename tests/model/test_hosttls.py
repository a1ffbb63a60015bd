"""
TLS that begins here, as configured.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import HostMapper, HostTLS, ProxyGroup, ProxyHost, effectiveTLS


class HostTLSTests(SynchronousTestCase):
    """
    L{HostTLS} of hosts and groups.
    """

    def test_short(self) -> None:
        """
        A host takes a boolean.
        """
        for given, expected in ((None, None), (True, HostTLS()), (False, HostTLS(on=False))):
            self.assertEqual(ProxyHost("h", "127.0.0.1", 1, tls=given).tls, expected)
            self.assertEqual(ProxyGroup("g", tls=given).tls, expected)
            mapper = HostMapper(proxy="127.0.0.1:80", host="h", address="127.0.0.1:1", tls=given)
            self.assertEqual(mapper.proxyHost().tls, expected)

    def test_wrong(self) -> None:
        wrong: Any = "yes"
        error = self.assertRaises(ModelError, ProxyHost, "h", "127.0.0.1", 1, tls=wrong)
        self.assertIn("tls of host 'h' is 'yes'; it is a HostTLS", str(error))
        for settings in (
            {"serverName": "a b"},
            {"minTLSVersion": "1.1"},
            {"verify": "maybe"},
            {"alpn": 5},
            {"on": "maybe"},
        ):
            self.assertRaises(ModelError, lambda more=settings: HostTLS(**more))

    def test_effective(self) -> None:
        """
        A host has the settings of its group that it does not say itself.
        """
        group = HostTLS(ca="ca.pem", serverName="a.example", verify=False)
        named = HostTLS(on=None, serverName="b.example")
        for own, of, expected in (
            (None, None, None),
            (None, group, group),
            (HostTLS(on=False), group, None),
            (
                HostTLS(on=None, serverName="b.example"),
                group,
                replace(group, serverName="b.example"),
            ),
            (named, None, None),
            (HostTLS(verify=True), group, replace(group, verify=True)),
            (HostTLS(), None, HostTLS()),
            (HostTLS(), replace(group, on=False), replace(group, on=True)),
        ):
            self.assertEqual(effectiveTLS(own, of), expected)
        self.assertTrue(HostTLS().verifies)
        self.assertFalse(group.verifies)

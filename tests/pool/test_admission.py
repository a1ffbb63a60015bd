"""
Tests for L{txlb.pool.Admission}.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.model import ProxyGroup, ProxyService, parseNetwork
from txlb.pool import Admission, RefusalKind
from txlb.pool._admission import Networks


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def service(**settings: Any) -> ProxyService:
    return ProxyService("web", ["*:80"], [ProxyGroup("g", enabled=True)], **settings)


ALICE, BOB = packed("192.0.2.1"), packed("192.0.2.2")


class NetworksTests(SynchronousTestCase):
    def check(self, allow: list[str], deny: list[str], allowed: str, denied: str) -> None:
        networks = Networks(tuple(allow), tuple(deny))
        for text in allowed.split():
            self.assertTrue(networks.allows(None if text == "unix" else packed(text)), text)
        for text in denied.split():
            self.assertFalse(networks.allows(None if text == "unix" else packed(text)), text)

    def test_denyOnly(self) -> None:
        self.check(["all"], ["10.0.0.0/8", "2001:db8::/32"],
                   "192.0.2.1 11.0.0.0 9.255.255.255 ::1 2001:db9:: unix",
                   "10.0.0.0 10.255.255.255 2001:db8::1")  # fmt: skip
        self.check([], ["10.0.0.0/8"], "192.0.2.1 ::1 unix", "10.0.0.1")

    def test_allowOnly(self) -> None:
        """
        Where it is said who may come in, nobody else may.
        """
        self.check(["10.0.0.0/8"], [], "10.0.0.1", "192.0.2.1 ::1 unix")
        self.check(["10.0.0.0/8", "unix"], [], "10.0.0.1 unix", "192.0.2.1 ::1")

    def test_mostSpecific(self) -> None:
        self.check(["10.0.0.0/8", "10.1.2.3"], ["10.1.0.0/16"],
                   "10.0.0.1 10.1.2.3 10.2.0.0", "10.1.2.4 10.1.0.0 192.0.2.1")  # fmt: skip

    def test_words(self) -> None:
        self.check(["10.0.0.1"], ["all"], "10.0.0.1", "10.0.0.2 ::1 unix")
        self.check([], ["all"], "", "10.0.0.2 ::1 unix")
        self.check([], ["unix"], "10.0.0.2 ::1", "unix")
        self.check(["0.0.0.0/0"], ["all"], "10.0.0.2", "::1 unix")

    @given(st.data())
    def test_asWritten(self, data: st.DataObject) -> None:
        """
        It finds what a look at each network would find.
        """
        addresses = st.one_of(
            st.integers(0, 255).map(lambda n: ipaddress.ip_address(0x0A000000 + n)),
            st.integers(0, 255).map(lambda n: ipaddress.ip_address((0x20010DB8 << 96) + n)),
        )

        def network(address: Any, length: int) -> str:
            most = address.max_prefixlen
            prefix = max(0, most - length)
            return parseNetwork(ipaddress.ip_network(f"{address}/{prefix}", strict=False))

        texts = data.draw(
            st.lists(st.builds(network, addresses, st.integers(0, 9)), max_size=12, unique=True)
        )
        cut = data.draw(st.integers(0, len(texts)))
        networks = Networks(tuple(texts[:cut]), tuple(texts[cut:]))
        client = data.draw(addresses)
        holding = [
            (each.prefixlen, text in texts[:cut])
            for text in texts
            for each in [ipaddress.ip_network(text)]
            if client in each
        ]
        wanted = max(holding)[1] if holding else not cut
        self.assertEqual(networks.allows(client.packed), wanted)


class AdmissionTests(SynchronousTestCase):
    def admit(self, admission: Admission, client: bytes | None, now: float = 0.0) -> str:
        refusal = admission.admit(client, now)
        return "in" if refusal is None else refusal.value

    def test_nothing(self) -> None:
        """
        Where nothing is configured there is nothing to ask.
        """
        admission = Admission(service())
        self.assertFalse(admission.active)
        self.assertEqual(self.admit(admission, ALICE), "in")
        self.assertEqual(admission.countOf(ALICE), 0)

    def test_denied(self) -> None:
        admission = Admission(service(deny=["192.0.2.1"]))
        self.assertTrue(admission.active)
        self.assertEqual(self.admit(admission, ALICE), "denied")
        self.assertEqual(self.admit(admission, BOB), "in")
        self.assertEqual(self.admit(admission, None), "in")

    def test_perClient(self) -> None:
        admission = Admission(service(maxConnectionsPerClient=2))
        found = [self.admit(admission, ALICE) for _ in range(3)]
        self.assertEqual(found, ["in", "in", "client-limit"])
        self.assertEqual(self.admit(admission, BOB), "in")
        self.assertEqual([self.admit(admission, None) for _ in range(3)], ["in"] * 3)
        admission.left(None)
        admission.left(ALICE)
        self.assertEqual(self.admit(admission, ALICE), "in")
        for _ in range(5):
            admission.left(ALICE)
        self.assertEqual(admission.countOf(ALICE), 0)
        self.assertEqual(admission.countOf(BOB), 1)

    def test_IPv6(self) -> None:
        """
        All addresses of one customer are one client.
        """
        admission = Admission(service(maxConnectionsPerClient=1))
        self.assertEqual(self.admit(admission, packed("2001:db8::1")), "in")
        self.assertEqual(self.admit(admission, packed("2001:db8::2")), "client-limit")
        self.assertEqual(self.admit(admission, packed("2001:db8:0:1::1")), "in")
        admission.left(packed("2001:db8::3"))
        self.assertEqual(self.admit(admission, packed("2001:db8::2")), "in")

    def test_linkLocal(self) -> None:
        """
        All neighbours have addresses of one network of 64 bits, so that each of them
        counts alone.
        """
        admission = Admission(service(maxConnectionsPerClient=1))
        for text in ("fe80::1", "fe80::2", "febf::1"):
            self.assertIsNone(admission.admit(packed(text), 0))
            self.assertIs(admission.admit(packed(text), 0), RefusalKind.CLIENT_LIMIT)
        self.assertEqual(admission.countOf(packed("fe80::1")), 1)
        admission.left(packed("fe80::1"))
        self.assertIsNone(admission.admit(packed("fe80::1"), 0))
        # The next one is no link-local network.
        self.assertIsNone(admission.admit(packed("fec0::1"), 0))
        self.assertIs(admission.admit(packed("fec0::2"), 0), RefusalKind.CLIENT_LIMIT)

    def test_rate(self) -> None:
        """
        Who is refused for another reason spends no token, and who comes too often
        is not counted.
        """
        admission = Admission(
            service(maxConnectionsPerClient=2, ratePerClient=1.0, burstPerClient=3)
        )
        found = [self.admit(admission, ALICE) for _ in range(5)]
        self.assertEqual(found, ["in", "in", *["client-limit"] * 3])
        admission.left(ALICE)
        self.assertEqual(self.admit(admission, ALICE), "in")
        admission.left(ALICE)
        self.assertEqual(self.admit(admission, ALICE), "client-rate")
        self.assertEqual(admission.countOf(ALICE), 1)
        self.assertEqual(self.admit(admission, ALICE, 1.0), "in")
        self.assertEqual([self.admit(admission, None) for _ in range(9)], ["in"] * 9)

    def test_kinds(self) -> None:
        words = {kind.value for kind in RefusalKind}
        self.assertLessEqual({"denied", "client-limit", "client-rate"}, words)


class FollowTests(SynchronousTestCase):
    """
    The settings change while clients are connected.
    """

    def test_countingBegins(self) -> None:
        """
        Those who are here count.
        """
        admission = Admission(service())
        admission.census = lambda: [ALICE, ALICE, BOB, None]
        admission.follow(service(maxConnectionsPerClient=2))
        self.assertTrue(admission.active and admission.counting)
        self.assertEqual((admission.countOf(ALICE), admission.countOf(BOB)), (2, 1))
        self.assertIs(admission.admit(ALICE, 0.0), RefusalKind.CLIENT_LIMIT)

    def test_countingGoesOn(self) -> None:
        admission = Admission(service(maxConnectionsPerClient=1))
        admission.census = lambda: [BOB] * 5
        admission.admit(ALICE, 0.0)
        admission.follow(service(maxConnectionsPerClient=2))
        self.assertEqual((admission.countOf(ALICE), admission.countOf(BOB)), (1, 0))
        self.assertIsNone(admission.admit(ALICE, 0.0))

    def test_countingEnds(self) -> None:
        admission = Admission(service(maxConnectionsPerClient=1))
        admission.admit(ALICE, 0.0)
        admission.follow(service())
        self.assertFalse(admission.active or admission.counting)
        self.assertEqual(admission.countOf(ALICE), 0)
        admission.left(ALICE)
        admission.follow(service(maxConnectionsPerClient=1))
        self.assertIsNone(admission.admit(ALICE, 0.0))

    def test_rateStays(self) -> None:
        """
        Another setting gives nobody new tokens; another rate begins anew.
        """
        admission = Admission(service(ratePerClient=1.0))
        self.assertTrue(admission.active)
        admission.admit(ALICE, 0.0)
        admission.follow(service(ratePerClient=1.0, deny=["10.0.0.0/8"]))
        self.assertIs(admission.admit(ALICE, 0.0), RefusalKind.CLIENT_RATE)
        admission.follow(service(ratePerClient=2.0))
        self.assertIsNone(admission.admit(ALICE, 0.0))
        admission.follow(service())
        self.assertFalse(admission.active)

    def test_networks(self) -> None:
        admission = Admission(service(deny=["192.0.2.1"]))
        admission.follow(service(allow=["192.0.2.1"]))
        self.assertIsNone(admission.admit(ALICE, 0.0))
        self.assertIs(admission.admit(BOB, 0.0), RefusalKind.DENIED)
        admission.follow(service())
        self.assertIsNone(admission.admit(BOB, 0.0))

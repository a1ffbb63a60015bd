"""
Tests for L{txlb.model._merge}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import serviceLists
from txlb.errors import ModelError
from txlb.model import Listener, ProxyGroup, ProxyHost, ProxyService, mergeServices

H1 = ProxyHost("h1", "127.0.0.1", 7001)
H2 = ProxyHost("h2", "127.0.0.1", 7002)
H3 = ProxyHost("h3", "127.0.0.1", 7003)
PROD = ProxyGroup("prod", "leastc", True, [H1, H2])
TEST = ProxyGroup("test", "roundr", False, [H1])
WEB = ProxyService("web", ["127.0.0.1:80"], [PROD, TEST])
HTTP, ALSO, OTHER = (Listener(("127.0.0.1", port)) for port in (81, 82, 83))
DNS = ProxyService("dns", ["127.0.0.1:53"], [PROD])


def web(*hosts: ProxyHost, **more: Any) -> ProxyService:
    return replace(WEB, groups=(replace(PROD, hosts=hosts, **more), TEST))


class MergeTests(SynchronousTestCase):
    def merged(self, mine: list[ProxyService], theirs: list[ProxyService]) -> list[ProxyService]:
        merged = mergeServices([WEB], mine, theirs)
        self.assertEqual(merged.conflicts, ())
        return list(merged.services)

    def conflicts(self, mine: list[ProxyService], theirs: list[ProxyService]) -> list[str]:
        merged = mergeServices([WEB], mine, theirs)
        self.assertEqual(merged.services, ())
        return [str(conflict) for conflict in merged.conflicts]

    def test_apart(self) -> None:
        """
        Changes of different things come together: of two hosts, of two settings
        of a host, of a group and its hosts, of two services.
        """
        heavy = replace(H1, weight=5)
        self.assertEqual(
            self.merged([web(heavy, H2)], [web(H1, replace(H2, port=9))]),
            [web(heavy, replace(H2, port=9))],
        )
        self.assertEqual(
            self.merged([web(heavy, H2)], [web(replace(H1, port=9), H2)]),
            [web(replace(heavy, port=9), H2)],
        )
        self.assertEqual(
            self.merged([web(heavy, H2)], [web(H1, H2, scheduler="rand"), DNS]),
            [web(heavy, H2, scheduler="rand"), DNS],
        )
        self.assertEqual(
            self.merged([replace(web(heavy, H2), retries=0)], [replace(WEB, idleTimeout=1.0)]),
            [replace(web(heavy, H2), retries=0, idleTimeout=1.0)],
        )

    def test_hosts(self) -> None:
        """
        What one adds or removes, the other keeps.
        """
        self.assertEqual(self.merged([web(H1, H2, H3)], [web(H2)]), [web(H2, H3)])
        self.assertEqual(self.merged([web(H2)], [web(H1, H2, H3)]), [web(H2, H3)])
        self.assertEqual(self.merged([web(H1, H2, H3)], [web(H1, H2, H3)]), [web(H1, H2, H3)])

    def test_order(self) -> None:
        heavy = replace(H1, weight=5)
        self.assertEqual(self.merged([web(heavy, H2)], [web(H2, H1)]), [web(H2, heavy)])
        self.assertEqual(self.merged([web(H2, H1)], [web(heavy, H2)]), [web(H2, heavy)])

    def test_group(self) -> None:
        """
        Which group is enabled is one thing of the service.
        """
        switched = replace(WEB, groups=(replace(PROD, enabled=False), replace(TEST, enabled=True)))
        theirs = replace(WEB, groups=(replace(PROD, scheduler="rand"), TEST))
        (found,) = self.merged([switched], [theirs])
        self.assertEqual(found.enabledGroup.name, "test")
        self.assertEqual(found.getGroup("prod").scheduler, "rand")

    def test_sameSetting(self) -> None:
        self.assertEqual(
            self.conflicts([web(replace(H1, weight=5), H2)], [web(replace(H1, weight=3), H2)]),
            ["host web/prod/h1: weight is 5 live and 3 in the file; it was 1"],
        )
        places = "127.0.0.1:9 live and [::1]:7001 in the file"
        self.assertEqual(
            self.conflicts([web(replace(H1, port=9), H2)], [web(replace(H1, ipOrHost="::1"), H2)]),
            [f"host web/prod/h1: address is {places}; it was 127.0.0.1:7001"],
        )
        places = "127.0.0.1:81, 127.0.0.1:82 live and 127.0.0.1:83 in the file"
        listening = replace(WEB, listeners=(HTTP, ALSO))
        self.assertEqual(
            self.conflicts([listening], [replace(WEB, listeners=(OTHER,))]),
            [f"service web: listeners is {places}; it was 127.0.0.1:80"],
        )

    def test_gone(self) -> None:
        heavy = web(replace(H1, weight=5), H2)
        self.assertEqual(
            self.conflicts([heavy], [web(H2)]),
            ["host web/prod/h1 was changed live, and removed in the file"],
        )
        self.assertEqual(
            self.conflicts([web(H2)], [heavy]),
            ["host web/prod/h1 was removed live, and changed in the file"],
        )
        self.assertEqual(
            self.conflicts([web(H1, H2, H3)], [web(H1, H2, replace(H3, port=1))]),
            ["host web/prod/h3 was added live and in the file, and is not the same"],
        )

    def test_togetherWrong(self) -> None:
        """
        Each is right, and both together are not.
        """
        switched = replace(WEB, groups=(replace(PROD, enabled=False), replace(TEST, enabled=True)))
        self.assertEqual(
            self.conflicts([switched], [replace(WEB, groups=(PROD,))]),
            ["group web/test was changed live, and removed in the file"],
        )
        self.assertRaises(ModelError, mergeServices, [WEB, DNS], [WEB], [DNS])

    @settings(max_examples=40)
    @given(serviceLists(), serviceLists())
    def test_oneChanges(self, a: list[ProxyService], b: list[ProxyService]) -> None:
        """
        Where only one has changed something, or both the same, that is it.
        """
        for mine, theirs, wanted in ((b, a, b), (a, b, b), (b, b, b), (a, a, a)):
            merged = mergeServices(a, mine, theirs)
            self.assertEqual((list(merged.services), merged.conflicts), (wanted, ()))

    @settings(max_examples=40)
    @given(serviceLists(), serviceLists(), serviceLists())
    def test_either(
        self, a: list[ProxyService], b: list[ProxyService], c: list[ProxyService]
    ) -> None:
        """
        Any two changes of anything: they are one, or there is a conflict, or the
        model says why they can't be; and never does either get lost.
        """
        try:
            merged = mergeServices(a, b, c)
        except ModelError:
            return
        self.assertNotEqual(bool(merged.services), bool(merged.conflicts))
        names = {each.name for each in merged.services}
        for each in merged.services:
            self.assertEqual(each.name in {s.name for s in (*b, *c)}, True)
        if merged.services:
            for mine in (b, c):
                other = c if mine is b else b
                for service in mine:
                    # Removed by the other, or there.
                    removed = service in a and service.name not in {s.name for s in other}
                    self.assertTrue(removed or service.name in names)

"""
Tests for L{txlb.cluster._items}, L{txlb.cluster._making}, L{txlb.cluster._entry} and
L{txlb.cluster._overrides}.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import txlb.application  # noqa: F401 - so that there are kinds of checks
from txlb import schedulers
from txlb.cluster import Entry, Item, Overrides, itemsBetween, withItems
from txlb.cluster import _overrides as overridesmodule
from txlb.errors import ModelError, TxlbError
from txlb.manager import ProxyManager, proxyManagerFactory
from txlb.model import CLONES, HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.model.kinds import SecretText

SERVICES = [
    ProxyService(
        "web",
        ["127.0.0.1:80"],
        [
            ProxyGroup(
                "main",
                enabled=True,
                hosts=[ProxyHost("a", "127.0.0.1", 81), ProxyHost("b", "127.0.0.1", 82)],
            ),
            ProxyGroup("other", hosts=[ProxyHost("c", "127.0.0.1", 83)]),
        ],
    )
]


class ItemTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.one, self.two = proxyManagerFactory(SERVICES), proxyManagerFactory(SERVICES)

    def share(self, manager: ProxyManager, before: Any) -> list[Item]:
        """
        Make what has changed on the other manager, by way of JSON.
        """
        items, rest = itemsBetween(before, list(manager.services.values()))
        self.assertEqual(rest, [])
        told = Entry("id", "m", "ssh:a", 1.0, 2, tuple(items), {}).encoded()
        entry = Entry.of(told)
        self.assertEqual((entry.items, entry.wrong), (tuple(items), ()))
        wanted, wrong = withItems(self.two.services.values(), entry.items)
        self.assertEqual(wrong, [])
        self.two.apply(wanted)
        return items

    def test_verbs(self) -> None:
        """
        What a verb changes on one manager is made on another one.
        """
        one = self.one
        verbs = (
            lambda: one.setWeight("web", "main", "a", 5),
            lambda: one.drain("web", "main", "a"),
            lambda: one.ready("web", "main", "a"),
            lambda: one.addHost("web", "main", "d", "127.0.0.1:84", 3, maxConnections=7),
            lambda: one.addHost("web", "main", "e", "unix:/run/e", check=HealthCheck("tcp", 5)),
            lambda: one.setHost("web", "main", "d", backup=True, maxConnections=None),
            lambda: one.delHost("web", "main", "b"),
            lambda: one.setScheduler("web", "main", "maglev", boundedLoad=1.5),
            lambda: one.setGroup("web", "main", sendProxy="v2", passTLVs=True, maxQueue=9),
            lambda: one.switchGroup("web", "main", "other"),
            lambda: one.setAdmission("web", deny=["192.0.2.0/24"], ratePerClient=3),
            lambda: one.setAdmission("web", deny=[]),
            lambda: one.setCheck("web", "main", HealthCheck("http", 3, options={"path": "/x"})),
            lambda: one.setCheck("web", "main", HealthCheck("http", 4, options={"path": "/x"})),
            lambda: one.setCheck("web", "main", HealthCheck("tcp"), "a"),
            lambda: one.setCheck("web", "main", None),
            lambda: one.discover("web", "main", "file", path="/tmp/x"),
            lambda: one.discover("web", "main", None),
        )
        for number, verb in enumerate(verbs):
            with self.subTest(number):
                before = list(one.services.values())
                verb()
                self.assertTrue(self.share(one, before))
                self.assertEqual(
                    list(one.services.values()), list(self.two.services.values()), number
                )

    def test_moved(self) -> None:
        before = list(self.one.services.values())
        hosts = [ProxyHost("a", "127.0.0.2", 81, 4), ProxyHost("b", "127.0.0.1", 82)]
        group = ProxyGroup("main", enabled=True, hosts=hosts)
        self.one.apply([before[0].withGroup(group)])
        self.share(self.one, before)
        self.assertEqual(list(self.one.services.values()), list(self.two.services.values()))

    def test_twice(self) -> None:
        """
        A change that was made already changes nothing.
        """
        before = list(self.one.services.values())
        self.one.addHost("web", "main", "d", "127.0.0.1:84", check=HealthCheck("tcp"))
        self.one.setGroup("web", "main", maxQueue=3)
        self.one.setAdmission("web", allow=["192.0.2.0/24"])
        items = self.share(self.one, before)
        wanted, _ = withItems(self.two.services.values(), items)
        self.assertIs(wanted[0], self.two.services["web"])

    def test_ofEachMember(self) -> None:
        """
        Listeners, and hosts that sources find, are not shared; what can't be is told.
        """
        before = list(self.one.services.values())
        self.one.addHost("web", "main", "found", "127.0.0.1:90", origin="dns:x")
        after = list(self.one.services.values())
        self.assertEqual(itemsBetween(before, after), ([], []))
        self.one.setWeight("web", "main", "found", 7)
        items, _ = itemsBetween(after, list(self.one.services.values()))
        self.assertEqual(items, [Item(("web", "main", "found"), "weight", 7)])
        self.one.addHost("web", "main", "clone1", "unix:/run/c", origin=CLONES)
        before = list(self.one.services.values())
        self.one.drain("web", "main", "clone1")
        self.assertEqual(itemsBetween(before, list(self.one.services.values())), ([], []))
        added = ProxyService("new", ["127.0.0.1:99"], [ProxyGroup("g", enabled=True)])
        self.assertEqual(len(itemsBetween(before, [*before, added])[1]), 1)

    def test_secret(self) -> None:
        """
        No secret and no function is written to etcd.
        """
        for check in (
            HealthCheck("http", options={"password": SecretText("x")}),
            HealthCheck(print),
        ):
            before = list(self.one.services.values())
            self.one.setCheck("web", "main", check)
            after = list(self.one.services.values())
            error = self.assertRaises(TxlbError, itemsBetween, before, after)
            self.assertIn("check of web/main", str(error))

    def test_wrongValues(self) -> None:
        """
        A wrong value is named and left out, and the others of its thing are made.
        """
        key = ("web", "main", "a")
        items = [
            Item(key, "weight", -1),
            Item(key, "maxConnections", 5),
            Item(("web", "main"), "check", 7),
            Item(("web", "main"), "check", {"x": 1}),
            Item(("web",), "deny", ["x"]),
            Item(("web", "main", "n"), "host", {"address": "::"}),
            Item(("web", "main", "m"), "host", {}),
            Item(("web", "main", "l"), "host", 7),
            Item(("web", "no", "a"), "weight", 3),
            Item(("no",), "group", "x"),
            Item(("web",), "group", "no"),
        ]
        wanted, wrong = withItems(self.one.services.values(), items)
        self.assertEqual(len(wrong), 6, wrong)
        host = wanted[0].getGroup("main").getHost("a")
        self.assertEqual((host.weight, host.maxConnections), (1, 5))

    def test_ruleOfGroup(self) -> None:
        """
        If the hosts of a change break a rule of their group together, those that fit are made.
        """

        def check(_: str, count: int, where: str) -> None:
            if count > 3:
                raise ModelError(f"{where} has {count} hosts")

        self.patch(schedulers, "checkHostCount", check)
        items = [Item(("web", "main", "b"), "host", None)]
        items += [
            Item(("web", "main", name), "host", {"address": f"127.0.0.1:{port}"})
            for port, name in enumerate("cde", 1)
        ]
        wanted, wrong = withItems(self.one.services.values(), items)
        self.assertEqual([each.name for each in wanted[0].getGroup("main").hosts], ["a", "c", "d"])
        self.assertEqual(wrong, ["host web/main/e: group 'main' has 4 hosts"])

    def test_order(self) -> None:
        """
        Hosts stay where they are in their group, and new ones follow.
        """
        items = [
            Item(("web", "main", "d"), "host", {"address": "127.0.0.1:9", "weight": 2}),
            Item(("web", "main", "b"), "weight", 3),
            Item(("web", "main", "a"), "weight", 4),
            Item(("web", "main", "d"), "weight", 5),
        ]
        wanted, wrong = withItems(self.one.services.values(), items)
        found = [(each.name, each.weight) for each in wanted[0].getGroup("main").hosts]
        self.assertEqual((found, wrong), ([("a", 4), ("b", 3), ("d", 5)], []))

    def test_entries(self) -> None:
        """
        What is wrong in an entry is named and left out.
        """
        told = {
            "by": "\x00",
            "when": "x",
            "term": True,
            "items": [
                ["web", "weight", 1],
                [["web", "main", "a"], "weight", 1],
                7,
                [["w"], "x", 1],
            ],
            "endings": [
                ["web", "main", "a", 5, False],
                ["web", "main", "b", -5, False],
                ["web", "main", "c", True, False],
                ["web", "main", "d", None, True],
                [1],
                7,
            ],
        }
        entry = Entry.of(json.dumps(told).encode())
        self.assertEqual((entry.by, entry.when, entry.term), ("cluster", 0, 0))
        self.assertEqual(len(entry.items), 1)
        self.assertEqual(len(entry.wrong), 3)
        self.assertEqual(
            entry.endings, {("web", "main", "a"): (5, False), ("web", "main", "d"): (None, True)}
        )
        for data in (b"", b"[", b"7", b" " * 300_000):
            self.assertTrue(Entry.of(data).wrong)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=5),
            max_leaves=12,
        )
    )
    def test_anything(self, told: Any) -> None:
        entry = Entry.of(json.dumps({"items": told, "endings": told}).encode())
        withItems(self.one.services.values(), entry.items)


class OverridesTests(SynchronousTestCase):
    def test_last(self) -> None:
        """
        The last value of each setting counts, and of a host that was added or removed nothing
        older.
        """
        known = Overrides()
        a, b = ("web", "main", "a"), ("web", "main", "b")
        known.take([Item(a, "weight", 1), Item(a, "weight", 2), Item(b, "state", "drain")])
        self.assertEqual([each.value for each in known.items], [2, "drain"])
        known.take([Item(b, "host", None)])
        self.assertEqual(known.of([b]), [Item(b, "host", None)])
        known.take([Item(b, "host", {"address": "x"}), Item(b, "weight", 3)])
        self.assertEqual([each.setting for each in known.of([b])], ["host", "weight"])
        self.assertEqual(len(known), 3)
        other = Overrides()
        self.assertEqual(other.read(known.encoded(7)), 7)
        self.assertEqual(list(other.items), list(known.items))

    def test_wrong(self) -> None:
        known = Overrides()
        known.take([Item(("web",), "group", "x")])
        for data in (b"", b"7", b"{}", b'{"index": -1, "items": [7]}'):
            self.assertEqual(known.read(data), 0)
            self.assertEqual(len(known), 0)

    def test_bounded(self) -> None:
        self.patch(overridesmodule, "MOST_REMOVED", 3)
        known = Overrides()
        for number in range(10):
            known.take([Item(("web", "main", str(number)), "host", None)])
        self.assertEqual([each.key[2] for each in known.items], ["7", "8", "9"])

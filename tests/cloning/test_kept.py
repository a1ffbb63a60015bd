"""
Tests for L{txlb.cloning._kept}; L{tests.cloning.test_controlsocket} has those with managers.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._kept import Hosts, Kept, hostsKept, without
from txlb.cloning._listenersettings import ListenerSettings
from txlb.model import ProxyGroup, ProxyHost

HOSTS: Hosts = {
    "tcp-1": {"clone0": {"state": "drain", "weight": 5}},
    "tcp-2": {"clone1": {"weight": 0}},
}


class KeptTests(SynchronousTestCase):
    def test_text(self) -> None:
        for kept in (
            Kept(),
            Kept(3, 7, HOSTS),
            Kept(3, None, {"a": {"b": {"maxConnections": None}}}),
        ):
            self.assertEqual(Kept.read(kept.write()), kept)

    def test_wrong(self) -> None:
        """
        A text that is none, or has values that no host may have, is nothing.
        """
        for text in (
            "",
            "{",
            "[]",
            "[1,2]",
            '["x",null,{}]',
            "[1,null,[]]",
            '[1,null,{"a":[]}]',
            '[1,null,{"a":{"b":{"weight":-1}}}]',
            '[1,null,{"a":{"b":{"weight":null}}}]',
            '[1,null,{"a":{"b":{"state":"gone"}}}]',
            "[" * 100_000,
        ):
            self.assertEqual(Kept.read(text), Kept())

    def test_newer(self) -> None:
        """
        What a newer release keeps besides is left out.
        """
        kept = Kept.read('[1,null,{"a":{"b":{"weight":2,"novelty":1}}}]')
        self.assertEqual(kept.hosts, {"a": {"b": {"weight": 2}}})

    def test_rests(self) -> None:
        kept = Kept(1, None, {**HOSTS, "tcp-3": {"clone0": {"weight": 2}}})
        self.assertTrue(kept.rests("tcp-1", "clone0"))
        self.assertTrue(kept.rests("tcp-2", "clone1"))
        for group, name in (("tcp-1", "clone1"), ("tcp-3", "clone0"), ("tcp-9", "clone0")):
            self.assertFalse(kept.rests(group, name))

    def test_without(self) -> None:
        self.assertEqual(without(HOSTS, "clone0"), {"tcp-2": HOSTS["tcp-2"]})

    def test_differences(self) -> None:
        """
        Only what differs from the file is kept, not that of clones that end, and still that
        of clones that have not come yet.
        """
        hosts = [
            ProxyHost.at("clone0", "unix:clone0", 5, maxConnections=9),
            ProxyHost.at("clone1", "unix:clone1", maxConnections=9),
            ProxyHost.at("clone2", "unix:clone2", maxConnections=3, state="maintenance"),
            ProxyHost.at("clone3", "unix:clone3", maxConnections=9, state="drain"),
        ]
        groups = [
            (
                ProxyGroup("tcp-1", "leastc", True, hosts),
                ListenerSettings.of(maxConnections=9).usual,
            )
        ]
        before: Hosts = {
            "tcp-1": {"clone1": {"weight": 8}, "clone7": {"weight": 7}},
            "tcp-9": {},
        }
        self.assertEqual(
            hostsKept(groups, {"clone3"}, before),
            {
                "tcp-1": {
                    "clone7": {"weight": 7},
                    "clone0": {"weight": 5},
                    "clone2": {"state": "maintenance", "maxConnections": 3},
                }
            },
        )
        self.assertEqual(
            hostsKept([(ProxyGroup("tcp-1", "leastc", True), ListenerSettings.of().usual)], (), {}),
            {},
        )

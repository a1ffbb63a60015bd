"""
Tests for L{txlb.admin._clonedserving}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._clonedserving import ClonedServing
from txlb.errors import TxlbError, UnknownName
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService


class ClonedServingTests(SynchronousTestCase):
    def setUp(self) -> None:
        groups = [
            ProxyGroup(name, "leastc", name == "tcp-80", [ProxyHost.at("clone0", "unix:clone0")])
            for name in ("tcp-80", "tcp-81")
        ]
        clones = ProxyService("clones", [("0.0.0.0", 80)], groups)
        self.manager = proxyManagerFactory([clones], seconds=lambda: 5.0)

    def test_whyNot(self) -> None:
        """
        Each listener needs a clone that serves.
        """
        manager, serving = self.manager, ClonedServing(self.manager)
        self.assertEqual(serving.whyNot(), [])
        manager.drain("clones", "tcp-81", "clone0")
        self.assertEqual(serving.whyNot(), ["no host of clones/tcp-81 is up"])
        self.assertEqual(serving.whyNot("clones"), ["no host of clones/tcp-81 is up"])
        self.assertRaises(UnknownName, serving.whyNot, "web")
        manager.ready("clones", "tcp-81", "clone0")
        self.assertEqual(serving.whyNot(leader=True), ["it is in no cluster"])

    def test_takenOut(self) -> None:
        """
        A cloned application can't be taken out, and is not.
        """
        serving = ClonedServing(self.manager)
        self.assertFalse(serving.isTakenOut)
        self.assertRaises(TxlbError, setattr, serving, "isTakenOut", True)
        self.assertFalse(serving.isTakenOut)

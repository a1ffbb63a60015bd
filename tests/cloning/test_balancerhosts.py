"""
Tests for L{txlb.cloning._balancerhosts}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._balancerhosts import BalancerHosts
from txlb.errors import ChangeUnderWay
from txlb.manager import ProxyManager
from txlb.model import CLONES, CloneSet, HealthCheck, ProxyGroup, ProxyHost, ProxyService


class BalancerHostsTests(SynchronousTestCase):
    def setUp(self) -> None:
        group = ProxyGroup(
            "app",
            enabled=True,
            hosts=[ProxyHost.at("far", "127.0.0.1:7001")],
            clones=CloneSet("app.tac", 2, maxConnections=5),
            check=HealthCheck("tcp", 1.0),
        )
        self.manager = ProxyManager([ProxyService("web", ["127.0.0.1:8080"], [group])])
        self.hosts = BalancerHosts(self.manager, "web", "app")

    def names(self) -> list[str]:
        return [host.name for host in self.manager.getGroup("web", "app").hosts]

    def test_comeAndGo(self) -> None:
        """
        A clone is a host that no file has and no check asks.
        """
        self.hosts.add("clone0")
        host = self.manager.getHost("web", "app", "clone0")
        self.assertEqual((host.origin, host.maxConnections), (CLONES, 5))
        self.assertIsNone(self.manager.checkOf("web", "app", "clone0"))
        self.assertIsNotNone(self.manager.checkOf("web", "app", "far"))
        self.assertIs(self.hosts.poolOf(3), self.manager.getPool("web", "app"))
        self.hosts.drain("clone0")
        self.assertEqual(self.manager.getHost("web", "app", "clone0").state, "drain")
        # Its place is taken again.
        self.hosts.add("clone0")
        self.assertEqual(self.manager.getHost("web", "app", "clone0").state, "ready")
        self.hosts.remove("clone0")
        self.assertEqual(self.names(), ["far"])
        self.hosts.remove("clone0")

    def test_whileAnotherChange(self) -> None:
        """
        During another change a clone can't come; one that goes is removed afterwards.
        """
        self.hosts.add("clone0")
        applying = self.manager.applying(self.manager.services.values())
        self.assertRaises(ChangeUnderWay, self.hosts.add, "clone1")
        self.hosts.remove("clone0")
        self.assertEqual(self.names(), ["far", "clone0"])
        applying.stop()
        self.hosts.advance(0.0)
        self.assertEqual(self.names(), ["far"])

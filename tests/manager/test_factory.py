"""
Tests for L{txlb.manager.proxyManagerFactory}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.watched import hosts
from txlb.errors import DuplicateName, ModelError
from txlb.manager import ProxyManager, proxyManagerFactory
from txlb.model import HostMapper, ProxyGroup, ProxyService


class FactoryTests(SynchronousTestCase):
    def test_mappers(self) -> None:
        made = proxyManagerFactory(
            [
                HostMapper(proxy="*:80", host="a", address="127.0.0.1:1"),
                HostMapper(proxy="*:80", host="b", address="127.0.0.1:2"),
            ]
        )
        self.assertEqual(list(made.services), ["proxy1"])
        self.assertEqual([host.name for host in made.getPool("proxy1").hosts], ["a", "b"])

    def test_services(self) -> None:
        service = ProxyService("web", ["*:80"], [ProxyGroup("g", enabled=True, hosts=hosts("a"))])
        made = proxyManagerFactory(iter([service]), seconds=lambda: 7.0)
        self.assertIs(made.getService("web"), service)
        self.assertEqual(made.getPool("web").acquire().since, 7.0)

    def test_mixed(self) -> None:
        service = ProxyService("web", ["*:80"], [ProxyGroup("g", enabled=True)])
        mapper = HostMapper(proxy="*:80", host="a", address="127.0.0.1:1")
        error = self.assertRaises(ModelError, proxyManagerFactory, [mapper, service])
        self.assertEqual(
            str(error),
            "a manager is made of HostMappers or of ProxyServices; this list has HostMapper "
            "and ProxyService",
        )
        error = self.assertRaises(ModelError, proxyManagerFactory, ["web"])
        self.assertIn("this list has str", str(error))

    def test_none(self) -> None:
        error = self.assertRaises(ModelError, proxyManagerFactory, [])
        self.assertEqual(str(error), "there is no service; a balancer needs at least one")

    def test_twice(self) -> None:
        service = ProxyService("web", ["*:80"], [ProxyGroup("g", enabled=True)])
        error = self.assertRaises(DuplicateName, ProxyManager, [service, service])
        self.assertEqual(str(error), "there are two services 'web'; each needs its own name")

    def test_settings(self) -> None:
        """
        A group's settings are its pool's.
        """
        group = ProxyGroup(
            "g", "sticky", True, hosts("a"), passiveFall=5, whenAllDown="close", sendProxy="v1"
        )
        pool = proxyManagerFactory([ProxyService("web", ["*:80"], [group])]).getPool("web")
        self.assertEqual(
            (pool.service, pool.group, pool.settings, pool.scheduler.name),
            ("web", "g", group, "sticky"),
        )

"""
Tests for the commands of clusters, and for L{txlb.application._cluster}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import txlb.clients
from tests.cluster.etcds import FakeClient, FakeEtcd, FakeWatch
from tests.fired import fired
from txlb.admin import FULL, Caller
from txlb.admin._commands import findCommand
from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.application import LoadBalancedService
from txlb.cluster import _member as membermodule
from txlb.errors import ModelError, TxlbError
from txlb.manager import proxyManagerFactory
from txlb.model import Cluster, HostMapper
from txlb.testing import MemoryBalancer

HOSTS = [HostMapper(proxy="127.0.0.1:80", host="a", address="a.example:80")]
CALLER = Caller("ssh:anna", FULL)


class ClusterCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.etcd = FakeEtcd(Clock())
        self.fakes: list[FakeClient] = []
        self.patch(txlb.clients, "EtcdClient", self.client)
        self.patch(membermodule, "EtcdWatch", FakeWatch)

    def client(self, *_: Any, **settings: Any) -> FakeClient:
        self.settings = settings
        self.fakes.append(FakeClient(self.etcd))
        return self.fakes[-1]

    def balancer(self, name: str | None, **settings: Any) -> MemoryBalancer:
        cluster = Cluster("prod", "etcd:http://127.0.0.1:1", member=name, **settings)
        hosts = [
            HostMapper(
                proxy="127.0.0.1:80", proxyName="web", host=each, address=f"{each}.example:80"
            )
            for each in ("a", "b")
        ]
        balancer = MemoryBalancer(hosts, cluster=cluster)
        self.addCleanup(balancer.stop)
        return balancer

    def ask(self, balancer: Any, name: str, **values: Any) -> list[dict[str, Any]]:
        service = getattr(balancer, "service", balancer)
        target = Target(service, None, History(100))
        answer: Deferred[Any] = maybeDeferred(findCommand(name), target, CALLER, values)
        return [dict(each) for each in fired(answer)]

    def test_shows(self) -> None:
        one, two = self.balancer("one"), self.balancer("two")
        one.advance(1)
        cluster, *members = self.ask(one, "cluster")
        self.assertEqual((cluster["leads"], cluster["leader"]), (True, "one"))
        self.assertIn("one leads since", cluster["text"])
        self.assertIn("this is one, no change behind", cluster["text"])
        self.assertEqual([each["name"] for each in members], ["one", "two"])
        self.assertTrue(all(each["same"] for each in members))
        self.assertFalse(self.ask(two, "cluster")[0]["leads"])
        self.assertEqual((one.service.cluster.leads, one.service.cluster.active), (True, True))
        self.assertEqual((two.service.cluster.leads, two.service.cluster.active), (False, False))

    def test_activeActive(self) -> None:
        """
        Clients are meant to come to every member.
        """
        self.balancer("one", mode="active-active")
        two = self.balancer("two", mode="active-active")
        self.assertTrue(two.service.cluster.active)
        self.assertFalse(two.service.cluster.leads)

    def test_changesPart(self) -> None:
        one, two = self.balancer("one"), self.balancer("two")
        self.ask(one, "stepDown")
        two.advance(1)
        one.advance(1)
        self.assertTrue(two.service.cluster.leads)
        self.assertRaises(TxlbError, self.ask, one, "stepDown")
        (row,) = self.ask(two, "leaveCluster")
        self.assertEqual(row["text"], "two has left cluster prod")
        one.advance(10)
        self.assertTrue(one.service.cluster.leads)
        self.assertIn("join again with: txlb cluster join", self.ask(two, "cluster")[0]["text"])
        self.assertEqual(self.ask(two, "joinCluster")[0]["text"], "two joins cluster prod")
        two.advance(1)
        self.assertEqual(self.ask(two, "cluster")[0]["leader"], "one")

    def test_cutOff(self) -> None:
        one = self.balancer("one")
        one.advance(1)
        self.fakes[0].away = True
        one.advance(10)
        text = self.ask(one, "cluster")[0]["text"]
        self.assertIn("one is cut off, serves with what it knows, and refuses changes", text)
        self.assertIn("it is away", text)
        self.assertEqual(one.connect().host, "a")
        kinds = [each.kind.value for each in one.events]
        self.assertIn("cluster-lost", kinds)

    def test_none(self) -> None:
        balancer = MemoryBalancer(HOSTS)
        self.addCleanup(balancer.stop)
        for name in ("cluster", "stepDown", "leaveCluster", "joinCluster"):
            error = self.assertRaises(TxlbError, self.ask, balancer, name)
            self.assertIn("in no cluster", str(error))
        self.assertTrue(balancer.service.cluster.active)
        self.assertIsNone(balancer.service.cluster.state)

    def test_stopped(self) -> None:
        manager = proxyManagerFactory(HOSTS)
        service = LoadBalancedService(manager, cluster=Cluster("prod", "etcd:http://127.0.0.1:1"))
        error = self.assertRaises(TxlbError, self.ask, service, "cluster")
        self.assertIn("does not run", str(error))

    def test_nameOfMachine(self) -> None:
        one = self.balancer(None)
        one.advance(1)
        self.assertEqual(self.ask(one, "cluster")[0]["member"], os.uname().nodename)

    def test_files(self) -> None:
        """
        The files of the settings are read when the service is made ready.
        """
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write("secret\n")
        one = self.balancer("one", user="u", passwordFile=path, ca=path)
        one.advance(1)
        self.assertEqual(self.settings["password"], "secret")
        self.assertEqual(self.settings["ca"], b"secret\n")

    def test_wrong(self) -> None:
        manager = proxyManagerFactory(HOSTS)
        wrong: Any = "prod"
        self.assertRaises(ModelError, LoadBalancedService, manager, cluster=wrong)
        cluster = Cluster("prod", "etcd:http://127.0.0.1:1", ca="/nonexistent/ca.pem")
        service = LoadBalancedService(manager, cluster=cluster)
        error = self.assertRaises(ModelError, service.cluster.prepare)
        self.assertIn("ca of cluster 'prod' is '/nonexistent/ca.pem'", str(error))

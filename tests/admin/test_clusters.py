"""
Tests for the commands of clusters, and for L{txlb.application._cluster}.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import txlb.clients
from tests.certificates import Authority
from tests.cluster.etcds import PREFIX, FakeClient, FakeEtcd, FakeWatch
from tests.cluster.history import checkHistory
from tests.fired import fired
from txlb.admin import FULL, Caller
from txlb.admin._commands import findCommand
from txlb.admin._history import History
from txlb.admin._status import statusTable
from txlb.admin._target import Target
from txlb.application import LoadBalancedService
from txlb.application import _keptshared as keptshared
from txlb.cluster import _changelog as changelog
from txlb.cluster import _member as membermodule
from txlb.errors import ModelError, StateError, TxlbError
from txlb.manager import proxyManagerFactory
from txlb.model import Cluster, HostMapper, ProxyHost
from txlb.testing import MemoryBalancer

HOSTS = [HostMapper(proxy="127.0.0.1:80", host="a", address="a.example:80")]
CALLER = Caller("ssh:anna", FULL)


class ClusterCase(SynchronousTestCase):
    """
    Balancers in memory that are members of one cluster.
    """

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


class ClusterCommandTests(ClusterCase):
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

    def test_health(self) -> None:
        """
        C{txlb health --leader} tells whether a member leads, and which one does otherwise.
        """
        one, two = self.balancer("one"), self.balancer("two")
        one.advance(1)

        def why(balancer: MemoryBalancer) -> str:
            return balancer.service.cluster.whyNotLeader

        self.assertEqual((why(one), why(two)), ("", "one leads the cluster"))
        asked = {"service": "", "hosts": False, "leader": True}
        self.assertTrue(self.ask(one, "health", **asked)[0]["serves"])
        (row,) = self.ask(two, "health", **asked)
        self.assertEqual(row["reasons"], ["one leads the cluster"])
        one.stop()
        self.assertEqual(why(one), "it is in no cluster")

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
        status = [each for each in self.ask(one, "status", service="") if each["row"] == "cluster"]
        self.assertIn("one is no member now", status[0]["text"])
        self.assertIn("one is no member now", statusTable(one.service))
        self.assertEqual(one.service.cluster.whyNotLeader, "it is cut off from its cluster")
        self.assertEqual(one.connect().host, "a")
        kinds = [each.kind.value for each in one.events]
        self.assertIn("cluster-lost", kinds)

    def test_none(self) -> None:
        balancer = MemoryBalancer(HOSTS)
        self.addCleanup(balancer.stop)
        [row] = self.ask(balancer, "cluster")
        self.assertEqual(row["row"], "none")
        self.assertIn("this balancer is in no cluster", row["text"])
        for name in ("stepDown", "leaveCluster", "joinCluster"):
            error = self.assertRaises(TxlbError, self.ask, balancer, name)
            self.assertIn("in no cluster", str(error))
        self.assertTrue(balancer.service.cluster.active)
        self.assertIsNone(balancer.service.cluster.state)

    def test_stopped(self) -> None:
        manager = proxyManagerFactory(HOSTS)
        service = LoadBalancedService(manager, cluster=Cluster("prod", "etcd:http://127.0.0.1:1"))
        [row] = self.ask(service, "cluster")
        self.assertIn("does not run", row["text"])
        self.assertRaises(TxlbError, self.ask, service, "stepDown")

    def test_nameOfMachine(self) -> None:
        one = self.balancer(None)
        one.advance(1)
        self.assertEqual(self.ask(one, "cluster")[0]["member"], os.uname().nodename)

    def test_files(self) -> None:
        """
        The files of the settings are read when the service is made ready.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        authority = Authority()
        own = b"".join(authority.certify(["client"], nameless=True))
        files = {"ca": authority.pem, "clientCertificate": own, "passwordFile": b"secret\n"}
        for name, data in files.items():
            (folder / name).write_bytes(data)
        named = {name: str(folder / name) for name in files}
        one = self.balancer("one", user="u", **named)
        one.advance(1)
        self.assertEqual(self.settings["password"], "secret")
        self.assertEqual(self.settings["ca"], authority.pem)
        self.assertEqual(self.settings["clientCertificate"], own)
        for name, data, told in (
            ("ca", b"none", "ca has no certificate in PEM form, of cluster 'prod'"),
            ("clientCertificate", authority.pem, "has no private key without a password"),
            ("passwordFile", b"\xff\xff", "whose first line is no secret"),
        ):
            (folder / name).write_bytes(data)
            error = self.assertRaises(ModelError, self.balancer, "two", user="u", **named)
            self.assertIn(told, str(error))
            (folder / name).write_bytes(files[name])

    def test_wrong(self) -> None:
        manager = proxyManagerFactory(HOSTS)
        wrong: Any = "prod"
        self.assertRaises(ModelError, LoadBalancedService, manager, cluster=wrong)
        cluster = Cluster("prod", "etcd:http://127.0.0.1:1", ca="/nonexistent/ca.pem")
        service = LoadBalancedService(manager, cluster=cluster)
        error = self.assertRaises(ModelError, service.cluster.prepare)
        self.assertIn("ca of cluster 'prod' is '/nonexistent/ca.pem'", str(error))


class SharedCase(ClusterCase):
    """
    Members that share changes.
    """

    def hostsOf(self, balancer: MemoryBalancer) -> dict[str, tuple[int, str]]:
        group = balancer.manager.getGroup("web", "group1")
        return {each.name: (each.weight, each.state) for each in group.hosts}

    def pair(self) -> tuple[MemoryBalancer, MemoryBalancer]:
        one, two = self.balancer("one"), self.balancer("two")
        one.advance(1)
        two.advance(1)
        return one, two

    def weigh(self, balancer: MemoryBalancer, weight: int, host: str = "a") -> list[dict[str, Any]]:
        return self.ask(
            balancer, "setWeight", service="web", group="group1", host=host, weight=weight
        )


class SharingTests(SharedCase):
    """
    Changes that members share.
    """

    def test_change(self) -> None:
        """
        A change on any member is made on all, with its author.
        """
        one, two = self.pair()
        (row,) = self.weigh(two, 7)
        self.assertEqual(row["text"], "host-weight web/group1/a: weight 1 -> 7, by ssh:anna")
        self.assertEqual(self.hostsOf(one)["a"], (7, "ready"))
        self.assertEqual(one.events[-1].by, "ssh:anna")
        self.assertEqual(self.weigh(one, 7), [])
        self.ask(one, "drain", service="web", group="group1", host="b", deadline=None)
        self.assertEqual(self.hostsOf(two), {"a": (7, "ready"), "b": (1, "drain")})
        self.assertEqual(self.ask(one, "cluster")[0]["head"], 2)

    def test_deadlines(self) -> None:
        """
        The time that connections have to end counts on all members.
        """
        one, two = self.pair()
        client = two.connect()
        self.ask(one, "drain", service="web", group="group1", host=str(client.host), deadline=3.0)
        self.assertTrue(client.isOpen)
        two.advance(4)
        self.assertFalse(client.isOpen)

    def test_direct(self) -> None:
        """
        A verb of the manager that is not committed is refused with the remedy, and
        services.cluster.change commits it.
        """
        one, two = self.pair()
        error = self.assertRaises(TxlbError, one.manager.setWeight, "web", "group1", "a", 5)
        self.assertIn("services.cluster.change", str(error))
        events = fired(
            one.service.cluster.change(lambda: one.manager.setWeight("web", "group1", "a", 5))
        )
        self.assertEqual([each.kind.value for each in events], ["host-weight"])
        self.assertEqual(self.hostsOf(two)["a"][0], 5)

        def both() -> None:
            one.manager.setWeight("web", "group1", "a", 6)
            one.manager.setWeight("web", "group1", "b", 6)

        self.failureResultOf(one.service.cluster.change(both), TxlbError)
        self.assertEqual(self.hostsOf(two)["a"][0], 5)

    def test_whole(self) -> None:
        """
        A large change, such as a reload, is shared before it is made.
        """
        one, two = self.pair()
        service = one.manager.getService("web")
        group = service.getGroup("group1")
        hosts = [replace(group.hosts[0], weight=9), *group.hosts[1:]]
        wanted = service.withGroup(replace(group, hosts=hosts, maxQueue=4))
        fired(one.service.applyInSlices([wanted]))
        self.assertEqual(self.hostsOf(two)["a"][0], 9)
        self.assertEqual(two.manager.getGroup("web", "group1").maxQueue, 4)

    def test_large(self) -> None:
        """
        A change of many values is made in slices. What another change makes meanwhile stays.
        """
        one, two = self.pair()
        slices = two.service.slices
        calls: list[Any] = []

        async def run(steps: Any) -> None:
            if len(calls) < 2:
                calls.append(steps)
                with two.manager.by("discovery"):
                    name, address = f"f{len(calls)}", f"f{len(calls)}.example:80"
                    two.manager.addHost("web", "group1", name, address, origin="dns:x")
            for _ in steps:
                pass

        self.patch(slices, "run", run)
        service = one.manager.getService("web")
        group = service.getGroup("group1")
        more = [ProxyHost.at(f"m{number}", f"m{number}.example:80") for number in range(80)]
        wanted = service.withGroup(replace(group, hosts=[*group.hosts, *more]))
        fired(one.service.applyInSlices([wanted]))
        self.assertEqual(len(calls), 2)
        self.assertEqual(len(self.hostsOf(two)), 84)
        self.assertEqual(len(self.hostsOf(one)), 82)
        self.ask(one, "setWeight", service="web", group="group1", host="m79", weight=9)
        self.assertEqual(self.hostsOf(two)["m79"], (9, "ready"))

    def test_busy(self) -> None:
        """
        A large change is made although others change services again and again.
        """
        one, two = self.pair()
        calls: list[int] = []

        async def run(_steps: Any) -> None:
            calls.append(1)
            with two.manager.by("discovery"):
                name = f"f{len(calls)}"
                two.manager.addHost("web", "group1", name, "f.example:80", origin="dns:x")

        self.patch(two.service.slices, "run", run)
        service = one.manager.getService("web")
        group = service.getGroup("group1")
        more = [ProxyHost.at(f"m{number}", f"m{number}.example:80") for number in range(80)]
        wanted = service.withGroup(replace(group, hosts=[*group.hosts, *more]))
        fired(one.service.applyInSlices([wanted]))
        self.assertEqual(len(self.hostsOf(two)), 82 + len(calls))

    def test_cantBeShared(self) -> None:
        one, _ = self.pair()
        manager = one.manager
        service = manager.getService("web")
        added = [service, replace(service, name="more")]
        reason = self.failureResultOf(
            one.service.cluster.change(lambda: manager.apply(added)), TxlbError
        )
        self.assertIn("write it into the file of each member", reason.getErrorMessage())

    def test_cutOff(self) -> None:
        """
        A member that is cut off serves, refuses changes, and catches up when it is back.
        """
        one, two = self.pair()
        self.weigh(one, 1, "b")
        self.weigh(one, 2)
        two.advance(1)
        self.fakes[1].away = True
        two.advance(5)
        error = self.assertRaises(TxlbError, self.weigh, two, 3)
        self.assertIn("cut off from etcd", str(error))
        self.assertIn(two.connect().host, {"a", "b"})
        one.advance(5)
        self.weigh(one, 8)
        self.weigh(one, 9)
        self.assertEqual(self.hostsOf(two)["a"][0], 2)
        self.fakes[1].away = False
        two.advance(3)
        self.assertEqual(self.hostsOf(two)["a"][0], 9)
        weights = [each for each in two.events if each.kind.value == "host-weight"]
        self.assertEqual([each.by for each in weights], ["ssh:anna"] * 3)

    def test_left(self) -> None:
        one, _ = self.pair()
        self.ask(one, "leaveCluster")
        error = self.assertRaises(TxlbError, self.weigh, one, 3)
        self.assertIn("join again with: txlb cluster join", str(error))

    def test_unsure(self) -> None:
        """
        If etcd does not answer to a change it is refused, and told that etcd may have it.
        """
        one, _ = self.pair()
        self.fakes[0].away = True
        error = self.assertRaises(TxlbError, self.weigh, one, 3)
        self.assertIn("If etcd has the change nevertheless", str(error))
        self.assertEqual(self.hostsOf(one)["a"][0], 1)

    def test_oldTerm(self) -> None:
        """
        A member that takes a former leader for the leader commits nothing.
        """
        one, two = self.pair()
        leader = self.etcd.keys[PREFIX + "leader"]
        self.fakes[1].silent = True
        self.etcd.change({}, [leader.key])
        one.advance(1)
        self.assertNotEqual(self.etcd.keys[PREFIX + "leader"].created, leader.created)
        before = self.etcd.revision
        changing = two.service.cluster.change(
            lambda: two.manager.setWeight("web", "group1", "a", 3)
        )
        self.assertNotIn(PREFIX + "head", self.etcd.keys)
        self.failureResultOf(changing, TxlbError)
        self.assertEqual(self.etcd.revision, before)

    def test_starts(self) -> None:
        """
        A member that starts makes what the others have shared, also if the log was compacted.
        """
        self.patch(changelog, "KEPT", 3)
        self.patch(changelog, "MORE", 2)
        one, two = self.pair()
        for weight in range(2, 20):
            self.weigh(one, weight)
            one.advance(1)
            two.advance(1)
        self.ask(
            two,
            "delHost",
            service="web",
            group="group1",
            host="b",
            address="",
            force=False,
            deadline=None,
        )
        log = [key for key in self.etcd.keys if key.startswith(PREFIX + "log/")]
        self.assertLessEqual(len(log), 6)
        three = self.balancer("three")
        three.advance(1)
        self.assertEqual(self.hostsOf(three), {"a": (19, "ready")})
        self.assertEqual(self.ask(three, "cluster")[0]["lag"], 0)
        self.weigh(three, 50)
        self.assertEqual(self.hostsOf(one)["a"][0], 50)
        checkHistory(self, self.etcd)

    def test_etcdForgets(self) -> None:
        """
        If etcd is made anew, what it has counts, and changes go on.
        """
        one, two = self.pair()
        self.weigh(one, 5)
        self.weigh(one, 6)
        self.etcd.change({}, list(self.etcd.keys))
        one.advance(3)
        two.advance(3)
        one.advance(1)
        self.weigh(one, 7)
        self.assertEqual((self.hostsOf(one)["a"][0], self.hostsOf(two)["a"][0]), (7, 7))

    def test_found(self) -> None:
        """
        Sources add hosts on each member. What people want of them is shared, also for a host that
        comes later.
        """
        one, two = self.pair()

        def find(balancer: MemoryBalancer) -> None:
            manager = balancer.manager
            with manager.by("discovery"):
                manager.addHost("web", "group1", "f", "f.example:80", origin="dns:x")

        find(one)
        self.weigh(one, 4, "f")
        self.assertNotIn("f", self.hostsOf(two))
        find(two)
        two.advance(1)
        self.assertEqual(self.hostsOf(two)["f"][0], 4)

    def test_wrongChange(self) -> None:
        """
        A change that another program has written, and that is wrong, changes nothing and is passed
        over.
        """
        one, two = self.pair()
        items = [[["web", "group1"], "check", {"kind": "nonsense"}]]
        entry = json.dumps({"items": items}).encode()
        self.etcd.change(
            {PREFIX + "log/000000000000001": (entry, 0), PREFIX + "head": (b"1", 0)}, []
        )
        self.assertIsNone(one.manager.getGroup("web", "group1").check)
        self.weigh(two, 3)
        self.assertEqual(self.hostsOf(one)["a"][0], 3)

    def test_sameHost(self) -> None:
        """
        C{maglev} and C{sticky} choose the same host for a client on all members, whatever came
        before.
        """
        one, two = self.pair()
        for number in range(8):
            self.ask(
                (one, two)[number % 2],
                "addHost",
                service="web",
                group="group1",
                host=f"h{number}",
                address=f"h{number}.example:80",
                weight=number + 1,
                settings={},
            )
        self.weigh(one, 0, "h3")
        for balancer in (one, two):
            for number in range(8):
                self.assertIn(f"h{number}", self.hostsOf(balancer))
        three = self.balancer("three")
        three.advance(1)
        for policy in ("maglev", "sticky"):
            self.ask(
                two, "setScheduler", service="web", group="group1", scheduler=policy, settings={}
            )
            for each in (one, two, three):
                each.advance(2)
            for number in range(100):
                address = f"192.0.2.{number}"
                found = {each.connect(address=address).host for each in (one, two, three)}
                self.assertEqual(len(found), 1, address)


class ForgettingTests(SharedCase):
    """
    Shared values that are taken back.
    """

    def forget(self, balancer: Any, *names: str, everything: bool = False) -> list[dict[str, Any]]:
        given = dict(zip(("service", "group", "host"), (*names, "", "", ""), strict=False))
        return self.ask(balancer, "forgetShared", **given, everything=everything)

    def shared(self, balancer: Any) -> list[str]:
        return [each["text"] for each in self.ask(balancer, "sharedValues")]

    def shareMuch(self, balancer: MemoryBalancer) -> None:
        """
        Change hosts, the group and the service.
        """
        path = {"service": "web", "group": "group1"}
        self.weigh(balancer, 7)
        self.ask(balancer, "drain", **path, host="a", deadline=None)
        more: dict[str, Any] = {"address": "c.example:80", "weight": 2, "settings": {}}
        self.ask(balancer, "addHost", **path, host="c", **more)
        self.weigh(balancer, 3, "c")
        gone: dict[str, Any] = {"address": "", "force": False, "deadline": None}
        self.ask(balancer, "delHost", **path, host="b", **gone)
        self.ask(balancer, "setGroup", **path, settings={"maxQueue": "5"})
        self.ask(balancer, "setCheck", **path, check="tcp", proxiedName="", settings={})
        self.ask(balancer, "setAdmission", service="web", settings={"deny": "192.0.2.0/24"})

    def test_host(self) -> None:
        """
        What is shared of one host is taken back on all members, and the rest stays.
        """
        one, two = self.pair()
        self.shareMuch(one)
        self.assertEqual(self.hostsOf(two), {"a": (7, "drain"), "c": (3, "ready")})
        self.assertIn("web/group1/a: weight 7", self.shared(two))
        self.assertIn("web/group1/b: removed", self.shared(two))
        first, *events = self.forget(two, "web", "group1", "a")
        self.assertEqual(first["text"], "2 shared values of web/group1/a: taken back")
        self.assertEqual(
            {each["text"] for each in events},
            {
                "host-weight web/group1/a: weight 7 -> 1, by ssh:anna",
                "host-state web/group1/a: drain -> ready, by ssh:anna",
            },
        )
        for each in (one, two):
            self.assertEqual(self.hostsOf(each), {"a": (1, "ready"), "c": (3, "ready")})
            self.assertFalse([text for text in self.shared(each) if "group1/a" in text])
        self.assertEqual(self.ask(one, "cluster")[0]["lag"], 0)
        error = self.assertRaises(TxlbError, self.forget, two, "web", "group1", "a")
        self.assertIn("share no value of web/group1/a", str(error))
        checkHistory(self, self.etcd)

    def test_everything(self) -> None:
        """
        Hosts that were added go, those that were removed come back, and settings are those of the
        application.
        """
        one, two = self.pair()
        before = [dict(each.manager.services) for each in (one, two)]
        self.shareMuch(one)
        (first, *_) = self.forget(one, everything=True)
        self.assertIn("shared values: taken back", first["text"])
        for balancer, services in zip((one, two), before, strict=True):
            self.assertEqual(self.hostsOf(balancer), {"a": (1, "ready"), "b": (1, "ready")})
            group = balancer.manager.getGroup("web", "group1")
            self.assertEqual((group.maxQueue, group.check), (0, None))
            self.assertEqual(balancer.manager.getService("web").deny, services["web"].deny)
            self.assertEqual(self.shared(balancer), [])
        digests = {each["digest"] for each in self.ask(one, "cluster")[1:]}
        self.assertEqual(len(digests), 1)

    def test_group(self) -> None:
        """
        A group is taken back with its hosts, and not the settings of its service.
        """
        one, _ = self.pair()
        self.shareMuch(one)
        self.forget(one, "web", "group1")
        self.assertEqual(self.shared(one), ['web: deny ["192.0.2.0/24"]'])

    def test_catchesUp(self) -> None:
        """
        A member that was cut off takes back what the others have taken back, also if the log was
        compacted; one that starts begins without it.
        """
        self.patch(changelog, "KEPT", 3)
        self.patch(changelog, "MORE", 2)
        one, two = self.pair()
        self.shareMuch(one)
        self.assertEqual(self.hostsOf(two)["a"], (7, "drain"))
        two.advance(1)
        self.fakes[1].away = True
        two.advance(5)
        one.advance(5)
        self.forget(one, everything=True)
        for weight in range(2, 20):
            self.weigh(one, weight, "b")
            one.advance(1)
        self.assertEqual(self.hostsOf(two)["a"], (7, "drain"))
        self.fakes[1].away = False
        two.advance(3)
        three = self.balancer("three")
        three.advance(1)
        for each in (one, two, three):
            self.assertEqual(self.hostsOf(each), {"a": (1, "ready"), "b": (19, "ready")})
            self.assertEqual(self.shared(each), ["web/group1/b: weight 19"])

    def replaced(self, balancer: MemoryBalancer) -> None:
        """
        Let a member be another process, which has the live changes of the one before.
        """
        service = balancer.service
        pieces = [{"shared": each["shared"]} for each in service.keptAhead() if "shared" in each]
        rest = {"shared": service.keptRest()["shared"]}
        service.cluster.stopService()
        self.during()
        for each in (*pieces, rest):
            service.restoreState(each)
        service.cluster.startService()
        balancer.advance(2)

    def during(self) -> None:
        """
        Do what happens in the moment of an upgrade.
        """

    def test_upgrade(self) -> None:
        """
        What is taken back in the moment in which a member is replaced by its successor is taken
        back there too, and the rest stays, also if it was changed again.
        """
        one, two = self.pair()
        self.shareMuch(one)

        def during() -> None:
            self.forget(one, "web", "group1", "a")
            self.weigh(one, 5, "c")

        self.patch(self, "during", during)
        self.replaced(two)
        for each in (one, two):
            self.assertEqual(self.hostsOf(each), {"a": (1, "ready"), "c": (5, "ready")})
        self.assertEqual(self.shared(one), self.shared(two))
        # The next one hands the same on, and nothing is taken back twice.
        self.patch(self, "during", lambda: None)
        self.weigh(two, 9, "a")
        self.replaced(two)
        self.assertEqual(self.hostsOf(two), {"a": (9, "ready"), "c": (5, "ready")})

    def test_upgradeAndCompacted(self) -> None:
        """
        The same if the log was compacted in that moment.
        """
        self.patch(changelog, "KEPT", 3)
        self.patch(changelog, "MORE", 2)
        self.patch(keptshared, "AT_ONCE", 2)
        one, two = self.pair()
        self.shareMuch(one)

        def during() -> None:
            self.forget(one, everything=True)
            for weight in range(2, 20):
                self.weigh(one, weight, "b")
                one.advance(1)

        self.patch(self, "during", during)
        self.replaced(two)
        for each in (one, two):
            self.assertEqual(self.hostsOf(each), {"a": (1, "ready"), "b": (19, "ready")})

    def test_restoredLate(self) -> None:
        """
        A successor that has caught up before takes back what its predecessor had not taken back.
        """
        one, two = self.pair()
        self.weigh(one, 7)
        kept = two.service.keptState()["shared"]
        self.fakes[1].away = True
        two.advance(5)
        self.forget(one, everything=True)
        self.fakes[1].away = False
        two.advance(3)
        # As the live changes of the predecessor are.
        with two.service.cluster._sharing._own():
            two.manager.setWeight("web", "group1", "a", 7)
        two.service.restoreState({"shared": kept})
        two.advance(1)
        self.assertEqual(self.hostsOf(two)["a"], (1, "ready"))
        for wrong in ([["x"]], [[["web"], "nothing", 1]], [7]):
            state = {"shared": {"anew": True, "items": wrong}}
            self.assertRaises(StateError, two.service.restoreState, state)

    def test_otherData(self) -> None:
        """
        If etcd has no change at all, nothing was taken back.
        """
        one, two = self.pair()
        self.weigh(one, 7)

        def during() -> None:
            self.etcd.change({}, [each for each in self.etcd.keys if "/log/" in each])
            self.etcd.change({}, [PREFIX + "head"])

        self.patch(self, "during", during)
        self.replaced(two)
        self.assertEqual(self.hostsOf(two)["a"], (7, "ready"))

    def test_handsNothing(self) -> None:
        """
        A balancer that is in no cluster hands nothing over, and takes it if it was in one before.
        """
        alone = MemoryBalancer(HOSTS)
        self.addCleanup(alone.stop)
        self.assertEqual(alone.service.keptState()["shared"], {"anew": True, "items": []})
        self.assertFalse([each for each in alone.service.keptAhead() if "shared" in each])
        item = [["web", "group1", "a"], "weight", 7]
        alone.service.restoreState({"shared": {"anew": True, "items": [item]}})

    def test_refused(self) -> None:
        """
        A member that is cut off takes nothing back, nor does one that takes a former leader for
        the leader.
        """
        one, two = self.pair()
        self.weigh(one, 7)
        self.fakes[1].away = True
        two.advance(5)
        error = self.assertRaises(TxlbError, self.forget, two, everything=True)
        self.assertIn("cut off from etcd", str(error))
        self.assertEqual(self.hostsOf(one)["a"][0], 7)

    def test_oldTermForgets(self) -> None:
        one, two = self.pair()
        self.weigh(one, 7)
        leader = self.etcd.keys[PREFIX + "leader"]
        self.fakes[1].silent = True
        self.etcd.change({}, [leader.key])
        one.advance(1)
        head = self.etcd.keys[PREFIX + "head"]
        forgetting = two.service.cluster.forget()
        self.failureResultOf(forgetting, TxlbError)
        self.assertEqual(self.etcd.keys[PREFIX + "head"], head)

    def test_said(self) -> None:
        """
        A host that a source has found is again as the source says.
        """
        one, two = self.pair()
        for each in (one, two):
            with each.manager.by("discovery"):
                each.manager.addHost("web", "group1", "f", "f.example:80", origin="dns:x")
            said = each.manager.getGroup("web", "group1").getHost("f")
            self.patch(each.service.discovery, "said", lambda *_, said=said: said)
        self.weigh(one, 4, "f")
        self.assertEqual(self.hostsOf(two)["f"][0], 4)
        self.forget(two, "web")
        self.assertEqual((self.hostsOf(one)["f"][0], self.hostsOf(two)["f"][0]), (1, 1))

    def test_wrongNames(self) -> None:
        one, _ = self.pair()
        for names, everything in ((), False), (("web",), True):
            error = self.assertRaises(ModelError, self.forget, one, *names, everything=everything)
            self.assertIn("say either what is taken back", str(error))
        self.failureResultOf(one.service.cluster.forget("web", host="a"), ModelError)
        error = self.assertRaises(TxlbError, self.forget, one, "nothing")
        self.assertIn("share no value of nothing", str(error))

    def test_noCluster(self) -> None:
        balancer = MemoryBalancer(HOSTS)
        self.addCleanup(balancer.stop)
        for name, values in ("sharedValues", {}), ("forgetShared", {"everything": True}):
            more = {"service": "", "group": "", "host": ""} if values else {}
            error = self.assertRaises(TxlbError, self.ask, balancer, name, **more, **values)
            self.assertIn("in no cluster", str(error))

    def test_odd(self) -> None:
        """
        Names that other programs have written to etcd are shown as printable texts.
        """
        one, _ = self.pair()
        items = [[["web", "a\x1b[0m"], "maxQueue", "x" * 9999]]
        entry = json.dumps({"items": items, "forgotten": [7, [1], ["a"] * 9]}).encode()
        self.etcd.change(
            {PREFIX + "log/000000000000001": (entry, 0), PREFIX + "head": (b"1", 0)}, []
        )
        (text,) = self.shared(one)
        self.assertTrue(text.isprintable())
        self.assertLess(len(text), 500)

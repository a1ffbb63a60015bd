"""
Tests for L{txlb.admin._cloned}: commands to a cloned application.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.admin.targets import ANNA, FakeBalancer, FakeClones
from txlb.admin import OPERATOR, Caller, Target, findCommand
from txlb.admin._cloned import ClonedBalancer
from txlb.admin._history import History
from txlb.application._clones import Rolled
from txlb.cloning import CloningError
from txlb.errors import (
    AccessDenied,
    ModelError,
    TxlbError,
    UnknownConnection,
    UnknownName,
)
from txlb.interfaces import IClones
from txlb.model import CLONES, CloneSet, ProxyGroup, ProxyService
from txlb.upgrade import Upgraded


class ClonedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clones = FakeClones()
        verifyObject(IClones, self.clones)
        self.target = Target(ClonedBalancer(self.clones), None, History(), clones=self.clones)

    def do(self, command: str, **values: Any) -> Any:
        entry = findCommand(command)
        given = {each.name: each.default for each in entry.arguments}
        return entry(self.target, ANNA, {**given, **values})

    def refusal(self, command: str, **values: Any) -> str:
        return str(self.assertRaises(TxlbError, self.do, command, **values))

    def test_status(self) -> None:
        for service, count in (("", 2), ("clones", 2)):
            rows = list(self.do("status", service=service))
            self.assertEqual(sum(row["row"] == "process" for row in rows), count)
        self.assertRaises(UnknownName, self.do, "status", service="web")

    def test_verbs(self) -> None:
        """
        A clone is a host.
        """
        path = {"service": "clones", "group": "tcp-8080", "host": "clone0"}
        self.do("drain", **path)
        self.assertEqual(self.clones.manager.getHost("clones", "tcp-8080", "clone0").state, "drain")
        self.do("setWeight", **path, weight=5)
        self.do("setHost", **path, settings={"maxConnections": "7"})
        host = self.clones.manager.getHost("clones", "tcp-8080", "clone0")
        self.assertEqual((host.weight, host.maxConnections), (5, 7))

    def test_scheduler(self) -> None:
        done = self.do(
            "setScheduler", service="clones", group="tcp-8080", scheduler="roundr", settings={}
        )
        self.assertTrue(list(self.successResultOf(done)))
        group = self.clones.manager.getGroup("clones", "tcp-8080")
        self.assertEqual(group.scheduler, "roundr")

    def test_schedulerOfClients(self) -> None:
        """
        A policy that looks at clients is refused where clones accept; where the manager
        accepts it is taken.
        """
        path = {"service": "clones", "group": "tcp-8080", "settings": {}}
        refusal = self.refusal("setScheduler", **path, scheduler="sticky")
        self.assertIn("in the application's file, and upgrade the manager", refusal)
        group = self.clones.manager.getGroup("clones", "tcp-8080")
        self.assertEqual(group.scheduler, "leastc")
        self.clones.passed = {"tcp-8080": "it is"}
        self.successResultOf(self.do("setScheduler", **path, scheduler="sticky"))
        [row] = [row for row in self.do("status", service="") if row["row"] == "listener"]
        self.assertEqual((row["served"], row["why"]), ("passing", "it is"))

    def test_add(self) -> None:
        """
        A clone is added by its name alone.
        """
        path = {"service": "clones", "group": "tcp-8080", "host": "clone2"}
        [row] = self.do("addHost", **path, settings={})
        self.assertEqual((row["processes"], self.clones.changed), (3, [("clone2",)]))
        self.assertIn("3 clones are wanted", row["text"])
        for wrong in ({"address": "127.0.0.1:1"}, {"weight": 2}, {"settings": {"backup": "yes"}}):
            given = {"settings": {}, **wrong}
            self.assertIn("a clone has no address", self.refusal("addHost", **path, **given))
        self.assertIn("tcp-81", self.refusal("addHost", **{**path, "group": "tcp-81"}, settings={}))

    def test_remove(self) -> None:
        path = {"service": "clones", "group": "tcp-8080", "host": "clone0"}
        [row] = self.do("delHost", **path)
        self.assertIn("1 clone is wanted", row["text"])
        self.do("delHost", **path, force=True)
        self.do("delHost", **path, deadline=5.0)
        self.assertEqual(
            self.clones.changed,
            [("clone0", None, False), ("clone0", None, True), ("clone0", 5.0, False)],
        )
        self.assertIn("no address", self.refusal("delHost", **path, address="127.0.0.1:1"))
        self.assertIn("tcp-81", self.refusal("delHost", **{**path, "group": "tcp-81"}))

    def test_roll(self) -> None:
        answer = self.do("roll")
        self.assertNoResult(answer)
        [(name, done)] = self.clones.calls
        done.callback(4)
        [row] = self.successResultOf(answer)
        self.assertEqual((name, row["generation"]), ("roll", 4))

    def test_upgrade(self) -> None:
        answer = self.do("upgrade", check=False)
        [(name, done)] = self.clones.calls
        done.callback(4711)
        [row] = self.successResultOf(answer)
        self.assertEqual((name, row["text"]), ("upgrade", "process 4711 manages"))

    def test_access(self) -> None:
        """
        Both start new code: they are for those that may do everything.
        """
        operator = Caller("ssh:eve", OPERATOR)
        for command in ("roll", "upgrade"):
            self.assertRaises(AccessDenied, findCommand(command), self.target, operator, {})
        self.assertEqual(self.clones.calls, [])

    def test_notCloned(self) -> None:
        self.target = Target(FakeBalancer(), None, History())
        path = {"service": "web", "group": "prod", "host": "h9", "settings": {}}
        self.assertIn("needs address", self.refusal("addHost", **path))
        self.do("addHost", **path, address="127.0.0.1:9")
        self.assertIn("no cloned application", self.refusal("roll"))
        self.assertEqual(
            [row for row in self.do("status") if row["row"] == "process"],
            [],
        )

    def test_refused(self) -> None:
        """
        What a cloned application has not is said, and what to do instead.
        """
        self.assertIn(
            "start it again", self.refusal("switchPort", listener="tcp-8080", address="81")
        )
        self.assertIn("tcp-81", self.refusal("switchPort", listener="tcp-81", address="81"))
        for command in ("certificates", "reloadCertificates"):
            self.assertIn("has its certificates itself", self.refusal(command))
        self.assertIn(
            "reports itself",
            self.refusal("setCheck", service="clones", group="tcp-8080", check="tcp", settings={}),
        )
        self.assertIn(
            "change it, upgrade the manager, and roll",
            self.refusal("setAdmission", service="clones", settings={"deny": "192.0.2.0/24"}),
        )
        self.assertIn(
            "a listener of its own", self.refusal("switchGroup", service="clones", group="tcp-8080")
        )
        self.assertIn("reports itself", self.refusal("setDefaultCheck", check="tcp", settings={}))
        self.assertIn("roll takes up its code", self.refusal("plan", file="/etc/txlb.xml"))
        for command in ("reload", "save", "diff"):
            self.assertIn("no configuration file", self.refusal(command))
        self.assertRaises(
            UnknownConnection, self.target.balancer.getClientAddress, "127.0.0.1", 1, None, None
        )

    def test_explain(self) -> None:
        rows = list(self.do("explain", service="clones"))
        self.assertEqual(
            [row.get("name") for row in rows if row["row"] == "choice"], ["clone0", "clone1"]
        )


class GroupsTests(SynchronousTestCase):
    """
    Commands to a balancer whose groups have clones.
    """

    def setUp(self) -> None:
        self.balancer = FakeBalancer()
        self.clones = self.balancer.clones
        self.clones.rows = [{"name": "manager", "role": "manager"}]
        self.target = Target(self.balancer, None, History())

    def do(self, command: str, **values: Any) -> Any:
        return findCommand(command)(self.target, ANNA, values)

    def test_status(self) -> None:
        for service in ("", "web"):
            rows = list(self.do("status", service=service))
            found = [row for row in rows if row["row"] == "process"]
            self.assertEqual(found, [{"row": "process", "name": "manager", "role": "manager"}])

    def test_roll(self) -> None:
        """
        The answer has what was replaced, or why it was not.
        """
        self.clones.answers = [[Rolled("web", "app", 2)], CloningError("web/app: no")]
        [row] = self.successResultOf(self.do("roll"))
        self.assertEqual(row["text"], "all clones of web/app are replaced: generation 2 serves")
        self.assertEqual((row["service"], row["group"], row["generation"]), ("web", "app", 2))
        self.assertEqual(str(self.failureResultOf(self.do("roll")).value), "web/app: no")

    def test_upgrade(self) -> None:
        """
        A balancer that is no cloned application upgrades itself, or says why not.
        """
        done = Upgraded(4711, 3, {"TLS": 2})
        answers: list[Any] = [succeed(done), fail(TxlbError("roll replaces the clones"))]
        self.balancer.upgrade = lambda: answers.pop(0)  # type: ignore[attr-defined]
        [row] = self.successResultOf(self.do("upgrade", check=False))
        self.assertEqual((row["pid"], row["moved"], row["stays"]), (4711, 3, {"TLS": 2}))
        self.assertIn("3 connections have moved, and those that can't end in", row["text"])
        error = self.failureResultOf(self.do("upgrade", check=False)).value
        self.assertIn("roll replaces the clones", str(error))

    def test_remove(self) -> None:
        """
        A clone ends, and is not replaced.
        """
        self.balancer.manager.addHost("web", "prod", "clone0", "unix:clone0", origin=CLONES)
        path = {"service": "web", "group": "prod"}
        given = {"address": "", "force": False, "deadline": None}
        [row] = self.do("delHost", **path, host="clone0", **given)
        self.assertEqual(row["text"], "clone0 gets nothing new, and ends: 1 clone is wanted now")
        self.assertTrue(list(self.do("delHost", **path, host="h0", **given)))

    def test_add(self) -> None:
        """
        A group with clones gets one more by its name alone; a host has an address.
        """
        manager = self.balancer.manager
        group = ProxyGroup("app", "leastc", True, clones=CloneSet("app.tac", 2))
        manager.apply([*manager.services.values(), ProxyService("api", [":1"], [group])])
        path = {"service": "api", "group": "app"}
        given: dict[str, Any] = {"address": "", "weight": 1, "settings": {}}
        [row] = self.do("addHost", **path, host="clone2", **given)
        self.assertEqual(row["text"], "clone2 starts: 3 clones are wanted now")
        given["weight"] = 2
        self.assertRaises(ModelError, self.do, "addHost", **path, host="clone3", **given)
        given["address"] = "192.0.2.1:80"
        self.assertTrue(list(self.do("addHost", **path, host="far", **given)))

    def test_none(self) -> None:
        """
        Without clones there is nothing to do.
        """
        self.clones.rows = []
        error = self.assertRaises(TxlbError, self.do, "roll")
        self.assertIn("no group has clones", str(error))

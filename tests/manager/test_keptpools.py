"""
Tests for what a manager hands to another process: L{txlb.manager._keptpools},
L{txlb.manager._keptservices}, L{txlb.manager._keptevents}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ChangeUnderWay, StateError
from txlb.interfaces import IKeptInParts
from txlb.manager import ProxyManager
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import CheckResult, RefusalKind

FAILED = CheckResult(False, "connection refused", 0.25)
PASSED = CheckResult(True, "connected", 0.25)

CLIENT = bytes([192, 0, 2, 1])


def servicesOf(hosts: Iterable[str] = "abc", **settings: Any) -> list[ProxyService]:
    """
    Two services of two groups each.
    """
    return [
        ProxyService(
            name,
            [f"127.0.0.1:{port}"],
            [
                ProxyGroup(
                    group,
                    "roundr",
                    enabled=group == "main",
                    backup=group == "other",
                    hosts=[ProxyHost(host, "127.0.0.1", port + 1 + ord(host)) for host in hosts],
                    **settings,
                )
                for group in ("main", "other")
            ],
            ratePerClient=2,
            burstPerClient=3,
            maxConnectionsPerClient=5,
        )
        for name, port in (("web", 8000), ("mail", 9000))
    ]


class KeptTestCase(SynchronousTestCase):
    """
    A manager and its heir, at one time.
    """

    def setUp(self) -> None:
        self.now = 5000.0
        self.manager = self.made(servicesOf())

    def made(self, services: Iterable[ProxyService]) -> ProxyManager:
        return ProxyManager(services, seconds=lambda: self.now, random=Random(1))

    def handOver(self, heir: ProxyManager, ahead: bool = False) -> None:
        """
        Hand the state of the manager over.
        """
        for one, other in zip(self.manager.keepers, heir.keepers, strict=True):
            parts: IKeptInParts | None = IKeptInParts(one, None)
            states: list[object] = []
            if ahead and parts is not None:
                states = [*parts.ahead(), parts.rest()]
            for state in states or [one.state()]:
                other.restore(json.loads(json.dumps(state)))

    def heir(self, ahead: bool = False, **settings: Any) -> ProxyManager:
        made = self.made(servicesOf(**settings))
        self.handOver(made, ahead)
        made.restored()
        return made

    def down(self, service: str, group: str, host: str) -> None:
        for _ in range(3):
            self.manager.getPool(service, group).reportCheck(host, FAILED)


class KeptManagerTests(KeptTestCase):
    """
    Tests for the keepers of L{ProxyManager}.
    """

    def past(self) -> None:
        self.down("web", "main", "a")
        self.now += 7
        self.manager.getPool("mail", "other").reportLoad("b", 0.5)
        counters = self.manager.getCounters("web")
        counters.accepted = 17
        counters.refused[RefusalKind.DENIED] = 3
        admission = self.manager.getAdmission("web")
        for _ in range(3):
            self.assertIsNone(admission.admit(CLIENT, self.now))
            admission.left(CLIENT)

    def test_snapshot(self) -> None:
        """
        All services are the same, taken over at once or in parts.
        """
        self.past()
        for ahead in (False, True):
            heir = self.heir(ahead)
            self.assertEqual(heir.snapshot(), self.manager.snapshot())
            self.assertEqual(heir.nextDeadline(), self.manager.nextDeadline())

    def test_rates(self) -> None:
        """
        A client that has used up its tokens has none in the new process either, and gets the next
        one at its time. With another rate all begin anew.
        """
        self.past()
        admissions = [each.getAdmission("web") for each in (self.manager, self.heir())]
        for seconds, refusal in ((0.4, RefusalKind.CLIENT_RATE), (0.2, None)):
            self.now += seconds
            for admission in admissions:
                self.assertIs(admission.admit(CLIENT, self.now), refusal)
        made = self.made(servicesOf())
        made.setAdmission("web", ratePerClient=1)
        self.handOver(made)
        self.assertIsNone(made.getAdmission("web").admit(CLIENT, self.now))

    def test_clientCounts(self) -> None:
        """
        Clients whose connections move are counted again, and refused no more than before.
        """
        heir = self.heir()
        admission = heir.getAdmission("web")
        for _ in range(5):
            admission.takeOver(CLIENT)
        admission.takeOver(None)
        self.assertEqual(admission.countOf(CLIENT), 5)
        self.assertIs(admission.admit(CLIENT, self.now), RefusalKind.CLIENT_LIMIT)
        admission.left(CLIENT)
        self.assertIsNone(admission.admit(CLIENT, self.now))
        heir.setAdmission("web", maxConnectionsPerClient=None)
        admission.takeOver(CLIENT)
        self.assertEqual(admission.countOf(CLIENT), 0)

    def test_events(self) -> None:
        """
        The last events are kept, with their authors; those of kinds that this release does not
        know are left out.
        """
        with self.manager.by("ssh:alice"):
            self.manager.drain("web", "main", "a")
        events = self.manager.events
        self.assertEqual(events[-1].by, "ssh:alice")
        self.assertEqual(self.heir().events[: len(events)], events)
        heir = self.made(servicesOf())
        (keeper,) = (each for each in heir.keepers if each.name == "events")
        rows = [{**event.asDict(), "kind": "host-sang"} for event in events]
        keeper.restore({"last": [*rows, events[0].asDict()]})
        self.assertEqual(heir.events, (events[0],))
        for broken in ({"last": [1]}, {"last": [{**events[0].asDict(), "key": []}]}, {"last": 1}):
            self.assertRaises(StateError, keeper.restore, broken)
        self.assertEqual(heir.events, (events[0],))

    def test_failover(self) -> None:
        """
        A group that stands in still does, until the enabled one has enough hosts for long enough.
        """
        self.manager.getCounters("web").accepted = 1
        for host in "abc":
            self.down("web", "main", host)
        self.assertEqual(self.manager.servingGroup("web").name, "other")
        for host in "abc":
            pool = self.manager.getPool("web", "main")
            pool.watch(host, rise=1, fall=3, damped=False)
            pool.reportCheck(host, PASSED)
        self.now += 1
        heir = self.heir()
        told = len(heir.events)
        self.assertEqual(heir.servingGroup("web").name, "other")
        self.assertEqual(heir.snapshot(), self.manager.snapshot())
        when = self.manager.nextDeadline()
        assert when is not None
        self.now = when
        for manager in (self.manager, heir):
            manager.advance(self.now)
            self.assertEqual(manager.servingGroup("web").name, "main")
        self.assertEqual([e.kind.value for e in heir.events[told:]], ["group-switched"])

    def test_noChecksAnyMore(self) -> None:
        """
        A host for which the new file has no check counts as up. One that a program reports of
        stays as it is.
        """
        check = HealthCheck("tcp")
        self.manager.setCheck("web", "main", check)
        self.down("web", "main", "a")
        self.down("mail", "main", "b")
        heir = self.heir()
        self.assertEqual(heir.getPool("web", "main").getHost("a").stateWord, "unchecked")
        self.assertEqual(heir.getPool("mail", "main").getHost("b").stateWord, "down")
        self.assertEqual([event.kind.value for event in heir.events][-1], "host-up")
        same = self.made(servicesOf(check=check))
        self.handOver(same)
        same.restored()
        self.assertEqual(same.getPool("web", "main").getHost("a").stateWord, "down")

    def test_goneService(self) -> None:
        """
        The connections of a service and of a group that the new file does not have go on at hosts
        that are leaving, until the last one has ended.
        """
        leases = [self.manager.getPool("mail", group).acquire() for group in ("main", "other")]
        for ahead in (False, True):
            only = servicesOf()[:1]
            heir = self.made(only)
            self.handOver(heir, ahead)
            again = [
                heir.readopt(*lease.host.key, "127.0.0.1:1", began=lease.host.began)
                for lease in leases
            ]
            heir.claimedPool("never", "was")
            heir.restored()
            self.assertEqual(list(heir.services), ["web"])
            self.assertTrue(all(lease.host.leaving for lease in again))
            self.assertEqual(again[0].host.key, leases[0].host.key)
            gone = [event for event in heir.events if event.kind.value == "host-gone"]
            self.assertEqual(len(gone), 4)
            again[0].release()
            again[1].release()
            gone = [event for event in heir.events if event.kind.value == "host-gone"]
            self.assertEqual(len(gone), 6)
            heir.advance(self.now)

    def test_removedGroup(self) -> None:
        """
        A group that was removed live, and has work, and one of its name that came after it.
        """
        services = servicesOf()
        lease = self.manager.getPool("web", "main").acquire()
        other = self.manager.getPool("mail", "other").acquire()
        self.now += 1
        self.manager.apply(services[1:])
        self.manager.apply(services)
        self.manager.delHost("mail", "other", other.host.name)
        self.manager.apply(servicesOf()[:1])
        heir = self.made(servicesOf()[:1])
        self.handOver(heir)
        again = [
            heir.readopt(*each.host.key, "x:1", began=each.host.began) for each in (lease, other)
        ]
        heir.restored()
        self.assertTrue(all(each.host.leaving for each in again))
        self.assertEqual([each.host.began for each in again], [lease.host.began, other.host.began])
        # Those that leave are shown beside the hosts of the group that has their name.
        groups = [each.snapshot()[0].groups for each in (heir, self.manager)]
        for now, before in zip(*groups, strict=True):
            self.assertEqual(now.hosts[:3], before.hosts)

    def test_refused(self) -> None:
        """
        What can't be right is refused, by each keeper, and changes nothing. What is missing or
        not known has no effect.
        """
        broken: Any
        self.past()
        heir = self.made(servicesOf())
        before = heir.snapshot()
        for keeper in heir.keepers:
            for broken in (None, 1, [], "x", {"services": [], "last": {}}):
                self.assertRaises(StateError, keeper.restore, broken)
            keeper.restore({"other": 1})
        pools, services = heir.keepers[2], heir.keepers[1]
        for wrong in (1, {"main": 1}, {"main": {"names": 1}}):
            self.assertRaises(StateError, pools.restore, {"services": {"web": wrong}})
        whole = json.loads(json.dumps(self.manager.keepers[1].state()))["services"]["web"]
        rates = whole["rates"]
        for broken in (
            {"accepted": -1},
            {"refused": {"denied": "x"}},
            {"rates": {**rates, "clients": {"4": "%"}}},
            {"rates": {**rates, "clients": {"4": 1}}},
            {"rates": {**rates, "clients": {"4": "AAAA"}}},
            {"rates": {**rates, "times": {"4": "AAAAAAAA+H8="}}},
            {"failover": {"backAt": "x"}},
        ):
            error = {"services": {"web": {**whole, **broken}}}
            self.assertRaises(StateError, services.restore, error)
        services.restore({"services": {"none": {"accepted": 1}}})
        self.assertEqual(heir.snapshot(), before)

    def test_hold(self) -> None:
        """
        While changes are held each is refused, and its error says why.
        """
        release = self.manager.hold("an upgrade is under way")
        error = self.assertRaises(ChangeUnderWay, self.manager.drain, "web", "main", "a")
        self.assertIn("an upgrade is under way", str(error))
        self.assertRaises(ChangeUnderWay, self.manager.applying, servicesOf())
        release()
        release()
        self.manager.drain("web", "main", "a")

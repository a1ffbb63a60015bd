"""
Tests for L{txlb.manager._apply}.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import serviceLists
from tests.watched import REFUSED, Watched, hosts
from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.interfaces import IHost
from txlb.manager import ProxyManager
from txlb.model import (
    HealthCheck,
    HostMapper,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    TCPAddress,
    UNIXAddress,
)
from txlb.pool import Attempt, EventKind
from txlb.schedulers import Scheduler, _registry, registerScheduler


def configured(manager: ProxyManager) -> object:
    """
    All that comes from what is configured, in services, pools and hosts:
    whatever attribute is named like a setting, or is a plain value.
    """
    found: dict[str, object] = {"services": list(manager.services.values())}
    for service in manager.services.values():
        for group in service.groups:
            pool = manager.getPool(service.name, group.name)
            # A host that came later has grown by then.
            pool.advance(pool.seconds() + 7200.0)
            where = f"{service.name}/{group.name}"
            found[where] = (pool.scheduler.name, replace(pool.settings, hosts=()))
            found[where + "/hosts"] = [
                (
                    host.key,
                    host.configured,
                    host.addresses,
                    host.effectiveWeight,
                    host.ready,
                    {
                        field.name: getattr(host, field.name)
                        for field in dataclasses.fields(ProxyHost)
                        if hasattr(host, field.name)
                    },
                )
                for host in pool.hosts
            ]
            # What the policy holds.
            found[where + "/held"] = sorted(pool.scheduler.explain(None))
            found[where + "/order"] = sorted(pool.hosts, key=lambda host: host.order) == pool.hosts
    return found


def fresh(services: Sequence[ProxyService]) -> ProxyManager:
    return ProxyManager(services, seconds=lambda: 50.0, random=Random(1))


def withHosts(*which: ProxyHost) -> list[ProxyService]:
    group = ProxyGroup("main", "leastc", True, which)
    return [ProxyService("web", ["127.0.0.1:80"], [group])]


class ApplyTests(SynchronousTestCase):
    """
    The smallest set of changes, by name.
    """

    def setUp(self) -> None:
        self.watched = Watched()
        self.manager = self.watched.manager

    def services(self) -> tuple[ProxyService, ProxyService]:
        web, mail = self.manager.services.values()
        return web, mail

    def changedHosts(self, *which: ProxyHost) -> list[ProxyService]:
        web, mail = self.services()
        main = replace(web.groups[0], hosts=which)
        return [replace(web, groups=(main, web.groups[1])), mail]

    def told(self) -> list[str]:
        return [str(event) for event in self.watched.told]

    def test_nothing(self) -> None:
        before = self.watched.state()
        plan = self.manager.plan(self.services())
        self.assertFalse(plan)
        self.assertEqual(str(plan), "nothing would change")
        self.assertEqual(self.manager.apply(self.services()), ())
        self.assertEqual((self.watched.state(), self.told()), (before, []))

    def test_hosts(self) -> None:
        """
        One host goes, one comes, one gets another weight. Who stays keeps the
        counts; who goes keeps the connections.
        """
        pool = self.manager.getPool("web")
        leases = [pool.acquire(), pool.acquire()]
        a, b = self.manager.getGroup("web", "main").hosts
        stays, goes = pool.getHost("b"), pool.getHost("a")
        wanted = self.changedHosts(replace(b, weight=5), ProxyHost("c", "127.0.0.1", 9))
        plan = self.manager.plan(wanted)
        self.assertEqual(
            plan.lines,
            [
                "host web/main/a removed",
                "host web/main/c added (127.0.0.1:9, weight 1)",
                "host web/main/b: weight 1 -> 5",
            ],
        )
        self.assertEqual(self.told(), [])
        events = self.manager.apply(wanted)
        self.assertEqual(list(events), self.watched.told)
        self.assertEqual(
            self.told(),
            [
                "host-removed web/main/a: removed, 1 connections left",
                "host-weight web/main/b: weight 1 -> 5",
                "host-added web/main/c: added at 127.0.0.1:9",
            ],
        )
        self.assertIs(self.manager.getPool("web"), pool)
        self.assertIs(pool.getHost("b"), stays)
        self.assertEqual((stays.active, stays.counters.connections, stays.weight), (1, 1, 5))
        self.assertEqual(pool.leaving, [goes])
        self.assertTrue(self.watched.agrees())
        for lease in leases:
            lease.release()
        self.assertEqual(self.told()[-1], "host-gone web/main/a: gone")
        self.assertEqual(pool.leaving, [])
        self.assertEqual(a.weight, 1)

    def test_marksStay(self) -> None:
        """
        A host that is down stays down, until the time that it had.
        """
        pool = self.manager.getPool("web")
        attempt = pool.dial().start()
        assert isinstance(attempt, Attempt)
        down = attempt.host
        attempt.failed(REFUSED)
        before = (down.mark, down.mark.retryAt, down.mark.state)
        _, b = self.manager.getGroup("web", "main").hosts
        a = self.manager.getHost("web", "main", "a")
        self.manager.apply(self.changedHosts(b, a, ProxyHost("c", "127.0.0.1", 9)))
        self.assertEqual((down.mark, down.mark.retryAt, down.mark.state), before)
        self.assertEqual([host.name for host in pool.hosts], ["b", "a", "c"])

    def test_moved(self) -> None:
        """
        A host at another address is the same host. Its connections go on, its
        mark is forgotten, as it was the old address's, and new work goes to the
        new one.
        """
        pool = self.manager.getPool("web")
        lease = pool.acquire()
        host = lease.host
        lease.add(3, 4)
        host.mark.failed("refused", 1, False, 50.0)
        a, b = self.manager.getGroup("web", "main").hosts
        moved = self.changedHosts(replace(a, ipOrHost="::1", port=9), b)
        self.assertEqual(
            self.manager.plan(moved).lines,
            ["host web/main/a moved from 127.0.0.1:7000 to [::1]:9"],
        )
        events = self.manager.apply(moved)
        self.assertEqual([event.kind for event in events], [EventKind.HOST_MOVED])
        self.assertIs(pool.getHost("a"), host)
        self.assertEqual((host.active, host.counters.bytesIn), (1, 3))
        self.assertTrue(host.ready)
        self.assertEqual(host.address, TCPAddress("::1", 9))
        self.manager.apply(self.changedHosts(ProxyHost("a", "somewhere.example", 9), b))
        self.assertEqual((host.addresses, host.ready), ((), False))
        self.manager.apply(self.changedHosts(ProxyHost.at("a", "unix:/run/a"), b))
        self.assertEqual(host.address, UNIXAddress("/run/a"))
        lease.release()
        self.assertEqual(host.active, 0)

    def test_wholeServices(self) -> None:
        """
        A service and a group go, others come; the connections that they have go
        on and are counted down.
        """
        web, _ = self.services()
        mail = self.manager.getPool("mail").acquire()
        spare = self.manager.getPool("web", "spare").acquire()
        dns = ProxyService(
            "dns", ["127.0.0.1:53"], [ProxyGroup("g", enabled=True, hosts=hosts("n"))]
        )
        events = self.manager.apply([dns, replace(web, groups=(web.groups[0],))])
        kinds = [event.kind.value for event in events]
        self.assertEqual(
            kinds,
            [
                "service-removed",
                "service-added",
                "group-removed",
                "host-removed",
                "host-removed",
                "host-added",
            ],
        )
        self.assertRaises(UnknownName, self.manager.getPool, "mail")
        self.assertRaises(UnknownName, self.manager.getCounters, "mail")
        self.assertEqual(self.manager.getPool("dns").acquire().host.name, "n")
        self.assertEqual(self.manager.getCounters("dns").accepted, 0)
        self.assertEqual(list(self.manager.services), ["dns", "web"])
        mail.release()
        spare.release()
        self.assertEqual(
            self.told()[-2:], ["host-gone mail/main/a: gone", "host-gone web/spare/c: gone"]
        )
        self.manager.advance(60.0)
        self.assertIsNone(self.manager.nextDeadline())

    def test_countersStay(self) -> None:
        counters = self.manager.getCounters("web")
        counters.accepted = 7
        web, mail = self.services()
        self.manager.apply([mail, replace(web, idleTimeout=5.0)])
        self.assertIs(self.manager.getCounters("web"), counters)
        self.assertEqual(
            self.told(),
            [
                "order-changed : services in another order",
                "setting-changed web: idleTimeout 3600.0 -> 5.0",
            ],
        )
        self.assertEqual(
            dict(self.watched.told[1].details),
            {"setting": "idleTimeout", "before": 3600.0, "after": 5.0},
        )

    def test_scheduler(self) -> None:
        web, mail = self.services()
        lease = self.manager.getPool("web").acquire()
        main = replace(web.groups[0], scheduler="roundr")
        self.manager.apply([replace(web, groups=(main, web.groups[1])), mail])
        self.assertEqual(self.manager.getPool("web").scheduler.name, "roundr")
        self.assertEqual(lease.host.active, 1)
        self.assertEqual(self.told(), ["scheduler-changed web/main: scheduler leastc -> roundr"])

    def test_switched(self) -> None:
        web, mail = self.services()
        main, spare = web.groups
        groups = (replace(main, enabled=False), replace(spare, enabled=True))
        self.manager.apply([replace(web, groups=groups), mail])
        self.assertEqual(self.manager.getPool("web").group, "spare")
        self.assertEqual(self.told(), ["group-switched web: group switched from main to spare"])

    def test_mappers(self) -> None:
        mapper = HostMapper("web", "127.0.0.1:80", host="a", address="127.0.0.1:7000")
        self.manager.apply([mapper])
        self.assertEqual(list(self.manager.services), ["web"])
        self.assertEqual(self.manager.getService("web").groups[0].name, "group1")

    def test_wrong(self) -> None:
        web, mail = self.services()
        before = self.watched.state()
        for services, error, words in (
            ([], ModelError, "there is no service"),
            ([web, web], DuplicateName, "two services 'web'"),
            ([web, 3], ModelError, "ProxyService and int"),
        ):
            for do in (self.manager.plan, self.manager.apply):
                raised = self.assertRaises(error, do, services)
                self.assertIn(words, str(raised))
        self.assertEqual((self.watched.state(), self.told()), (before, []))
        self.assertEqual(mail.name, "mail")

    def test_asDict(self) -> None:
        a, b = self.manager.getGroup("web", "main").hosts
        wanted = self.changedHosts(replace(a, port=9, weight=4), b, ProxyHost("c", "::1", 1))
        self.assertEqual(
            self.manager.plan(wanted).asDict()["changes"],
            [
                {
                    "kind": "added",
                    "thing": "host",
                    "key": ["web", "main", "c"],
                    "setting": "",
                    "before": None,
                    "after": {
                        field.name: getattr(ProxyHost("c", "::1", 1), field.name)
                        for field in dataclasses.fields(ProxyHost)
                    },
                    "restart": False,
                    "text": "host web/main/c added ([::1]:1, weight 1)",
                },
                {
                    "kind": "moved",
                    "thing": "host",
                    "key": ["web", "main", "a"],
                    "setting": "",
                    "before": "127.0.0.1:7000",
                    "after": "127.0.0.1:9",
                    "restart": False,
                    "text": "host web/main/a moved from 127.0.0.1:7000 to 127.0.0.1:9",
                },
                {
                    "kind": "changed",
                    "thing": "host",
                    "key": ["web", "main", "a"],
                    "setting": "weight",
                    "before": 1,
                    "after": 4,
                    "restart": False,
                    "text": "host web/main/a: weight 1 -> 4",
                },
            ],
        )

    @given(serviceLists(), serviceLists())
    def test_likeAFreshOne(self, a: list[ProxyService], b: list[ProxyService]) -> None:
        """
        For any two configurations, to apply the second one to the first one
        running gives what the second one gives by itself, and the plan said so:
        it was empty exactly where nothing differed, and is empty afterwards.
        """
        manager = fresh(a)
        plan = manager.plan(b)
        self.assertEqual(bool(plan), a != b)
        manager.apply(b)
        self.assertEqual(configured(manager), configured(fresh(b)))
        self.assertFalse(manager.plan(b))
        back = manager.plan(a)
        self.assertEqual(len(back.changes) > 0, len(plan.changes) > 0)


class FaultyPolicyTests(SynchronousTestCase):
    """
    Everything or nothing, whatever a policy from elsewhere does.
    """

    def setUp(self) -> None:
        self.raising: set[str] = set()
        raising = self.raising

        class Picky(Scheduler):
            name = "picky"

            def hostAdded(self, host: IHost) -> None:
                if f"added {host.key[2]}" in raising:
                    raise RuntimeError("not this one")
                super().hostAdded(host)

            def hostRemoved(self, host: IHost) -> None:
                super().hostRemoved(host)
                if f"removed {host.key[2]}" in raising:
                    raise RuntimeError("not without it")

            def hostChanged(self, host: IHost) -> None:
                if f"changed {host.key[2]}" in raising:
                    raise RuntimeError("not so")
                super().hostChanged(host)

            def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
                return hosts[0]

        self.patch(_registry, "_kinds", dict(_registry._kinds))
        registerScheduler("picky", Picky)

    def manager(self) -> ProxyManager:
        manager = fresh(
            [
                ProxyService(
                    "web",
                    ["127.0.0.1:80"],
                    [
                        ProxyGroup("one", "roundr", True, hosts("a", "b", "c")),
                        ProxyGroup("two", "picky", False, hosts("d", "e", "f")),
                        ProxyGroup("three", "leastc", False, hosts("g", "h")),
                    ],
                )
            ]
        )
        leases = [manager.getPool("web", group).acquire() for group in ("one", "two", "three")]
        self.assertEqual(len(leases), 3)
        return manager

    def test_anywhere(self) -> None:
        """
        Wherever it raises: all is as it was, in each pool, nobody is told, and
        the balancer works on.
        """
        moved = ProxyHost("e", "127.0.0.1", 9, 3)
        three = ProxyGroup("three", "rand", False, hosts("h"))
        wanted = [
            ProxyService(
                "web",
                ["127.0.0.1:81"],
                [
                    ProxyGroup("one", "leastc", True, hosts("c", "x"), passiveFall=4),
                    ProxyGroup("two", "picky", False, [*hosts("x"), moved, *hosts("f")[:1]]),
                    three,
                ],
            )
        ]
        for raises in ("added x", "removed d", "changed e"):
            self.raising.clear()
            manager = self.manager()
            told: list[object] = []
            manager.subscribe(told.append)
            before, shown = configured(manager), manager.snapshot()
            self.raising.add(raises)
            self.assertRaises(RuntimeError, manager.apply, wanted)
            self.raising.clear()
            self.assertEqual(configured(manager), before, raises)
            self.assertEqual(manager.snapshot(), shown)
            self.assertEqual(told, [])
            for group in ("one", "two", "three"):
                pool = manager.getPool("web", group)
                names = {host.name for host in pool.hosts}
                lease = pool.acquire()
                self.assertIn(lease.host.name, names)
                lease.release()
            manager.apply(wanted)
            self.assertEqual(configured(manager), configured(fresh(wanted)))

    def test_afterwards(self) -> None:
        """
        What is raised when all has been changed, as those who have waited are
        served, can't undo it.
        """
        manager = self.manager()
        errors: list[Exception] = []
        manager.onError = errors.append
        pool = manager.getPool("web", "one")

        def arrived() -> None:
            raise RuntimeError("not this one")

        self.patch(pool, "arrived", arrived)
        service = manager.getService("web")
        one = replace(service.groups[0], passiveFall=4)
        manager.apply([replace(service, groups=(one, *service.groups[1:]))])
        self.assertEqual([str(error) for error in errors], ["not this one"])
        self.assertEqual(manager.getGroup("web", "one").passiveFall, 4)
        manager.onError = None
        manager.apply([service])

    def test_goingBackRaises(self) -> None:
        """
        A policy that raises on the way back as well is replaced by a new one of
        its kind.
        """
        manager = self.manager()
        before = configured(manager)
        service = manager.getService("web")
        one, two, three = service.groups
        wanted = replace(
            service,
            groups=(
                one,
                replace(two, hosts=(replace(two.hosts[0], weight=7), *two.hosts[1:])),
                replace(three, scheduler="picky"),
            ),
        )
        self.raising |= {"added g"}
        policy = manager.getPool("web", "two").scheduler
        original = type(policy).hostChanged

        def hostChanged(self: Scheduler, host: IHost) -> None:
            if host.effectiveWeight == 1.0 and host.key[2] == "d":
                raise RuntimeError("not back")
            original(self, host)

        self.patch(type(policy), "hostChanged", hostChanged)
        self.assertRaises(RuntimeError, manager.apply, [wanted])
        self.assertEqual(configured(manager), before)
        self.assertIsNot(manager.getPool("web", "two").scheduler, policy)


class FieldTests(SynchronousTestCase):
    """
    Each setting of the model is one that can be changed live. Where this fails
    for a new one: give it another value below. Where it fails then, the pool or
    the host has made something of the setting when it was made; it has to be
    kept under the setting's name, or L{txlb.pool.HostPool.configure} has to know.
    """

    HOST: ClassVar[dict[str, Any]] = {
        "ipOrHost": "127.0.0.2",
        "port": 9,
        "weight": 7,
        "maxConnections": 3,
        "state": "drain",
        "backup": True,
        "check": HealthCheck("tcp", 3.0),
    }
    GROUP: ClassVar[dict[str, Any]] = {
        "scheduler": "rand",
        "hosts": (ProxyHost("other", "127.0.0.1", 1),),
        "passiveFall": 9,
        "whenAllDown": "close",
        "sendProxy": "v2",
        "initialState": "check",
        "expectAnswer": True,
        "answerFall": 9,
        "flapHold": 9.0,
        "whenDown": "close",
        "maxQueue": 9,
        "queueTimeout": 9.0,
        "maxPending": 9,
        "minimumUp": 9,
        "holdDown": 9.0,
        "backup": True,
        "check": HealthCheck("tcp", 3.0),
        "boundedLoad": 1.25,
        "choices": 3,
        "decay": 5.0,
        "slowStart": 9.0,
        "resource": ResourceProbe("agent", 3.0),
    }
    SERVICE: ClassVar[dict[str, Any]] = {
        "addresses": (TCPAddress("127.0.0.1", 99),),
        "maxConnections": 7,
        "connectTimeout": 1.5,
        "dialTimeout": 2.5,
        "retries": 1,
        "idleTimeout": 9.0,
        "finTimeout": 9.0,
        "resolveInterval": 9.0,
        "relay": "portable",
        "allow": ("10.0.0.0/8",),
        "deny": ("10.1.0.0/16",),
        "maxConnectionsPerClient": 9,
        "ratePerClient": 9.0,
        "burstPerClient": 9,
    }

    def service(self) -> ProxyService:
        return withHosts(ProxyHost("h", "127.0.0.1", 7000))[0]

    def check(self, name: str, wanted: ProxyService) -> None:
        manager = fresh([self.service()])
        (change,) = manager.plan([wanted]).changes
        self.assertIn(str(change), manager.plan([wanted]).lines)
        told = manager.apply([wanted])
        self.assertTrue(told, f"no event of a change of {name}")
        self.assertEqual(configured(manager), configured(fresh([wanted])), name)

    def names(self, kind: type, *without: str) -> set[str]:
        return {each.name for each in dataclasses.fields(kind) if each.init} - set(without)

    def test_host(self) -> None:
        self.assertEqual(self.names(ProxyHost, "name"), set(self.HOST))
        for name, value in self.HOST.items():
            service = self.service()
            group = service.groups[0]
            host = replace(group.hosts[0], **{name: value})
            self.check(name, replace(service, groups=(replace(group, hosts=(host,)),)))

    def test_group(self) -> None:
        self.assertEqual(self.names(ProxyGroup, "name", "enabled"), set(self.GROUP))
        for name, value in self.GROUP.items():
            if name == "hosts":
                continue
            service = self.service()
            group = replace(service.groups[0], **{name: value})
            self.check(name, replace(service, groups=(group,)))

    def test_service(self) -> None:
        self.assertEqual(self.names(ProxyService, "name", "groups"), set(self.SERVICE))
        for name, value in self.SERVICE.items():
            self.check(name, replace(self.service(), **{name: value}))

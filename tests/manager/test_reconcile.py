"""
Tests for L{txlb.manager._reconcile}.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import serviceLists
from tests.registries import keepRegistries
from tests.watched import REFUSED, Watched, hosts
from txlb.errors import ChangeUnderWay, DuplicateName, ModelError, NoHostAvailable, UnknownName
from txlb.interfaces import IHost
from txlb.manager import ProxyManager, _reconcile
from txlb.manager._applying import Applying
from txlb.model import (
    CloneSet,
    Discovery,
    HealthCheck,
    HostMapper,
    HostTLS,
    Listener,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    TCPAddress,
    UNIXAddress,
)
from txlb.pool import Attempt, Event, EventKind, Lease, _rotation
from txlb.schedulers import SCHEDULERS, Scheduler, registerScheduler


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
                    # With weight 0 it keeps the weight that it had, and none looks at it.
                    host.effectiveWeight if host.weight else None,
                    host.ready,
                    {
                        field.name: getattr(host, field.name)
                        for field in dataclasses.fields(ProxyHost)
                        if field.init and hasattr(host, field.name)
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
        before = (down.passive, down.passive.retryAt, down.passive.state)
        _, b = self.manager.getGroup("web", "main").hosts
        a = self.manager.getHost("web", "main", "a")
        self.manager.apply(self.changedHosts(b, a, ProxyHost("c", "127.0.0.1", 9)))
        self.assertEqual((down.passive, down.passive.retryAt, down.passive.state), before)
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
        host.passive.failed("refused", 1, False, 50.0)
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
        self.assertEqual(
            self.told(), ["group-switched web/spare: gets the connections of web instead of main"]
        )

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
                        if field.init
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


class Picky(Scheduler):
    """
    A policy that raises if it is told to.

    @cvar raising: the names of the calls that raise, such as C{added x}; C{True} in
        it for all of them.
    @cvar chance: if it is set, the share of all calls that raise.
    """

    name = "picky"
    raising: ClassVar[set[str]] = set()
    chance: ClassVar[float] = 0.0
    dice: ClassVar[Random] = Random(1)

    def _mayRaise(self, call: str) -> None:
        if call in self.raising or self.dice.random() < self.chance:
            raise RuntimeError(call)

    def hostAdded(self, host: IHost) -> None:
        self._mayRaise(f"added {host.key[2]}")
        super().hostAdded(host)

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        self._mayRaise(f"removed {host.key[2]}")

    def hostChanged(self, host: IHost) -> None:
        self._mayRaise(f"changed {host.key[2]}")
        super().hostChanged(host)

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        self._mayRaise("choose")
        return hosts[0]


def disagreements(manager: ProxyManager) -> list[str]:
    """
    Where the model and the pools differ; nothing if they agree.
    """
    found = []
    for service in manager.services.values():
        for group in service.groups:
            pool = manager.getPool(service.name, group.name)
            where = f"{service.name}/{group.name}"
            if pool.settings != group:
                found.append(f"settings of {where}")
            if [host.configured for host in pool.hosts] != list(group.hosts):
                found.append(f"hosts of {where}")
            ready = {host.key for host in pool.hosts if host.ready}
            assert isinstance(pool.scheduler, Scheduler)
            # L{explain} of sticky leaves out a host whose points are still to come.
            if set(pool.scheduler.hosts) != ready:
                found.append(f"what the policy of {where} holds")
            if group.scheduler not in {pool.scheduler.name, pool.snapshot().replaced}:
                found.append(f"policy of {where}")
    return found


def weights(manager: ProxyManager) -> dict[tuple[str, ...], int]:
    return {
        (service.name, group.name, host.name): host.weight
        for service in manager.services.values()
        for group in service.groups
        for host in group.hosts
    }


class FaultyPolicyTests(SynchronousTestCase):
    """
    A policy that raises is replaced, so that a change is complete, and the model
    and the pools don't differ.
    """

    def setUp(self) -> None:
        keepRegistries(self, SCHEDULERS)
        registerScheduler("picky", Picky)
        self.patch(_reconcile, "MOST", 2)
        self.patch(Picky, "raising", set())
        self.patch(Picky, "chance", 0.0)

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
        self.leases = [manager.getPool("web", group).acquire() for group in ("one", "two", "three")]
        return manager

    def test_anywhere(self) -> None:
        """
        Wherever it raises, the change is complete in every pool, and C{roundr}
        stands in if the policy can't be made anew.
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
        for raises, policy in (
            ("added x", "roundr"),
            ("removed d", "picky"),
            ("changed e", "picky"),
        ):
            Picky.raising.clear()
            manager = self.manager()
            Picky.raising.add(raises)
            events = manager.apply(wanted)
            failures = [each for each in events if each.kind is EventKind.SCHEDULER_FAILED]
            self.assertGreater(len(failures), 0, raises)
            self.assertIn(f"scheduler picky raised RuntimeError('{raises}')", failures[0].message)
            pool = manager.getPool("web", "two")
            self.assertEqual(pool.scheduler.name, policy)
            self.assertEqual(pool.snapshot().replaced, "picky" if policy == "roundr" else "")
            self.assertEqual(disagreements(manager), [])
            for group in ("one", "two", "three"):
                lease = manager.getPool("web", group).acquire()
                self.assertIn(lease.host, manager.getPool("web", group).hosts)
                lease.release()

    def test_often(self) -> None:
        """
        A policy that raises again and again is not made anew for ever, as that
        costs time in proportion to the hosts.
        """
        manager = self.manager()
        pool = manager.getPool("web", "two")
        Picky.raising.add("choose")
        lease = pool.acquire()
        self.assertEqual(lease.host.key[:2], ("web", "two"))
        self.assertEqual(pool.scheduler.name, "roundr")
        told = [each.message for each in manager.events if each.kind is EventKind.SCHEDULER_FAILED]
        raised = "scheduler picky raised RuntimeError('choose'); "
        anew, standsIn = "it is made anew", "roundr stands in for it until a scheduler is set"
        self.assertEqual(told, [raised + anew, raised + anew, raised + standsIn])
        self.assertEqual(disagreements(manager), [])

    def test_anotherChance(self) -> None:
        """
        After it was replaced, a policy is used again once it is set.
        """
        manager = self.manager()
        pool = manager.getPool("web", "two")
        Picky.raising.add("choose")
        pool.acquire()
        Picky.raising.clear()
        manager.setScheduler("web", "two", "roundr")
        manager.setScheduler("web", "two", "picky")
        self.assertEqual((pool.scheduler.name, pool.snapshot().replaced), ("picky", ""))

    def test_inSlices(self) -> None:
        """
        A policy of a plugin gets its hosts in slices, before anything is changed, and after that
        it is used at once. If one of two raises, neither group has another one.
        """
        self.patch(_rotation, "AT_ONCE", 1)
        for raises in ("", "added c"):
            Picky.raising.clear()
            manager = self.manager()
            (service,) = manager.services.values()
            Picky.raising.add(raises)
            groups = [replace(each, scheduler="picky") for each in service.groups[::-1]]
            applying = manager.applying([replace(service, groups=tuple(groups))])
            pools = [manager.getPool("web", name) for name in ("one", "three")]
            names = ["roundr", "leastc"]
            # Five hosts, of which the second group has three.
            for _ in range(4):
                self.assertTrue(applying.goOn())
                self.assertEqual([pool.scheduler.name for pool in pools], names)
                self.assertEqual(disagreements(manager), [])
            if raises:
                # The policy that raised is known at the next step.
                self.assertTrue(applying.goOn())
                error = self.assertRaises(ModelError, applying.goOn)
                self.assertIn("for group 'one' of service 'web'", str(error))
                self.assertFalse(applying.letGo())
                applying.finish()
                self.assertEqual(applying.events, [])
                manager.setWeight("web", "one", "a", 5)
            else:
                while applying.letGo():
                    self.assertEqual(disagreements(manager), [])
                applying.finish()
                names = ["picky", "picky"]
            self.assertEqual([pool.scheduler.name for pool in pools], names)
            self.assertEqual(disagreements(manager), [])

    def test_pace(self) -> None:
        """
        After a slice that takes long the next ones have half of the changes, but not fewer than
        some; when slices are short again they have more, up to as many as before.
        """
        now = [0.0]
        took = [0.02] * 4 + [0.01] * 2 + [0.001] * 4
        self.patch(_reconcile, "MOST", 64)
        names = [f"h{number}" for number in range(600)]
        manager = ProxyManager(
            [ProxyService("web", ["127.0.0.1:80"], [ProxyGroup("one", "roundr", True)])],
            seconds=lambda: now[0],
        )
        (service,) = manager.services.values()
        group = replace(service.groups[0], hosts=hosts(*names))
        applying = manager.applying([replace(service, groups=(group,))])
        pool = manager.getPool("web", "one")
        added: list[int] = []

        def noted(event: Event) -> None:
            if event.kind is EventKind.HOST_ADDED:
                added[-1] += 1
                if added[-1] == 1:
                    now[0] += took[len(added) - 1]

        manager.subscribe(noted)
        for _ in took:
            added.append(0)
            self.assertTrue(applying.goOn())
            self.assertEqual(len(pool.hosts), sum(added))
        # One of the first is the change of the service.
        self.assertEqual(added, [63, 32, 20, 20, 20, 20, 20, 40, 64, 64])
        applying.stop()

    def test_refused(self) -> None:
        """
        A policy that raises is refused for a group that is new, or has another one.
        Nothing is changed.
        """
        manager = self.manager()
        (service,) = manager.services.values()
        before, shown = configured(manager), manager.snapshot()
        told: list[object] = []
        manager.subscribe(told.append)
        Picky.raising.add("added h")
        three = replace(service.groups[2], scheduler="picky")
        error = self.assertRaises(
            ModelError, manager.apply, [replace(service, groups=(*service.groups[:2], three))]
        )
        self.assertEqual(
            str(error),
            "scheduler 'picky' can't be used for group 'three' of service 'web': it raises "
            "RuntimeError('added h')",
        )
        self.assertEqual((configured(manager), manager.snapshot(), told), (before, shown, []))

    @given(
        st.integers(0, 2**32),
        st.sampled_from([0.05, 0.3, 1.0]),
        st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        "add",
                        "del",
                        "weight",
                        "drain",
                        "maintenance",
                        "ready",
                        "host",
                        "group",
                        "scheduler",
                        "switch",
                        "check",
                        "admission",
                        "listener",
                        "apply",
                        "applying",
                        "acquire",
                        "release",
                    ]
                ),
                st.sampled_from(["one", "two", "three"]),
                st.sampled_from("abcdef"),
                st.integers(0, 4),
            ),
            max_size=25,
        ),
    )
    def test_anyVerb(
        self, seed: int, chance: float, steps: list[tuple[str, str, str, int]]
    ) -> None:
        """
        After any verbs, with a policy that raises at random, the model and the pools
        agree, and the events tell what is configured.
        """
        Picky.chance = 0.0
        Picky.dice = Random(seed)
        manager = self.manager()
        leases = self.leases
        seen = weights(manager)
        for verb, group, name, number in steps:
            Picky.chance = chance
            with contextlib.suppress(ModelError, UnknownName, NoHostAvailable):
                events = self.do(manager, leases, verb, group, name, number)
                for event in events:
                    before, after = event.details.get("before"), event.details.get("after")
                    key = (*event.key, "", "")[:3]
                    if event.kind is EventKind.HOST_ADDED:
                        assert isinstance(after, dict)
                        seen[key] = after["weight"]
                    elif event.kind is EventKind.HOST_REMOVED:
                        assert isinstance(before, dict)
                        self.assertEqual(seen.pop(key), before["weight"])
                    elif event.kind is EventKind.HOST_WEIGHT:
                        assert isinstance(after, int)
                        self.assertEqual(seen[key], before)
                        seen[key] = after
            Picky.chance = 0.0
            self.assertEqual(disagreements(manager), [], (verb, group, name, number))
        self.assertEqual(seen, weights(manager))
        for lease in leases:
            lease.release()
        for each in manager.getService("web").groups:
            self.assertEqual(manager.getPool("web", each.name).active, 0)

    def do(
        self,
        manager: ProxyManager,
        leases: list[Lease],
        verb: str,
        group: str,
        name: str,
        number: int,
    ) -> tuple[Event, ...]:
        at = ("web", group, name)
        service = manager.getService("web")
        wanted = service.getGroup(group)
        if verb == "acquire":
            leases.append(manager.getPool("web", group).acquire())
            return ()
        if verb == "release":
            if leases:
                leases.pop(number % len(leases)).release()
            return ()
        if verb == "applying":
            return self.inSlices(manager, leases, group, number)
        verbs: dict[str, Callable[[], tuple[Event, ...]]] = {
            "add": lambda: manager.addHost(*at, f"127.0.0.1:{number + 1}", number),
            "del": lambda: manager.delHost(*at, deadline=number or None, force=number == 2),
            "weight": lambda: manager.setWeight(*at, number),
            "drain": lambda: manager.drain(*at, number or None),
            "maintenance": lambda: manager.maintenance(*at, number or None),
            "ready": lambda: manager.ready(*at),
            "host": lambda: manager.setHost(*at, maxConnections=number or None, backup=number > 2),
            "group": lambda: manager.setGroup("web", group, minimumUp=number + 1, choices=number),
            "scheduler": lambda: manager.setScheduler(
                "web", group, ("picky", "p2c", "weightlc", "sticky", "maglev")[number]
            ),
            "switch": lambda: manager.switchGroup("web", service.enabledGroup.name, group),
            "check": lambda: manager.setCheck("web", group, HealthCheck("tcp", number + 1.0), name),
            "admission": lambda: manager.setAdmission("web", deny=[f"10.{number}.0.0/16"]),
            "listener": lambda: manager.listenerMoved("web", 0, TCPAddress("::1", number)),
            "apply": lambda: manager.apply(
                [
                    replace(
                        service,
                        groups=tuple(
                            replace(each, hosts=each.hosts[:0:-1], scheduler="picky")
                            if each is wanted
                            else each
                            for each in service.groups
                        ),
                    )
                ]
            ),
        }
        return verbs[verb]()

    def inSlices(
        self, manager: ProxyManager, leases: list[Lease], group: str, number: int
    ) -> tuple[Event, ...]:
        """
        Change everything in slices of two things. Clients come and go in between, other
        changes are refused, and the model and the pools agree after each slice. With 4 it is
        stopped before its end.
        """
        service = manager.getService("web")
        groups = []
        for each in service.groups:
            kept = [replace(host, weight=number + 1) for host in each.hosts[number:]]
            new = hosts(*(f"{name}{number}" for name in "xyz"[: number + 1]))
            enabled = each.name == group
            groups.append(replace(each, hosts=(*new, *kept), enabled=enabled, scheduler="picky"))
        applying = manager.applying([replace(service, groups=tuple(groups[::-1]))])
        try:
            self.goOn(manager, applying, leases, number)
        except ModelError:
            # A slice raises if a policy does that is new in a group. The driver stops the change.
            applying.stop()
            raise
        return tuple(applying.events)

    def goOn(
        self, manager: ProxyManager, applying: Applying, leases: list[Lease], number: int
    ) -> None:
        """
        Do all slices of a change.
        """
        service, chance = manager.getService("web"), Picky.chance
        slices = 0
        while applying.goOn():
            Picky.chance = 0.0
            self.assertEqual(disagreements(manager), [], f"slice {slices} of {number}")
            Picky.chance = chance
            slices += 1
            self.assertRaises(ChangeUnderWay, manager.setAdmission, "web", deny=["10.0.0.0/8"])
            self.assertRaises(ChangeUnderWay, manager.applying, [service])
            with contextlib.suppress(NoHostAvailable):
                leases.append(manager.getPool("web").acquire())
            if leases and slices % 2:
                leases.pop(0).release()
            if number == 4 and slices == 3:
                applying.stop()
        self.assertFalse(applying.goOn())
        while applying.letGo():
            self.assertEqual(disagreements(manager), [])
        applying.finish()
        if number < 4:
            self.assertEqual(list(manager.services.values()), list(applying.wanted))


class FieldTests(SynchronousTestCase):
    """
    Each setting of the model is one that can be changed live. Where this fails
    for a new one: give it another value below. Where it fails then, the pool or
    the host has made something of the setting when it was made; it has to be
    read from C{settings} or C{configured}, or L{txlb.pool.HostPool.follow} has to know.
    """

    HOST: ClassVar[dict[str, Any]] = {
        "ipOrHost": "127.0.0.2",
        "port": 9,
        "weight": 7,
        "maxConnections": 3,
        "state": "drain",
        "backup": True,
        "check": HealthCheck("tcp", 3.0),
        "origin": "dns:web.example",
        "tls": HostTLS(serverName="a.example"),
    }
    GROUP: ClassVar[dict[str, Any]] = {
        "scheduler": "rand",
        "hosts": (ProxyHost("other", "127.0.0.1", 1),),
        "passiveFall": 9,
        "whenAllDown": "close",
        "sendProxy": "v2-ssl",
        "passTLVs": True,
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
        "clones": CloneSet("app.tac", 3),
        "discover": Discovery("file", options={"path": "hosts"}),
        "tls": HostTLS(),
    }
    SERVICE: ClassVar[dict[str, Any]] = {
        "listeners": (Listener("127.0.0.1:99"),),
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
        (service,) = withHosts(ProxyHost("h", "127.0.0.1", 7000))
        # Without such a header there are no TLVs to pass.
        return replace(service, groups=(replace(service.groups[0], sendProxy="v2"),))

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

"""
Tests for L{txlb.manager}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from tests.watched import REFUSED, Watched, hosts
from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.manager import ProxyManager, proxyManagerFactory
from txlb.model import HostMapper, ProxyGroup, ProxyService
from txlb.pool import Event, EventKind


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


class LookUpTests(SynchronousTestCase):
    def test_found(self) -> None:
        manager = Watched().manager
        self.assertEqual(manager.getService("web").name, "web")
        self.assertEqual(manager.getGroup("web", "spare").name, "spare")
        self.assertEqual(manager.getHost("web", "main", "b").port, 7001)
        self.assertIs(manager.getPool("web"), manager.getPool("web", "main"))
        self.assertEqual(manager.getCounters("web").accepted, 0)
        self.assertIsNot(manager.getCounters("web"), manager.getCounters("mail"))

    def test_unknown(self) -> None:
        """
        Whoever asks for what is not there is told what is.
        """
        manager = Watched().manager
        for ask, words in (
            (lambda: manager.getService("wbe"), "no service is called 'wbe'; did you mean 'web'?"),
            (lambda: manager.getCounters("x"), "no service is called 'x'; there are: mail, web"),
            (lambda: manager.getPool("x"), "no service is called 'x'"),
            (
                lambda: manager.getPool("web", "x"),
                "no group of service 'web' is called 'x'; there are: main, spare",
            ),
            (
                lambda: manager.getHost("web", "main", "x"),
                "no host of group 'main' is called 'x'; there are: a, b",
            ),
        ):
            error = self.assertRaises(UnknownName, ask)
            self.assertIn(words, str(error))

    def test_readOnly(self) -> None:
        """
        The services can't be changed but by the manager's methods.
        """
        services: Mapping[str, ProxyService] = Watched().manager.services
        with self.assertRaises(TypeError):
            services["x"] = services["web"]  # type: ignore[index]  # that it can't be is the point

    def test_sameGroupName(self) -> None:
        """
        Groups of the same name in two services share nothing.
        """
        watched = Watched()
        manager = watched.manager
        mail = manager.getPool("mail")
        lease = manager.getPool("web").acquire()
        self.assertEqual((lease.host.name, mail.active), ("a", 0))
        manager.getPool("web").reportFailed(lease, REFUSED)
        self.assertEqual(mail.getHost("a").stateWord, "unchecked")
        manager.delHost("web", "main", "a")
        manager.setScheduler("web", "main", "rand")
        self.assertEqual((mail.acquire().host.name, mail.scheduler.name), ("a", "leastc"))
        self.assertTrue(watched.agrees())


class ObserverTests(SynchronousTestCase):
    def test_afterCommit(self) -> None:
        """
        When an observer is told of a change it has happened in full.
        """
        watched = Watched()
        seen: list[object] = []

        def observe(event: Event) -> None:
            seen.append((event.kind, watched.agrees(), watched.manager.getService("web")))

        watched.manager.subscribe(observe)
        watched.manager.delHost("web", "main", "a")
        after = watched.manager.getService("web")
        self.assertEqual(
            seen, [(EventKind.HOST_REMOVED, True, after), (EventKind.HOST_GONE, True, after)]
        )

    def test_isolated(self) -> None:
        """
        What one raises goes to C{onError}; the others are told, and the change
        stands.
        """
        watched = Watched()
        later: list[Event] = []

        def fail(event: Event) -> None:
            raise RuntimeError(event.kind.value)

        watched.manager.subscribe(fail)
        watched.manager.subscribe(later.append)
        watched.manager.setWeight("web", "main", "a", 5)
        self.assertEqual(len(later), 1)
        errors: list[Exception] = []
        watched.manager.onError = errors.append
        watched.manager.setWeight("web", "main", "a", 6)
        self.assertEqual([str(error) for error in errors], ["host-weight"])
        self.assertEqual((len(later), len(watched.told)), (2, 2))
        self.assertEqual(watched.manager.getHost("web", "main", "a").weight, 6)

    def test_traffic(self) -> None:
        """
        What traffic tells is told as it happens.
        """
        watched = Watched()
        pool = watched.manager.getPool("web")
        with pool.acquire() as lease:
            pool.reportFailed(lease, REFUSED)
            self.assertEqual([event.kind for event in watched.told], [EventKind.HOST_DOWN])
        self.assertEqual(watched.told[0].key, ("web", "main", "a"))

    def test_unsubscribe(self) -> None:
        """
        A subscription ends alone, however often that is asked for.
        """
        watched = Watched()
        told: list[Event] = []
        first = watched.manager.subscribe(told.append)
        watched.manager.subscribe(told.append)
        first()
        first()
        watched.manager.setWeight("web", "main", "a", 5)
        self.assertEqual(len(told), 1)

    def test_unsubscribeMeanwhile(self) -> None:
        """
        One that ends its subscription while it is told harms nobody.
        """
        watched = Watched()
        told: list[str] = []

        def once(event: Event) -> None:
            told.append(f"once {event.kind.value}")
            end()

        end = watched.manager.subscribe(once)
        watched.manager.subscribe(lambda event: told.append(event.kind.value))
        for weight in (5, 6):
            watched.manager.setWeight("web", "main", "a", weight)
        self.assertEqual(told, ["once host-weight", "host-weight", "host-weight"])

    def test_changeMeanwhile(self) -> None:
        """
        An observer may change something itself.
        """
        watched = Watched()

        def replace(event: Event) -> None:
            if event.kind is EventKind.HOST_DOWN:
                watched.manager.delHost(*event.key)

        watched.manager.subscribe(replace)
        attempt = watched.manager.getPool("web").dial().start()
        attempt.failed(REFUSED)  # type: ignore[union-attr]  # there are hosts to try
        self.assertEqual(
            [event.kind.value for event in watched.told],
            ["host-down", "host-removed", "host-gone"],
        )
        self.assertTrue(watched.agrees())


class TimeTests(SynchronousTestCase):
    def test_deadline(self) -> None:
        """
        The next time of all pools is the next; then each does what is due.
        """
        watched = Watched()
        self.assertIsNone(watched.manager.nextDeadline())
        for service, now in (("web", 50.0), ("mail", 50.5)):
            watched.now = now
            pool = watched.manager.getPool(service)
            with pool.acquire() as lease:
                pool.reportFailed(lease, REFUSED)
        self.assertEqual(watched.manager.nextDeadline(), 51.0)
        watched.manager.advance(51.0)
        self.assertEqual(watched.manager.nextDeadline(), 51.5)
        self.assertEqual(watched.manager.getPool("web").getHost("a").stateWord, "due")
        self.assertEqual(watched.manager.getPool("mail").getHost("a").stateWord, "down")
        watched.manager.advance(60.0)
        self.assertIsNone(watched.manager.nextDeadline())


class SnapshotTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """
        A snapshot is plain data, in the order of the configuration.
        """
        watched = Watched()
        watched.manager.getPool("web").acquire()
        watched.manager.getCounters("web").accepted += 1
        found = json.loads(json.dumps([each.asDict() for each in watched.manager.snapshot()]))
        self.assertEqual([service["name"] for service in found], ["web", "mail"])
        web = found[0]
        self.assertEqual(web["addresses"], ["127.0.0.1:80", "127.0.0.1:81"])
        self.assertEqual((web["active"], web["accepted"]), (0, 1))
        self.assertEqual(web["refused"]["no-host"], 0)
        main, spare = web["groups"]
        self.assertEqual((main["enabled"], main["ready"], main["scheduler"]), (True, 2, "leastc"))
        self.assertEqual((spare["enabled"], spare["scheduler"]), (False, "roundr"))
        self.assertEqual([host["active"] for host in main["hosts"]], [1, 0])

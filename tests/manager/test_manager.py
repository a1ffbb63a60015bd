"""
Tests for L{txlb.manager}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from tests.watched import REFUSED, Watched
from txlb.errors import UnknownName
from txlb.model import ProxyService


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

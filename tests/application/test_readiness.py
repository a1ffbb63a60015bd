"""
Tests for L{txlb.application._readiness}.
"""

from __future__ import annotations

from typing import Any

from tests.proxy.fakes import ReactorCase, logOf
from tests.resolve.test_names import FakeResolver
from txlb.application._readiness import FIRST_LOOKUPS, Readiness
from txlb.errors import ModelError
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.resolve import NameService


class ReadinessTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.resolver = FakeResolver()
        self.reactor.nameResolver = self.resolver  # type: ignore[assignment] # plays its part
        self.said: list[str] = []
        self.logged = logOf(self)

    def begin(self, *services: ProxyService) -> None:
        """
        Begin, and note each service that begins to accept, and that all accept.
        """
        self.manager = proxyManagerFactory(services, seconds=self.reactor.seconds)
        names = NameService(self.manager, self.reactor, self.deadlines)
        self.readiness = Readiness(self.manager, names, self.deadlines)
        self.readiness.follow(self.note)
        self.accepting: list[str] = []
        self.all = False
        names.startService()
        self.addCleanup(names.stopService)
        self.readiness.start()
        self.addCleanup(self.readiness.stop)

    def note(self) -> None:
        """
        Note what has changed: the name of a service that accepts now, with a C{-} that of
        one that accepts no more, and C{all}.
        """
        before, names = self.accepting, list(self.manager.services)
        self.accepting = [name for name in names if self.readiness.accepts(name)]
        self.said.extend(name for name in self.accepting if name not in before)
        self.said.extend(f"-{name}" for name in before if name not in self.accepting)
        if self.accepting == names and not self.all:
            self.said.append("all")
        self.all = self.accepting == names

    def whyNot(self, name: str) -> str:
        """
        The reason as the status has it, which is the one that the readiness tells.
        """
        reason = self.manager.serviceSnapshot(name).notAccepting
        self.assertEqual(reason, self.readiness.whyNot(name))
        return reason

    def warnings(self) -> list[str]:
        """
        What was logged of it.
        """
        return [
            str(event["log_format"]).format(**event)
            for event in self.logged
            if event["log_namespace"] == "txlb.application._readiness"
        ]

    def test_literal(self) -> None:
        """
        Without names every service is ready at once.
        """
        self.begin(service("a", "127.0.0.1:1"), service("b", "unix:/run/b"))
        self.assertEqual(self.said, ["a", "b", "all"])
        self.reactor.pump([1] * 10)
        self.assertEqual(self.warnings(), [])

    def test_oneOfSeveral(self) -> None:
        """
        One host with an address is enough, be it configured or found.
        """
        self.begin(
            service("a", "silent.example:1", "127.0.0.1:1"),
            service("b", "silent.example:1", "quick.example:1"),
            service("c", "silent.example:1"),
        )
        self.assertEqual(self.said, ["a"])
        self.resolver.answer("quick.example", "192.0.2.1")
        self.assertEqual(self.said, ["a", "b"])
        self.resolver.answer("silent.example", "192.0.2.2")
        self.assertEqual(self.said, ["a", "b", "c", "all"])
        self.assertEqual(self.warnings(), [])

    def test_notWanted(self) -> None:
        """
        A host that takes nobody, and a backup, are no reason to accept before the names
        of the others were looked up; a backup group is none either.
        """
        for settings in (
            {"weight": 0},
            {"state": "drain"},
            {"state": "maintenance"},
            {"backup": True},
        ):
            self.said.clear()
            other = ProxyHost("other", "127.0.0.1", 1, **settings)
            spare = ProxyGroup("spare", hosts=[ProxyHost("s", "127.0.0.1", 2)], backup=True)
            self.begin(service("a", "one.example:1", more=[other], groups=[spare]))
            self.assertEqual(self.said, [], settings)
            self.resolver.answer("one.example", "192.0.2.1")
            self.assertEqual(self.said, ["a", "all"])

    def test_allAnswered(self) -> None:
        """
        If every name has had its answer there is nothing to wait for, however it was.
        """
        self.begin(service("a", "one.example:1", "two.example:1"))
        self.resolver.answer("one.example")
        self.assertEqual(self.said, [])
        self.resolver.answer("two.example")
        self.assertEqual(self.said, ["a", "all"])

    def test_says(self) -> None:
        """
        What is waited for is told after a second, and after five that it is waited for
        no more, each once for each service.
        """
        self.begin(
            service("a", *(f"n{number}.example:1" for number in range(5))),
            service("b", "other.example:1"),
            service("c", "127.0.0.1:1"),
        )
        self.reactor.pump([0.1] * 9)
        self.assertEqual(self.warnings(), [])
        self.resolver.answer("other.example", "192.0.2.1")
        self.reactor.pump([0.1] * 35)
        [said] = self.warnings()
        self.assertEqual(
            said,
            "a does not accept clients yet: none of its hosts has an address, as the look-up of "
            "n0.example, n1.example, n2.example and 2 more has had no answer for 1 s. It accepts "
            "as soon as one host has an address, at the latest after 5 s",
        )
        self.assertEqual(self.said, ["c", "b"])
        self.assertEqual(self.whyNot("a"), "none of its hosts has an address yet")
        self.assertEqual(self.whyNot("b"), "")
        self.reactor.pump([0.1] * 7)
        self.assertEqual(self.said, ["c", "b", "a", "all"])
        [_, said] = self.warnings()
        begin = "a accepts clients, though none of its hosts has an address: the look-up of"
        self.assertTrue(said.startswith(begin))
        self.assertIn("name server", said)
        self.reactor.pump([1] * 20)
        self.assertEqual(len(self.warnings()), 2)

    def test_later(self) -> None:
        """
        A service that has been ready is so for good, and one that is added later waits
        for itself.
        """
        first = service("a", "127.0.0.1:1")
        self.begin(first)
        self.manager.apply([first, service("b", "one.example:1")])
        self.readiness.update()
        self.manager.getPool("a").getHost("h0").resolved(())
        self.readiness.update()
        self.assertEqual(self.said, ["a", "all"])
        self.assertEqual(self.whyNot("b"), "none of its hosts has an address yet")
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(self.said, ["a", "all", "b", "all"])

    def test_changes(self) -> None:
        """
        A host that is added with an address, or the removal of the one that was waited
        for, ends the waiting as well.
        """
        self.begin(service("a", "one.example:1"), service("b", "two.example:1", "127.0.0.1:1"))
        self.manager.addHost("a", "main", "new", "127.0.0.1:2")
        self.assertEqual(self.said, ["b", "a", "all"])
        self.said.clear()
        self.begin(service("c", "one.example:1"))
        self.manager.delHost("c", "main", "h0")
        self.assertEqual(self.said, ["c", "all"])

    def test_removed(self) -> None:
        """
        A service that is removed is waited for no more. Should it come again, it waits
        again.
        """
        kept = service("a", "127.0.0.1:1")
        self.begin(kept, service("b", "one.example:1"))
        self.manager.apply([kept])
        self.assertEqual(self.said, ["a", "all"])
        for _ in range(2):
            self.manager.apply([kept, service("b", "two.example:1")])
            self.readiness.update()
            self.assertEqual(self.said, ["a", "all"])
            self.resolver.answer("two.example", "192.0.2.2")
            self.assertEqual(self.said, ["a", "all", "b", "all"])
            self.manager.apply([kept])
            self.readiness.update()
            self.assertEqual(self.said, ["a", "all", "b", "all", "-b"])
            self.said[2:] = []

    def test_newButUnasked(self) -> None:
        """
        A service that has come is not taken for one without names before the look-ups of
        its names have begun: each event of a change may come before them.
        """
        first = service("a", "127.0.0.1:1")
        self.begin(first)
        seen: list[str] = []
        self.manager.subscribe(lambda _: seen.append(self.readiness.whyNot("b")))
        self.manager.apply([first, service("b", "one.example:1")])
        self.assertEqual(set(seen), {"none of its hosts has an address yet"})
        self.readiness.update()
        self.assertFalse(self.readiness.accepts("b"))

    def test_held(self) -> None:
        """
        The state can be left and entered again, however often. All reasons to leave it have
        to go before it is entered.
        """
        self.begin(service("a", "127.0.0.1:1"), service("b", "127.0.0.1:1"))
        for _ in range(2):
            self.said.clear()
            self.readiness.hold("standby")
            self.readiness.hold("standby")
            self.assertEqual(self.said, ["-a", "-b"])
            self.readiness.hold("upgrade")
            self.assertEqual(self.whyNot("a"), "standby, upgrade")
            self.readiness.release("standby")
            self.assertEqual(self.whyNot("b"), "upgrade")
            self.assertEqual(self.said, ["-a", "-b"])
            self.readiness.release("upgrade")
            self.readiness.release("upgrade")
            self.assertEqual(self.said, ["-a", "-b", "a", "b", "all"])
            self.assertEqual(self.whyNot("a"), "")
        begin = ["no service accepts clients: standby. Connections go on"]
        more = ["no service accepts clients: upgrade. Connections go on"]
        self.assertEqual(self.warnings(), [*begin, *more, "services accept clients again"] * 2)
        self.assertRaises(ModelError, self.readiness.hold, "")

    def test_heldFirst(self) -> None:
        """
        What is held before the start does not begin to accept by it, nor by an answer. The
        look-ups go on meanwhile.
        """
        manager = proxyManagerFactory([service("a", "one.example:1")], seconds=self.reactor.seconds)
        names = NameService(manager, self.reactor, self.deadlines)
        readiness = Readiness(manager, names, self.deadlines)
        self.assertEqual(readiness.whyNot("a"), "the balancer is not running")
        readiness.hold("standby")
        names.startService()
        self.addCleanup(names.stopService)
        readiness.start()
        self.addCleanup(readiness.stop)
        self.assertEqual(readiness.whyNot("a"), "standby")
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(readiness.whyNot("a"), "standby")
        readiness.release("standby")
        self.assertTrue(readiness.accepts("a"))
        self.assertFalse(readiness.accepts("b"))

    def test_stopped(self) -> None:
        """
        After a stop nothing is done or said any more.
        """
        self.begin(service("a", "one.example:1"))
        self.readiness.stop()
        self.assertEqual(self.whyNot("a"), "the balancer is not running")
        self.readiness.update()
        self.resolver.answer("one.example", "192.0.2.1")
        self.reactor.pump([1] * 10)
        self.assertEqual((self.said, self.warnings()), ([], []))
        self.assertEqual(FIRST_LOOKUPS, 5.0)


def service(
    name: str, *hosts: str, more: list[ProxyHost] | None = None, groups: Any = ()
) -> ProxyService:
    """
    A service with hosts C{h0}, C{h1} and so on at these addresses.
    """
    configured = [ProxyHost.at(f"h{n}", address) for n, address in enumerate(hosts)]
    group = ProxyGroup("main", "leastc", True, [*configured, *(more or ())])
    return ProxyService(name, ["127.0.0.1:0"], [group, *groups])

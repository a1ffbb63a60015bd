"""
Tests for L{txlb.discovery._discoverer} and L{txlb.discovery._groupdiscovery}.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from tests.application.balancers import ServiceCase
from tests.discovery.sources import FAKE, FakeSource
from tests.registries import keepRegistries
from txlb.application import LoadBalancedService
from txlb.application import _slices as slicesmodule
from txlb.application._discovery import RESTORING
from txlb.discovery import FoundHost, registerSource
from txlb.discovery import _groupdiscovery as groupdiscovery
from txlb.discovery._discoverer import AUTHOR, GOOD, PAUSE
from txlb.errors import ModelError, TxlbError, UnknownName
from txlb.model import Discovery, ProxyGroup, ProxyHost, ResourceProbe
from txlb.model.registries import SOURCES
from txlb.pool import Event, EventKind


def found(*names: str, **settings: Any) -> list[FoundHost]:
    return [FoundHost(name, f"127.0.0.1:{7100 + ord(name[-1])}", **settings) for name in names]


class DiscoveryCase(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        FakeSource.started.clear()
        keepRegistries(self, SOURCES)
        registerSource(FAKE)
        self.state = self.mktemp()

    def discovering(self, **settings: Any) -> LoadBalancedService:
        lbs = self.balancer(hosts=())
        lbs.discovery.stateDirectory = self.state
        self.events: list[Event] = []
        self.manager.subscribe(self.events.append)
        self.start()
        lbs.discover("web", "main", "fake", **settings)
        return lbs

    @property
    def source(self) -> FakeSource:
        return FakeSource.started[-1]

    def say(self, *hosts: FoundHost, wrong: tuple[str, ...] = ()) -> None:
        assert self.source.findings is not None
        self.source.findings.found(hosts, wrong)
        self.turn()

    def turn(self, seconds: float = 0.0) -> None:
        self.reactor.advance(seconds)
        for _ in range(50):
            self.reactor.advance(0.01)

    def hosts(self) -> dict[str, ProxyHost]:
        return {each.name: each for each in self.manager.getGroup("web", "main").hosts}

    def kinds(self) -> list[EventKind]:
        return [each.kind for each in self.events]


class DiscovererTests(DiscoveryCase):
    def test_addsChangesRemoves(self) -> None:
        self.discovering()
        self.say(*found("a", "b"))
        self.assertEqual(list(self.hosts()), ["a", "b"])
        self.assertEqual(self.hosts()["a"].origin, "fake:x")
        pool = self.manager.getPool("web", "main")
        kept = pool.hosts[0]
        self.say(*found("a", weight=5), *found("c"))
        self.assertEqual(list(self.hosts()), ["a", "c"])
        self.assertEqual(self.hosts()["a"].weight, 5)
        self.assertIs(pool.hosts[0], kept)
        self.assertEqual({each.by for each in self.events if len(each.key) == 3}, {AUTHOR})

    def test_sameAnswerChangesNothing(self) -> None:
        self.discovering()
        self.say(*found("a", "b"))
        del self.events[:]
        self.say(*found("b", "a"))
        self.assertEqual(self.events, [])

    def test_besidePeoplesHosts(self) -> None:
        self.discovering()
        self.manager.addHost("web", "main", "own", "127.0.0.1:9")
        self.manager.addHost("web", "main", "b", "127.0.0.1:10")
        self.say(*found("a", "b"))
        self.assertEqual(list(self.hosts()), ["own", "b", "a"])
        self.assertEqual(self.hosts()["b"].origin, "")
        self.say(*found("c"))
        self.assertEqual(list(self.hosts()), ["own", "b", "c"])

    def test_priorities(self) -> None:
        self.discovering()
        self.say(*found("a", priority=10), *found("b", priority=20), *found("c", priority=10))
        self.assertEqual([each.backup for each in self.hosts().values()], [False, True, False])
        self.say(*found("b", priority=20), *found("c", priority=30))
        self.assertEqual({k: v.backup for k, v in self.hosts().items()}, {"b": False, "c": True})

    def test_peopleWin(self) -> None:
        self.discovering()
        self.say(*found("a", "b"))
        self.manager.drain("web", "main", "a")
        self.manager.setWeight("web", "main", "b", 9)
        self.say(*found("a", "b", weight=3))
        self.assertEqual([each.state for each in self.hosts().values()], ["drain", "ready"])
        self.assertEqual([each.weight for each in self.hosts().values()], [3, 9])
        self.manager.ready("web", "main", "a")
        self.say(*found("a", "b", weight=3, state="drain"))
        self.assertEqual([each.state for each in self.hosts().values()], ["drain", "drain"])

    def test_removedByPerson(self) -> None:
        self.discovering()
        self.say(*found("a", "b", "c"))
        self.manager.delHost("web", "main", "a")
        self.say(*found("a", "b", "c", weight=2))
        self.assertEqual(list(self.hosts()), ["b", "c"])
        # The source leaves it out and has it again: it is another one.
        self.say(*found("b", "c"))
        self.say(*found("a", "b", "c"))
        self.assertEqual(list(self.hosts()), ["b", "c", "a"])

    def test_loads(self) -> None:
        """
        The load of a host counts for a while from each time that it is read, also if the host is
        new. It changes no host.
        """
        self.discovering()
        (a,) = found("a", load=0.75)
        self.say(a, *found("b", load=1.0))
        hosts = {each.name: each for each in self.manager.getPool("web", "main").hosts}
        self.assertEqual({k: v.effectiveWeight for k, v in hosts.items()}, {"a": 0.25, "b": 0.01})
        del self.events[:]
        (b,) = found("b", load=0.5)
        self.say(a, b)
        self.assertEqual(hosts["b"].effectiveWeight, 0.5)
        self.assertEqual(self.events, [])
        # Of b nothing is heard any more.
        for _ in range(10):
            self.turn(GOOD / 9)
            self.say(*found("a", load=0.75), b)
        self.assertEqual({k: v.effectiveWeight for k, v in hosts.items()}, {"a": 0.25, "b": 1})

    def test_loadsBesideProbes(self) -> None:
        """
        A group with a probe has its loads from that, and hosts of people have none of a source.
        """
        self.discovering()
        self.manager.addHost("web", "main", "a", "127.0.0.1:9")
        self.say(*found("a", "b", load=0.5))
        weights = [each.effectiveWeight for each in self.manager.getPool("web", "main").hosts]
        self.assertEqual(weights, [1, 0.5])
        self.manager.setGroup("web", "main", resource=ResourceProbe())
        self.say(*found("a", "b", load=0.9))
        weights = [each.effectiveWeight for each in self.manager.getPool("web", "main").hosts]
        self.assertEqual(weights, [1, 0.5])

    def test_capacity(self) -> None:
        self.discovering()
        self.say(*found("a", capacity=7))
        self.assertEqual(self.hosts()["a"].maxConnections, 7)
        self.say(*found("a"))
        self.assertIsNone(self.hosts()["a"].maxConnections)

    def test_failureKeeps(self) -> None:
        lbs = self.discovering()
        self.say(*found("a"))
        assert self.source.findings is not None
        self.source.findings.failed("the registry is gone")
        self.source.findings.failed("the registry is gone, still")
        self.turn(60.0)
        self.assertEqual(list(self.hosts()), ["a"])
        self.assertEqual(self.kinds().count(EventKind.SOURCE_DOWN), 1)
        (state,) = lbs.discovery.states()
        self.assertEqual(state.trouble, "the registry is gone, still")
        self.say(*found("a"))
        self.assertEqual(self.kinds().count(EventKind.SOURCE_UP), 1)
        self.assertEqual(lbs.discovery.states()[0].trouble, "")

    def test_wrongEntriesOnce(self) -> None:
        lbs = self.discovering()
        for _ in range(3):
            self.say(*found("a"), wrong=("entry 2 is bad",))
        told = [each for each in self.events if each.kind is EventKind.ENTRY_SKIPPED]
        self.assertEqual(len(told), 1)
        self.assertIn("entry 2 is bad", told[0].message)
        self.assertEqual(lbs.discovery.states()[0].wrong, ("entry 2 is bad",))
        self.say(*found("a"))
        self.say(*found("a"), wrong=("entry 2 is bad",))
        self.assertEqual(self.kinds().count(EventKind.ENTRY_SKIPPED), 2)

    def test_tooFewAreHeld(self) -> None:
        lbs = self.discovering()
        self.say(*found("a", "b", "c", "d"))
        self.say(*found("a"))
        self.assertEqual(len(self.hosts()), 4)
        self.assertEqual(lbs.discovery.states()[0].held, 1)
        self.say(*found("a"))
        self.assertEqual(self.kinds().count(EventKind.ANSWER_HELD), 1)
        self.assertTrue(lbs.discovery.accept("web", "main"))
        self.turn()
        self.assertEqual(list(self.hosts()), ["a"])
        self.assertFalse(lbs.discovery.accept("web", "main"))

    def test_heldIsForgotten(self) -> None:
        lbs = self.discovering()
        self.say(*found("a", "b"))
        self.say()
        self.assertEqual(lbs.discovery.states()[0].held, 0)
        self.say(*found("a", "b"))
        self.assertIsNone(lbs.discovery.states()[0].held)
        self.say()
        self.say(*found("b"))
        self.assertEqual(list(self.hosts()), ["b"])
        self.assertIsNone(lbs.discovery.states()[0].held)

    def test_maxRemove(self) -> None:
        self.discovering(maxRemove=1.0)
        self.say(*found("a", "b"))
        self.say()
        self.assertEqual(self.hosts(), {})

    def test_maxRemoveNothing(self) -> None:
        self.discovering(maxRemove=0.0)
        self.say(*found("a", "b"))
        self.say(*found("a"))
        self.assertEqual(len(self.hosts()), 2)
        self.say(*found("a", "c"))
        self.assertEqual(list(self.hosts()), ["a", "c"])

    def test_flapping(self) -> None:
        self.discovering()
        for _ in range(4):
            self.say(*found("a", "b"))
            self.say(*found("a"))
        self.say(*found("a", "b"))
        self.assertEqual(list(self.hosts()), ["a"])
        self.turn(10.0)
        self.assertEqual(list(self.hosts()), ["a", "b"])

    def test_bounded(self) -> None:
        self.patch(groupdiscovery, "MAX_HOSTS", 2)
        self.discovering()
        self.say(*found("a", "b", "c"))
        self.assertEqual(list(self.hosts()), ["a", "b"])

    def test_wrongKind(self) -> None:
        lbs = self.balancer(hosts=())
        self.start()
        self.assertRaises(ModelError, lbs.discover, "web", "main", "nowhere")
        self.assertRaises(ModelError, lbs.discover, "web", "main", "fake", label="bad")
        self.assertRaises(ModelError, lbs.discover, "web", "main", "fake", size=1)
        self.assertRaises(UnknownName, lbs.discover, "web", "other", "fake")
        self.assertRaises(UnknownName, lbs.discovery.accept, "web", "main")
        self.assertIsNone(self.manager.getGroup("web", "main").discover)
        wanted = replace(self.manager.getGroup("web", "main"), discover=Discovery("nowhere"))
        service = self.manager.getService("web").withGroup(wanted)
        self.assertRaises(ModelError, lbs.apply, [service])

    def test_stopped(self) -> None:
        lbs = self.discovering()
        self.say(*found("a"))
        lbs.stopService()
        self.assertIsNone(self.source.findings)
        self.assertEqual(lbs.discovery.states(), [])
        self.assertRaises(TxlbError, lbs.discovery.accept, "web", "main")

    def test_noMore(self) -> None:
        lbs = self.discovering()
        self.manager.addHost("web", "main", "own", "127.0.0.1:9")
        self.say(*found("a"))
        lbs.discover("web", "main", None)
        self.turn()
        self.assertIsNone(self.source.findings)
        self.assertEqual(list(self.hosts()), ["own"])

    def test_otherSource(self) -> None:
        lbs = self.discovering()
        self.say(*found("a", "b"))
        lbs.discover("web", "main", "fake", label="y")
        self.turn()
        # The hosts of the former source stay until the new one has answered.
        self.assertEqual(list(self.hosts()), ["a", "b"])
        self.say(*found("b", "c"))
        self.assertEqual(
            {k: v.origin for k, v in self.hosts().items()}, dict.fromkeys("bc", "fake:y")
        )

    def test_groupGoes(self) -> None:
        lbs = self.discovering()
        self.say(*found("a"))
        service = self.manager.getService("web")
        lbs.apply([replace(service, groups=(ProxyGroup("new", "leastc", True),))])
        self.turn()
        self.assertIsNone(self.source.findings)
        self.assertEqual(lbs.discovery.states(), [])

    def test_besideAnotherChange(self) -> None:
        self.discovering()
        self.say(*found("a"))
        services = [*self.manager.services.values()]
        applying = self.manager.applying([replace(each, dialTimeout=3.0) for each in services])
        self.say(*found("a", "b"))
        self.assertEqual(list(self.hosts()), ["a"])
        while applying.goOn():
            pass
        while applying.letGo():
            pass
        applying.finish()
        self.turn(PAUSE)
        self.assertEqual(list(self.hosts()), ["a", "b"])

    def test_tooManyForThePolicy(self) -> None:
        lbs = self.discovering()
        self.patch(ProxyGroup, "__post_init__", _refusing(ProxyGroup.__post_init__))
        self.say(*found("a", "b"))
        self.assertEqual(self.hosts(), {})
        self.assertIn("can't be used", lbs.discovery.states()[0].trouble)


def _refusing(check: Any) -> Any:
    def checked(group: ProxyGroup) -> None:
        check(group)
        if len(group.hosts) > 1:
            raise ModelError("the policy takes one host")

    return checked


class RestartTests(DiscoveryCase):
    def again(self) -> LoadBalancedService:
        """
        Stop the balancer, and start another one with the same file.
        """
        self.lbs.stopService()
        self.turn(10.0)
        lbs = self.balancer(hosts=())
        lbs.discovery.stateDirectory = self.state
        self.manager.discover("web", "main", "fake")
        self.start()
        return lbs

    def test_lastKnown(self) -> None:
        self.discovering()
        self.say(*found("a", "b", "c"))
        self.manager.drain("web", "main", "b")
        self.manager.delHost("web", "main", "c")
        lbs = self.again()
        # Before the source has said anything, and before clients are served.
        self.assertEqual(
            {k: v.state for k, v in self.hosts().items()}, {"a": "ready", "b": "drain"}
        )
        self.assertIsNone(lbs.discovery.states()[0].answered)
        self.say()
        self.assertEqual(list(self.hosts()), ["a", "b"])
        self.say(*found("a", "b", "c", "d"))
        self.assertEqual(list(self.hosts()), ["a", "b", "d"])

    def test_clientsWait(self) -> None:
        """
        If it takes several slices to make the last known hosts, no service accepts clients before.
        """
        self.discovering()
        self.say(*found("a", "b"))
        self.patch(slicesmodule, "SLICE", 0.0)
        lbs = self.again()
        readiness = lbs.engine.readiness
        self.assertEqual((readiness.whyNot("web"), self.hosts()), (RESTORING, {}))
        self.turn()
        self.assertEqual((readiness.whyNot("web"), list(self.hosts())), ("", ["a", "b"]))

    def test_writtenWhileItRuns(self) -> None:
        self.discovering()
        self.say(*found("a"))
        self.turn(2.0)
        (name,) = os.listdir(os.path.join(self.state, "discovery"))
        self.assertIn("web+main", name)

    def test_anotherSource(self) -> None:
        self.discovering(label="y")
        self.say(*found("a"))
        self.again()
        self.assertEqual(self.hosts(), {})

    def test_noFolder(self) -> None:
        with open(self.state, "w"):
            pass
        self.discovering()
        self.say(*found("a"))
        self.turn(2.0)
        self.assertEqual(list(self.hosts()), ["a"])
        self.again()
        self.assertEqual(self.hosts(), {})

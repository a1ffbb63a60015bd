"""
Tests for the state that a balancer hands to its successor, as a whole: the status of both is the
same.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._history import History
from txlb.admin._kepthistory import keepHistory
from txlb.admin._rows import statusRows
from txlb.application import LoadBalancedService
from txlb.errors import ChangeUnderWay, StateError
from txlb.health import Target
from txlb.manager import proxyManagerFactory
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.testing import MemoryBalancer, MemoryClient

ROOT = Path(__file__).resolve().parents[2]


class StateCase(SynchronousTestCase):
    """
    A balancer in memory with a past, and its heir.
    """

    def setUp(self) -> None:
        self.checked: list[tuple[float, str]] = []
        self.ill: set[str] = set()
        self.balancer = MemoryBalancer(self.services())
        self.addCleanup(self.balancer.stop)

    def check(self, target: Target) -> bool:
        self.checked.append((self.balancer.clock.seconds(), target.key[2]))
        return target.key[2] not in self.ill

    def services(self, hosts: Iterable[str] = "abcd") -> list[ProxyService]:
        check = HealthCheck(self.check, interval=10.0)
        groups = [
            ProxyGroup(
                "main",
                "weightlc",
                enabled=True,
                hosts=[ProxyHost(name, f"192.0.2.{ord(name)}", 80) for name in hosts],
                check=check,
                slowStart=60.0,
                maxQueue=10,
            ),
            ProxyGroup("spare", "sticky", backup=True, hosts=[ProxyHost("s", "192.0.2.9", 80)]),
        ]
        plain = [ProxyGroup("only", "roundr", True, [ProxyHost("p", "192.0.2.10", 80)])]
        return [
            ProxyService("web", ["127.0.0.1:8080"], groups, ratePerClient=5.0, burstPerClient=5),
            ProxyService("plain", ["127.0.0.1:8081"], plain),
        ]

    def past(self) -> list[MemoryClient]:
        """
        Let clients come and go, and hosts fall and rise.

        @return: clients that stay.
        """
        balancer = self.balancer
        balancer.advance(21.0)
        for number in range(40):
            client = balancer.connect("web", address=f"198.51.100.{number}")
            client.send(b"x" * (number + 1))
            if number % 3:
                client.finish()
            balancer.advance(0.3)
        self.ill.update("bc")
        balancer.advance(35.0)
        self.ill.remove("c")
        balancer.advance(25.0)
        with balancer.manager.by("ssh:alice"):
            balancer.manager.drain("web", "main", "d")
        balancer.host("p").die()
        balancer.connect("plain")
        balancer.advance(0.7)
        for _ in range(7):
            balancer.connect("web", address="198.51.100.200")
        return [balancer.connect("web", address=f"203.0.113.{number}") for number in range(6)]

    def heir(self, services: Iterable[ProxyService] | None = None) -> LoadBalancedService:
        """
        Make the balancer of another process at the same time.
        """
        clock = self.balancer.clock
        made = proxyManagerFactory(services or self.liveServices(), seconds=clock.seconds)
        return LoadBalancedService(made, clock, inMemory=True)

    def liveServices(self) -> list[ProxyService]:
        return list(self.balancer.manager.services.values())

    def handOver(self, heir: LoadBalancedService, ahead: bool = False) -> None:
        """
        Hand everything over, the connections too.
        """
        old = self.balancer.service
        pieces = [*old.keptAhead(), old.keptRest()] if ahead else [old.keptState()]
        for piece in pieces:
            heir.restoreState(json.loads(json.dumps(piece, allow_nan=False)))
        for name, service in self.balancer.manager.services.items():
            for group in service.groups:
                pool = self.balancer.manager.getPool(name, group.name)
                for host in (*pool.hosts, *pool.leaving):
                    for _ in range(host.active):
                        heir.manager.readopt(*host.key, str(host.address), began=host.began)
            active = self.balancer.manager.getCounters(name).active
            if name in heir.manager.services:
                heir.manager.getCounters(name).active = active
        heir.restored()

    def rows(self, lbs: LoadBalancedService) -> list[dict[str, Any]]:
        """
        Return what C{txlb status --json} tells, but for what only a process that listens has.
        """
        rows = json.loads(json.dumps(list(statusRows(lbs, None))))
        for row in rows:
            row.pop("notAccepting", None)
        return [row for row in rows if row["row"] != "listener"]


class KeptStateTests(StateCase):
    """
    Tests for the state of a L{LoadBalancedService}.
    """

    def test_status(self) -> None:
        """
        The status is the same before and after, at once or in parts.
        """
        self.past()
        before = self.rows(self.balancer.service)
        words = {row["name"]: row["state"] for row in before if row["row"] == "host"}
        self.assertEqual([words[name] for name in "bcd"], ["down", "up", "drain"])
        self.assertTrue(any(row.get("refused", {}).get("client-rate") for row in before))
        for ahead in (False, True):
            heir = self.heir()
            self.handOver(heir, ahead)
            self.assertEqual(self.rows(heir), before)
            self.assertEqual(heir.manager.events, self.balancer.manager.events)

    def test_newFile(self) -> None:
        """
        The status differs only by what the new file says: a host less, and one more.
        """
        self.past()
        before = self.rows(self.balancer.service)
        heir = self.heir(self.services("acde"))
        heir.manager.drain("web", "main", "d")
        self.handOver(heir, ahead=True)
        after = self.rows(heir)
        kept = [row for row in after if row["row"] == "host" and row["name"] in "acdps"]
        known = [row for row in before if row["row"] == "host" and row["name"] in "acdps"]
        self.assertEqual(kept, known)
        rest = {row["name"]: row["state"] for row in after if row["row"] == "host"}
        self.assertEqual(rest.get("e"), "unchecked")
        active = next(row["active"] for row in before if row.get("name") == "b")
        self.assertEqual(rest.get("b"), "leaving" if active else None)

    def test_checks(self) -> None:
        """
        Each host is checked when its turn has come, and not all at once: no gap between two
        checks of a host is longer or much shorter than its interval.
        """
        self.past()
        clock = self.balancer.clock
        heir = self.heir()
        self.handOver(heir)
        self.balancer.stop()
        heir.startService()
        self.addCleanup(heir.stopService)
        self.balancer.advance(60.0)
        for name in "abc":
            times = [when for when, who in self.checked if who == name and when > 40.0]
            gaps = [second - first for first, second in itertools.pairwise(times)]
            self.assertGreater(len(gaps), 5)
            self.assertLessEqual(max(gaps), 10.01)
            self.assertGreaterEqual(min(gaps), 9.0)
        self.assertLess(clock.seconds() - self.checked[-1][0], 10.1)

    def test_history(self) -> None:
        """
        The events of the doors keep their numbers and times, and later ones come after them.
        """
        old, new = History(now=lambda: 1.5), History(now=lambda: 2.5)
        heir = self.heir()
        keepHistory(self.balancer.service, "events-control", old)
        keepHistory(heir, "events-control", new)
        keepHistory(heir, "events-control", History())
        # The manager of clones keeps no states.
        keepHistory(None, "events-control", History())
        self.balancer.manager.subscribe(old)
        heir.manager.subscribe(new)
        self.past()
        state = list(self.balancer.service.keptAhead())
        self.balancer.manager.ready("web", "main", "d")
        for piece in (*state, self.balancer.service.keptRest()):
            heir.restoreState(json.loads(json.dumps(piece)))
        self.assertEqual(new.since(0), old.since(0))
        self.assertEqual(new.last, old.last)
        heir.manager.setWeight("web", "main", "a", 7)
        ((number, when, event),) = new.since(old.last)
        self.assertEqual((number, when, event.kind.value), (old.last + 1, 2.5, "host-weight"))
        for broken in ([{"number": 1}], [1], [{"number": new.last + 9, "at": "x"}]):
            states = {"events-control": {"events": broken}}
            self.assertRaises(StateError, heir.restoreState, states)
        self.assertEqual(new.last, number)

    def test_hold(self) -> None:
        """
        While a successor takes over, nothing is changed.
        """
        release = self.balancer.service.hold()
        manager = self.balancer.manager
        self.assertRaises(ChangeUnderWay, manager.drain, "web", "main", "a")
        self.assertRaises(ChangeUnderWay, self.balancer.service.hold)
        self.assertRaises(ChangeUnderWay, self.balancer.service.apply, self.services())
        release()
        manager.drain("web", "main", "a")

    def test_wrongChecks(self) -> None:
        """
        A time of a check that is none is refused. Those of hosts that are not checked have no
        effect.
        """
        heir = self.heir()
        broken = {"checks": {"services": {"web": {"main": {"a": "soon"}}}}}
        self.assertRaises(StateError, heir.restoreState, broken)
        heir.restoreState({"checks": {"services": {"web": {"main": {"z": 1.0}}}}})

    def test_reference(self) -> None:
        """
        The page on what is handed over has a line for each part of the state, and no other.
        """
        page = (ROOT / "docs/reference/handed-over.rst").read_text(encoding="utf-8")
        told = re.findall(r"^   \* - ``([a-z-]+)``$", page, re.MULTILINE)
        doors = {"events-ssh", "events-control", "events-web", "tries"}
        kept = {"changes", *doors, *self.balancer.service.keptState()}
        self.assertEqual(len(told), len(set(told)))
        self.assertEqual(set(told), kept)

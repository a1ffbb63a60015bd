"""
Tests for L{txlb.application._clones}.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred

from tests.application.balancers import ServiceCase
from txlb.application import _clones as clones
from txlb.cloning import CloningError, FleetPlace, PassedClient
from txlb.model import CLONES, CloneSet, Listener, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Outcome, RefusalKind

TAC = CloneSet("app.tac", 2)


class FakeFleet:
    """
    Clones that start at once.
    """

    made: ClassVar[list[FakeFleet]] = []
    tries: ClassVar[list[FakeFleet]] = []
    error: ClassVar[CloningError | None] = None

    def __init__(
        self, place: FleetPlace, sockets: Any, pools: Any, take: Any, reactor: Any, seconds: Any
    ) -> None:
        self.place = place
        self.names = [name for name, _ in sockets]
        self.take = take
        self.follows = self.rolls = 0
        self.over: Deferred[None] | None = None
        self.manager: Any = SimpleNamespace(generation=len(FakeFleet.made), lag=0.25)
        self.rolling: Deferred[int] = Deferred()
        self.whyPassed = ""
        self.whenManages: Any = None
        self.hasRoom = True
        self.passed: list[tuple[str, PassedClient]] = []

    def passOn(self, place: str, client: PassedClient) -> bool:
        if self.hasRoom:
            self.passed.append((place, client))
        return self.hasRoom

    def start(self) -> None:
        FakeFleet.tries.append(self)
        if FakeFleet.error is not None:
            raise FakeFleet.error
        FakeFleet.made.append(self)

    def isAt(self, place: FleetPlace, names: list[str]) -> bool:
        return (self.place.tac, self.place.group, self.names) == (place.tac, place.group, names)

    def follow(self) -> None:
        self.follows += 1

    def processes(self) -> list[dict[str, object]]:
        return [{"name": "clone0", "service": self.place.service, "group": self.place.group}]

    def roll(self) -> Deferred[int]:
        self.rolls += 1
        self.rolling = Deferred()
        return self.rolling

    def stop(self) -> Deferred[None]:
        self.over = Deferred()
        return self.over


class ClonesServiceTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(clones, "Fleet", FakeFleet)
        self.patch(FakeFleet, "made", [])
        self.patch(FakeFleet, "tries", [])
        self.patch(FakeFleet, "error", None)

    def web(self, **settings: Any) -> ProxyService:
        """
        Make the service with clones and a host beside them.
        """
        hosts = [ProxyHost.at("far", "127.0.0.1:7001")]
        group = ProxyGroup("app", "leastc", True, hosts, clones=TAC)
        other = ProxyGroup("other", "leastc", False, hosts)
        return replace(
            ProxyService("web", ["127.0.0.1:0"], [group, other], relay="portable"), **settings
        )

    def begin(self) -> FakeFleet:
        """
        Start a balancer with clones.
        """
        self.balancer()
        self.manager.apply([self.web()])
        self.start()
        [fleet] = FakeFleet.made
        return fleet

    def review(self) -> None:
        self.reactor.advance(0.1)

    def test_starts(self) -> None:
        """
        The clones of the serving group start, and the balancer accepts nothing itself.
        """
        fleet = self.begin()
        port = self.port()
        self.assertEqual(fleet.names, ["127.0.0.1:0#0"])
        self.assertEqual(fleet.place.tac, os.path.join(os.getcwd(), "app.tac"))
        self.assertTrue(fleet.place.folder.endswith("run/web-app"))
        self.assertTrue(fleet.place.heir)
        self.assertEqual(self.lbs.getProxyService("web").whyPassed, "")
        self.assertIsNone(self.lbs.clones.whyPassed("api"))
        self.connect(("127.0.0.1", port))
        self.reactor.readable()
        self.assertEqual(self.manager.getCounters("web").accepted, 0)

    def test_switched(self) -> None:
        """
        With another group the balancer accepts again, and the clones end; they come back with
        their group, in a folder of their own while the former ones are there.
        """
        fleet = self.begin()
        self.manager.switchGroup("web", "app", "other")
        self.review()
        self.assertIsNotNone(fleet.over)
        for _ in range(5):
            self.review()
        self.assertEqual(len(FakeFleet.tries), 1)
        self.come()
        self.assertEqual(self.manager.getCounters("web").accepted, 1)
        FakeFleet.error = None
        self.reactor.advance(clones.PAUSE)
        self.review()
        self.assertEqual(len(FakeFleet.made), 1)
        self.manager.switchGroup("web", "other", "app")
        self.review()
        second = FakeFleet.made[1]
        self.assertTrue(second.place.folder.endswith("run/web-app.1"))
        fleet.over.callback(None)  # type: ignore[union-attr]

    def test_follows(self) -> None:
        """
        Other settings are the clones' affair; another application has other clones.
        """
        fleet = self.begin()
        self.manager.setGroup("web", "app", clones=CloneSet("app.tac", 3))
        self.review()
        self.assertGreater(fleet.follows, 0)
        self.manager.setGroup("web", "app", clones=CloneSet("other.tac", 3))
        self.review()
        self.assertIsNotNone(fleet.over)
        self.assertTrue(FakeFleet.made[1].place.tac.endswith("/other.tac"))

    def test_fails(self) -> None:
        """
        If the folder can't be used, the log tells, and the balancer serves by the hosts that
        are no clones. It tries again after a while.
        """
        self.patch(FakeFleet, "error", CloningError("folder /run/x: no"))
        self.balancer()
        self.manager.apply([self.web()])
        self.start()
        self.assertEqual(FakeFleet.made, [])
        self.come()
        self.assertEqual(self.manager.getCounters("web").accepted, 1)

    def test_relays(self) -> None:
        """
        The connection of a host that is no clone gets to the relay of the service.
        """
        fleet = self.begin()
        relay = self.relay()
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        pool = self.manager.getPool("web", "app")
        self.manager.addHost("web", "app", "clone0", "unix:clone0", origin=CLONES)
        lease = pool.claim(None, frozenset({("web", "app", "clone0")}))
        assert lease is not None
        fleet.take(0, ours.detach(), ("192.0.2.1", 5), lease)
        [(sock, attempt, _, _)] = relay.started
        self.assertIs(attempt.lease, lease)
        self.assertEqual(attempt.dial.clientAddr, ("192.0.2.1", 5))
        self.assertEqual(pool.getHost("far").active, 1)
        self.frontend = self.frontendOf("web")
        self.endConnection(relay)
        self.assertEqual((pool.active, self.manager.getCounters("web").active), (0, 0))
        sock.close()

    def test_relaysNoMore(self) -> None:
        """
        If the service has as many connections as it may have, or is gone, the client is
        closed and nothing stays counted.
        """
        fleet = self.begin()
        pool = self.manager.getPool("web", "app")
        self.lbs.apply([replace(self.web(maxConnections=1), groups=self.groups())])
        self.manager.getCounters("web").active = 1
        for known in (True, False):
            ours, theirs = socket.socketpair()
            self.addCleanup(theirs.close)
            lease = pool.claim(None, frozenset())
            assert lease is not None
            if not known:
                self.patch(self.lbs.engine, "frontendOf", lambda _: None)
            fleet.take(0, ours.detach(), ("192.0.2.1", 5), lease)
            self.assertIs(lease.outcome, Outcome.NOT_CONNECTED)
            self.assertEqual(theirs.recv(1), b"")
        self.manager.getCounters("web").active = 0

    def groups(self) -> tuple[ProxyGroup, ...]:
        return self.manager.getService("web").groups

    def test_rolls(self) -> None:
        fleet = self.begin()
        done = self.lbs.clones.roll()
        again = self.lbs.clones.roll()
        self.assertIn("is under way", str(self.failureResultOf(again, CloningError).value))
        fleet.rolling.callback(1)
        self.assertEqual(self.successResultOf(done), [clones.Rolled("web", "app", 1)])
        self.assertEqual(fleet.rolls, 1)

    def test_rollsWhatIsNew(self) -> None:
        """
        Another application that is configured, and not started yet, is started before.
        """
        fleet = self.begin()
        self.manager.setGroup("web", "app", clones=CloneSet("other.tac", 3))
        self.lbs.clones.roll()
        self.assertEqual(fleet.rolls, 0)
        self.assertEqual([each.rolls for each in FakeFleet.made[1:]], [1])

    def two(self) -> list[FakeFleet]:
        """
        Start a balancer with two services that have clones.
        """
        self.balancer(more=(self.web(name="api"),))
        self.manager.apply([self.web(), self.web(name="api")])
        self.start()
        return FakeFleet.made

    def test_rollsAll(self) -> None:
        """
        The clones of one group are rolled after those of another. A release that does not
        start stops only its own.
        """
        web, api = self.two()
        done = self.lbs.clones.roll()
        self.assertEqual((web.rolls, api.rolls), (1, 0))
        web.rolling.errback(CloningError("a clone does not start"))
        self.assertEqual(api.rolls, 1)
        api.rolling.callback(1)
        error = self.failureResultOf(done, CloningError).value
        self.assertEqual(str(error), "web/app: a clone does not start; api/app is rolled")
        self.lbs.clones.roll()
        self.assertEqual((web.rolls, api.rolls), (2, 1))

    def test_rollForgotten(self) -> None:
        """
        A roll goes on if its administrator goes, and leaves out clones that have gone.
        """
        web, api = self.two()
        done = self.lbs.clones.roll()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.manager.switchGroup("api", "app", "other")
        self.review()
        web.rolling.callback(1)
        self.assertEqual((web.rolls, api.rolls), (1, 0))

    def test_number(self) -> None:
        """
        Clones are added to and removed from a group whose clones this process manages.
        """
        fleet = self.begin()
        fleet.manager.wanted = wanted = mock.Mock(processes=3)
        self.assertEqual(self.lbs.clones.add("web", "app", "clone2"), 3)
        wanted.add.assert_called_once_with("clone2")
        self.assertEqual(self.lbs.clones.remove("web", "app", "clone2", 5.0), 3)
        wanted.remove.assert_called_once_with("clone2", 5.0, False)
        with self.assertRaisesRegex(CloningError, "does not manage clones of web/other"):
            self.lbs.clones.add("web", "other", "clone2")

    def test_readsFirst(self) -> None:
        """
        Of a listener that reads what clients send first, the balancer accepts when it manages the
        clones. It gives them what it has read.
        """
        self.balancer()
        listener = Listener("127.0.0.1:0", proxyProtocol=("v1",), trusted=("127.0.0.0/8",))
        self.manager.apply([replace(self.web(), listeners=(listener,))])
        self.start()
        [fleet] = FakeFleet.made
        self.assertEqual(fleet.place.passed, frozenset(fleet.names))
        fleet.whenManages()
        client = self.connect(("127.0.0.1", self.port()))
        client.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.9 99 80\r\nhello")
        for _ in range(20):
            self.reactor.readable()
        [(place, passed)] = fleet.passed
        self.assertEqual(place, "127.0.0.1:0")
        self.assertEqual(passed.client, ("192.0.2.7", 99))
        self.assertEqual((passed.server, passed.first), (("198.51.100.9", 80), b"hello"))
        self.assertEqual(passed.address, ("192.0.2.7", 99))
        counters = self.manager.getCounters("web")
        self.assertEqual((counters.active, counters.accepted), (0, 0))
        os.close(passed.fd)
        # With no room for it, it is closed.
        fleet.hasRoom = False
        client.close()
        client = self.connect(("127.0.0.1", self.port()))
        client.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.9 99 80\r\n")
        for _ in range(20):
            self.reactor.readable()
        self.assertEqual(len(fleet.passed), 1)
        client.settimeout(30)
        self.assertEqual(client.recv(1), b"")
        self.assertEqual(counters.refused[RefusalKind.FULL], 1)

    def test_processes(self) -> None:
        """
        This process has a row, and each clone, also of a group that no longer serves.
        """
        web, _ = self.two()
        own, *rest = self.lbs.clones.processes()
        self.assertEqual(
            {name: own[name] for name in ("role", "pid", "slot", "generation", "state", "lag")},
            {
                "role": "manager",
                "pid": os.getpid(),
                "slot": -1,
                "generation": 1,
                "state": "manages",
                "lag": 0.25,
            },
        )
        self.assertEqual([row["service"] for row in rest], ["web", "api"])
        self.assertEqual([row["name"] for row in self.lbs.clones.processes("api")][1:], ["clone0"])
        self.manager.switchGroup("web", "app", "other")
        self.review()
        self.assertEqual(len(self.lbs.clones.processes()), 3)
        assert web.over is not None
        web.over.callback(None)
        self.assertEqual(self.lbs.clones.processes("web"), [])
        self.assertEqual(self.lbs.clones.processes("none"), [])

    def test_stops(self) -> None:
        """
        The balancer has stopped when its clones have.
        """
        fleet = self.begin()
        done = self.lbs.stopService()
        self.reactor.advance(self.lbs.graceTime)
        self.assertNoResult(done)
        assert fleet.over is not None
        fleet.over.callback(None)
        self.successResultOf(done)

"""
Tests for L{txlb.discovery._announce}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import txlb.clients
from tests.certificates import Authority
from tests.fired import fired
from txlb.clients import EtcdError, EtcdUnreachable, KeyValue
from txlb.discovery import AnnounceService
from txlb.errors import ModelError, TxlbError
from txlb.wire import AgentReply, AgentState

URL = "http://127.0.0.1:2379"
KEY = "txlb/web/main/127.0.0.1:7001"


class FakeEtcd:
    """
    An etcd in memory, whose time is that of the test.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.leases: dict[int, float] = {}
        self.keys: dict[str, KeyValue] = {}
        self.away = False
        self.stuck: Deferred[Any] | None = None
        self.closed = 0
        self.states: list[str] = []
        self.replaced: list[tuple[object, ...]] = []
        self.ttl = 0

    def _answer(self, value: Any) -> Deferred[Any]:
        for lease, end in list(self.leases.items()):
            if end <= self.clock.seconds():
                self.end(lease)
        if self.stuck is not None:
            return self.stuck
        return fail(EtcdUnreachable("it is away")) if self.away else succeed(value())

    def end(self, lease: int) -> None:
        self.leases.pop(lease, None)
        for key in [key for key, each in self.keys.items() if each.lease == lease]:
            del self.keys[key]

    def grant(self, seconds: int) -> Deferred[int]:
        def granted() -> int:
            self.ttl = seconds
            lease = 1000 + len(self.states) + len(self.leases) * 7
            self.leases[lease] = self.clock.seconds() + seconds
            return lease

        return self._answer(granted)

    def renew(self, lease: int) -> Deferred[bool]:
        def renewed() -> bool:
            if lease not in self.leases:
                return False
            self.leases[lease] = self.clock.seconds() + self.ttl
            return True

        return self._answer(renewed)

    def get(self, key: str) -> Deferred[KeyValue | None]:
        return self._answer(lambda: self.keys.get(key))

    def put(self, key: str, value: bytes, lease: int) -> Deferred[int]:
        def put() -> int:
            if lease not in self.leases:
                raise EtcdError("lease not found", 5)
            self.keys[key] = KeyValue(key, value, lease=lease)
            self.states.append(json.loads(value)["state"])
            return 1

        return self._answer(put)

    def revoke(self, lease: int) -> Deferred[None]:
        return self._answer(lambda: self.end(lease))

    def replaceCredentials(self, *credentials: object) -> None:
        self.replaced.append(credentials)

    def close(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)


class AnnounceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.etcd = FakeEtcd(self.clock)
        self.patch(txlb.clients, "EtcdClient", lambda *_, **__: self.etcd)

    def make(self, **settings: Any) -> AnnounceService:
        return AnnounceService(
            URL,
            "web",
            "main",
            "127.0.0.1:7001",
            reactor=self.clock,
            seconds=self.clock.seconds,
            **settings,
        )

    def start(self, **settings: Any) -> AnnounceService:
        service = self.make(**settings)
        service.startService()
        return service

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.clock.advance(0.1)

    def test_replacedCredentials(self) -> None:
        """
        The client gets other credentials, unless one of them can't be used; so does the one of the
        next start.
        """
        service = self.make(user="me", password="old")
        service.replaceCredentials("new")
        self.assertEqual((service._account["user"], service._account["password"]), ("me", "new"))
        service.startService()
        self.assertRaises(ModelError, service.replaceCredentials, "newer", b"garbage")
        self.assertEqual(service._account["password"], "new")
        pem = Authority().pem
        service.replaceCredentials("newest", pem)
        self.assertEqual(self.etcd.replaced, [("newest", pem, None)])
        self.assertEqual(service._account["ca"], pem)
        service.stopService()

    def test_announces(self) -> None:
        service = self.start(weight=3, metadata={"zone": "a"})
        self.assertTrue(service.announced)
        self.assertEqual(
            json.loads(self.etcd.keys[KEY].value),
            {
                "name": "127.0.0.1:7001",
                "address": "127.0.0.1:7001",
                "weight": 3,
                "priority": 0,
                "state": "ready",
                "metadata": {"zone": "a"},
                "capacity": 0,
            },
        )

    def test_renews(self) -> None:
        self.start()
        self.advance(60)
        self.assertIn(KEY, self.etcd.keys)
        self.assertEqual(self.etcd.states, ["ready"])

    def test_report(self) -> None:
        """
        The load and the capacity are in the announcement, which is written at a bounded rate.
        """
        left = [50]

        def reply() -> AgentReply:
            left[0] = 150 - left[0]
            return AgentReply(percent=left[0], maxConnections=9)

        self.start(report=reply)
        value = json.loads(self.etcd.keys[KEY].value)
        self.assertEqual((value["load"], value["capacity"]), (0.0, 9))
        self.advance(60)
        self.assertLessEqual(len(self.etcd.states), 13)

    def test_reportsDrain(self) -> None:
        replies = [AgentReply(state=AgentState.DRAIN)]
        self.start(report=lambda: replies[-1])
        replies.append(AgentReply())
        self.advance(3)
        self.assertEqual(self.etcd.states, ["drain", "ready"])

    def test_leaseLost(self) -> None:
        self.start()
        self.etcd.end(next(iter(self.etcd.leases)))
        self.advance(3)
        self.assertEqual(list(self.etcd.keys), [KEY])
        self.assertEqual(len(self.etcd.leases), 1)

    def test_registryAway(self) -> None:
        service = self.start()
        self.etcd.away = True
        self.advance(30)
        self.etcd.away = False
        self.advance(3)
        self.assertTrue(service.announced)
        self.assertEqual(list(self.etcd.keys), [KEY])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_anotherHasTheName(self) -> None:
        self.etcd.leases[7] = 1e9
        other = KeyValue(KEY, b'{"address": "10.0.0.9:1"}', lease=7)
        self.etcd.keys[KEY] = other
        service = self.start()
        self.advance(10)
        self.assertEqual(self.etcd.keys[KEY], other)
        self.assertFalse(service.announced)
        self.etcd.end(7)
        self.advance(3)
        self.assertTrue(service.announced)

    def test_formerProcess(self) -> None:
        self.etcd.leases[7] = 1e9
        self.etcd.keys[KEY] = KeyValue(KEY, b'{"address": "127.0.0.1:7001"}', lease=7)
        service = self.start()
        self.assertTrue(service.announced)
        self.etcd.end(7)
        self.assertIn(KEY, self.etcd.keys)

    def test_drainAndReady(self) -> None:
        service = self.start()
        service.drain()
        service.ready()
        self.assertEqual(self.etcd.states, ["ready", "drain", "ready"])

    def test_stop(self) -> None:
        service = self.start(drainTime=2.0)
        stopped = service.stopService()
        self.assertEqual(self.etcd.states, ["ready", "drain"])
        self.advance(1.5)
        self.assertIn(KEY, self.etcd.keys)
        self.assertNoResult(stopped)
        self.advance(1.0)
        self.assertIsNone(fired(stopped))
        self.assertEqual((self.etcd.keys, self.etcd.leases, self.etcd.closed), ({}, {}, 1))

    def test_stopWithoutRegistry(self) -> None:
        service = self.start()
        self.etcd.stuck = Deferred()
        stopped = service.stopService()
        self.advance(10)
        self.assertIsNone(fired(stopped))

    def test_stopBefore(self) -> None:
        self.assertIsNone(fired(self.make().stopService()))
        self.etcd.stuck = Deferred()
        service = self.start()
        stopped = service.stopService()
        self.advance(10)
        self.assertIsNone(fired(stopped))
        self.assertEqual(self.etcd.keys, {})

    def test_again(self) -> None:
        service = self.start()
        stopped = service.stopService()
        self.advance(2)
        self.assertIsNone(fired(stopped))
        service.startService()
        self.assertTrue(service.announced)

    def test_unexpected(self) -> None:
        self.etcd.stuck = fail(ZeroDivisionError())
        service = self.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.etcd.stuck = None
        self.advance(3)
        self.assertTrue(service.announced)

    def test_wrong(self) -> None:
        for settings in (
            {"ttl": 1.0},
            {"drainTime": -1.0},
            {"prefix": "ä"},
            {"weight": -1},
            {"name": "a/b"},
            {"priority": -1},
            {"metadata": {"a": 1}},
        ):
            with self.subTest(settings):
                self.assertRaises(TxlbError, lambda: self.make(**settings))  # noqa: B023
        for url in ("", "127.0.0.1:2379"):
            self.assertRaises(TxlbError, AnnounceService, url, "web", "main", "127.0.0.1:1")
        self.assertRaises(TxlbError, AnnounceService, URL, "w/eb", "main", "127.0.0.1:1")
        self.assertRaises(TxlbError, AnnounceService, URL, "web", "", "127.0.0.1:1")
        self.assertRaises(TxlbError, AnnounceService, URL, "web", "main", "nowhere")

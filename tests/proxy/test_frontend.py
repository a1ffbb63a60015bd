"""
Tests for L{txlb.proxy.Frontend}.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.logger import formatEvent

from tests.proxy.fakes import FakeRelay, accepted, logOf
from tests.proxy.frontends import PEER, FrontendCase
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import (
    Attempt,
    Failure,
    FailureKind,
    GaveUp,
    GaveUpReason,
    RefusalKind,
    Waiting,
)
from txlb.proxy import ConnectionRecord, Relayed


def broken(*_arguments: object) -> None:
    raise KeyError("x")


class AdmissionTests(FrontendCase):
    def test_letIn(self) -> None:
        """
        A client is counted, and goes to the relay with its first host.
        """
        frontend = self.frontend()
        client = self.come(frontend)
        [(sock, attempt, toHost, toClient)] = self.relay.started
        client.sendall(b"x")
        self.assertEqual(sock.recv(1), b"x")
        self.assertEqual(attempt.dial.clientAddr, PEER)
        self.assertEqual((toHost, toClient), (b"", b""))
        self.assertEqual((self.counters.active, self.counters.accepted), (1, 1))
        self.assertEqual(self.connectionLimit.active, 1)
        self.assertEqual(self.records, [])

    def test_limit(self) -> None:
        """
        Over the service's limit a client is closed at once and counted; when
        one has left there is room again.
        """
        frontend = self.frontend(maxConnections=2)
        for _ in range(2):
            self.assertOpen(self.come(frontend))
        self.assertClosed(self.come(frontend))
        self.assertEqual(self.counters.refused[RefusalKind.LIMIT], 1)
        self.assertEqual((self.counters.active, self.counters.accepted), (2, 2))
        self.assertEqual(self.connectionLimit.active, 2)
        self.end(frontend)
        self.assertOpen(self.come(frontend))
        self.assertEqual(self.counters.refused[RefusalKind.LIMIT], 1)

    def test_descriptors(self) -> None:
        """
        Where the descriptors of the whole balancer are used up, a client is
        closed at once, whatever its service still allows.
        """
        frontend = self.frontend()
        self.connectionLimit.capacity = 1
        self.connectionLimit.active = 1
        self.assertClosed(self.come(frontend))
        self.assertEqual(self.counters.refused[RefusalKind.DESCRIPTORS], 1)
        self.assertEqual(self.counters.accepted, 0)
        self.assertEqual(self.records, [])

    def test_log(self) -> None:
        """
        However many are closed, it is one line a second with their number, for
        each kind of reason, and the last of them is told of within a second, whether
        another one comes or not.
        """
        log = logOf(self)
        frontend = self.frontend(maxConnections=1)
        self.come(frontend)
        for _ in range(200):
            self.come(frontend)
        self.connectionLimit.capacity = 1
        self.come(frontend)
        self.reactor.advance(1)
        lines = [(event["kind"], event["times"]) for event in log if "kind" in event]
        self.assertEqual(lines, [("limit", 1), ("descriptors", 1), ("limit", 199)])
        self.assertEqual(self.counters.refused[RefusalKind.LIMIT], 200)
        self.reactor.advance(60)
        self.assertEqual(len([event for event in log if "kind" in event]), 3)
        self.assertEqual(len(self.deadlines), 0)

    def test_logAtEnd(self) -> None:
        """
        When a service goes, those of its last second are told of.
        """
        log = logOf(self)
        frontend = self.frontend(maxConnections=1)
        for _ in range(4):
            self.come(frontend)
        frontend.close()
        lines = [formatEvent(event) for event in log if "kind" in event]
        self.assertEqual(
            lines,
            [
                "web: 1 client closed, limit: it has 1 connections",
                "web: 2 clients closed, limit: it has 1 connections",
            ],
        )


class ClientsTests(FrontendCase):
    """
    Who may come in, how often, and how many at once.
    """

    def test_denied(self) -> None:
        """
        Who may not come in is closed and counted; others see nothing of it.
        """
        log = logOf(self)
        frontend = self.frontend(deny=["192.0.2.0/24"])
        self.assertClosed(self.come(frontend))
        self.assertClosed(self.come(frontend, ("::ffff:192.0.2.9", 1, 0, 0)))
        for peer in (("192.0.3.1", 1), ("2001:db8::1", 1, 0, 0), b""):
            self.assertOpen(self.come(frontend, peer))
        self.assertEqual(self.counters.refused[RefusalKind.DENIED], 2)
        self.assertEqual((self.counters.active, self.counters.accepted), (3, 3))
        self.assertEqual(self.connectionLimit.active, 3)
        [line] = [formatEvent(event) for event in log if "kind" in event]
        self.assertEqual(
            line,
            "web: 1 client closed, denied: 192.0.2.7:4711 is in none of the networks that are "
            "allowed",
        )

    def test_limitOfOne(self) -> None:
        frontend = self.frontend(maxConnectionsPerClient=2)
        for _ in range(2):
            self.assertOpen(self.come(frontend))
        self.assertClosed(self.come(frontend))
        self.assertOpen(self.come(frontend, ("192.0.2.8", 1)))
        self.assertEqual(self.counters.refused[RefusalKind.CLIENT_LIMIT], 1)
        self.end(frontend, 0)
        self.assertOpen(self.come(frontend))
        self.assertClosed(self.come(frontend))

    def test_whoFindsNoHost(self) -> None:
        """
        Whose search for a host ended has left as well.
        """
        self.hosts = []
        frontend = self.frontend(maxConnectionsPerClient=1)
        for _ in range(3):
            self.assertClosed(self.come(frontend))
        self.assertEqual(self.counters.refused[RefusalKind.NO_HOST], 3)
        self.assertEqual(self.counters.refused[RefusalKind.CLIENT_LIMIT], 0)

    def test_rate(self) -> None:
        frontend = self.frontend(ratePerClient=2.0, burstPerClient=3)
        for _ in range(3):
            self.assertOpen(self.come(frontend))
        self.assertClosed(self.come(frontend))
        self.assertOpen(self.come(frontend, ("192.0.2.8", 1)))
        self.reactor.advance(0.5)
        self.assertOpen(self.come(frontend))
        self.assertClosed(self.come(frontend))
        self.assertEqual(self.counters.refused[RefusalKind.CLIENT_RATE], 2)

    def test_live(self) -> None:
        """
        A change holds for the next client, and those who are in count.
        """
        frontend = self.frontend()
        for _ in range(3):
            self.assertOpen(self.come(frontend))
        self.manager.setAdmission("web", maxConnectionsPerClient=3)
        self.assertClosed(self.come(frontend))
        self.end(frontend, 0)
        self.assertOpen(self.come(frontend))
        self.manager.setAdmission("web", deny=["all"], maxConnectionsPerClient=None)
        self.assertClosed(self.come(frontend))
        self.manager.setAdmission("web", deny=[])
        self.assertOpen(self.come(frontend))
        refused = {kind.value: n for kind, n in self.counters.refused.items() if n}
        self.assertEqual(refused, {"client-limit": 1, "denied": 1})

    def test_formerRelay(self) -> None:
        """
        When connections begin to be counted those of a former relay count as well.
        """
        frontend = self.frontend()
        former = FakeRelay()
        self.addCleanup(former.close)
        byName: Any = {"former": former}
        frontend.relays.byName = byName
        frontend.relays.usual = former
        for _ in range(2):
            self.assertOpen(self.come(frontend))
        frontend.relays.usual = self.relay
        self.assertOpen(self.come(frontend))
        self.manager.setAdmission("web", maxConnectionsPerClient=3)
        self.assertClosed(self.come(frontend))
        self.assertEqual((len(former.started), len(self.relay.started)), (2, 1))
        self.assertEqual(frontend.connectionCount(), 3)


class SearchTests(FrontendCase):
    def test_noHost(self) -> None:
        """
        Where there is no host the client is closed, counted, and recorded.
        """
        self.hosts = []
        frontend = self.frontend()
        self.assertClosed(self.come(frontend))
        self.assertEqual(self.counters.refused[RefusalKind.NO_HOST], 1)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))
        [record] = self.records
        self.assertEqual((record.host, record.outcome, record.tries), (None, "no-host", 0))

    def test_gaveUp(self) -> None:
        """
        What the relay says of a search that ended is counted by its reason.
        """
        frontend = self.frontend(retries=0)
        for kind, refusal in (
            (FailureKind.REFUSED, RefusalKind.UNREACHABLE),
            (FailureKind.LOCAL, RefusalKind.LOCAL),
        ):
            self.come(frontend)
            _, attempt, _, _ = self.relay.started[-1]
            step = attempt.failed(Failure(kind, "so it is"))
            assert isinstance(step, GaveUp)
            frontend.relayed(Relayed(attempt.dial, gaveUp=step))
            self.assertEqual(self.counters.refused[refusal], 1)
            self.assertEqual(self.records[-1].outcome, refusal.value)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))

    def test_followsChanges(self) -> None:
        """
        The next client goes by what is configured by then.
        """
        frontend = self.frontend()
        self.come(frontend)
        self.manager.apply(
            [
                ProxyService(
                    "web",
                    ["127.0.0.1:80"],
                    [ProxyGroup("other", enabled=True, hosts=[ProxyHost("new", "127.0.0.1", 9)])],
                    maxConnections=2,
                )
            ]
        )
        self.come(frontend)
        _, attempt, _, _ = self.relay.started[-1]
        self.assertEqual(attempt.host.key, ("web", "other", "new"))
        self.assertClosed(self.come(frontend))
        self.assertEqual(self.counters.refused[RefusalKind.LIMIT], 1)

    def test_dialTimeout(self) -> None:
        """
        A search that takes too long is counted as that.
        """
        frontend = self.frontend(connectTimeout=5.0, dialTimeout=1.0)
        self.come(frontend)
        _, attempt, _, _ = self.relay.started[-1]
        self.assertEqual(attempt.deadline, self.reactor.seconds() + 1.0)
        self.reactor.advance(1)
        step = attempt.failed(Failure(FailureKind.TIMEOUT))
        assert isinstance(step, GaveUp)
        frontend.relayed(Relayed(attempt.dial, gaveUp=step))
        self.assertEqual(self.counters.refused[RefusalKind.TIMEOUT], 1)

    def test_poolRaises(self) -> None:
        """
        A fault of the pool costs the client that asked, and the counts stay right.
        """
        frontend = self.frontend()
        self.patch(self.manager.getPool("web"), "claim", broken)
        ours, theirs = self.pair()
        self.assertRaises(KeyError, frontend.accepted, accepted(ours.detach()))
        self.assertClosed(theirs)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))
        self.assertEqual(self.manager.getPool("web").active, 0)

    def test_policyRaises(self) -> None:
        """
        A policy that raises costs no client its host: the pool has another one choose.
        """
        frontend = self.frontend()
        self.patch(self.manager.getPool("web").scheduler, "nextHost", broken)
        self.assertOpen(self.come(frontend))
        [(_, attempt, _, _)] = self.relay.started
        self.assertEqual(attempt.host.name, "a")
        self.assertEqual((self.counters.active, self.connectionLimit.active), (1, 1))


class RecordTests(FrontendCase):
    def test_fields(self) -> None:
        """
        A record has all that is known of a connection at its end.
        """
        frontend = self.frontend()
        self.come(frontend)
        self.come(frontend)
        self.reactor.advance(1.5)
        self.end(frontend, 0)
        [record] = self.records
        self.assertEqual(
            record,
            ConnectionRecord(
                client="192.0.2.7:4711",
                service="web",
                group="main",
                host="a",
                connectTime=0.25,
                totalTime=1.5,
                bytesIn=10,
                bytesOut=200,
                outcome="done",
                tries=1,
                active=1,
                serviceActive=1,
                groupActive=1,
                hostActive=0,
            ),
        )
        self.assertEqual(record.asDict()["bytesOut"], 200)
        self.assertEqual(len(record.asDict()), 14)

    def test_stopped(self) -> None:
        """
        A search that was cut short is recorded as stopped, and is no refusal.
        """
        frontend = self.frontend()
        self.come(frontend)
        _, attempt, _, _ = self.relay.started[0]
        attempt.cancel()
        frontend.relayed(Relayed(attempt.dial))
        [record] = self.records
        self.assertEqual((record.outcome, record.host), ("stopped", None))
        self.assertEqual(set(self.counters.refused.values()), {0})

    def test_IPv6(self) -> None:
        """
        An IPv6 client stands in brackets.
        """
        frontend = self.frontend()
        self.come(frontend, ("2001:db8::1", 5, 0, 0))
        self.end(frontend)
        self.assertEqual(self.records[0].client, "[2001:db8::1]:5")

    def test_mapped(self) -> None:
        """
        An IPv4 client is the same one through a socket for both families: for the
        policy, in the record and in the header.
        """
        self.groupSettings["scheduler"] = "sticky"
        self.hosts = [ProxyHost(f"h{n}", "127.0.0.1", 7001 + n) for n in range(8)]
        frontend = self.frontend(sendProxy="v1")
        for number in range(40):
            self.come(frontend, (f"192.0.2.{number}", 5))
            self.come(frontend, (f"::ffff:192.0.2.{number}", 5, 0, 0))
        started = self.relay.started
        for plain, mapped in zip(started[::2], started[1::2], strict=True):
            self.assertEqual(plain[1].host, mapped[1].host)
            self.assertEqual(plain[1].dial.clientAddr, mapped[1].dial.clientAddr)
            self.assertEqual(plain[2], mapped[2])
        self.end(frontend)
        self.assertEqual(self.records[0].client, "192.0.2.39:5")

    def test_mappedLimit(self) -> None:
        """
        It is one client for the limits as well, when it comes and when it goes.
        """
        frontend = self.frontend(maxConnectionsPerClient=1)
        self.assertOpen(self.come(frontend, ("::ffff:192.0.2.1", 5, 0, 0)))
        self.assertClosed(self.come(frontend, ("192.0.2.1", 6)))
        self.end(frontend)
        self.assertOpen(self.come(frontend, ("192.0.2.1", 7)))

    def test_zone(self) -> None:
        """
        A link-local client is known by its zone too, as another interface may lead to
        another machine of the same address. A header has no place for it.
        """
        frontend = self.frontend(sendProxy="v1")
        self.come(frontend, ("fe80::1", 5, 0, socket.if_nametoindex("lo")))
        _, attempt, toHost, _ = self.relay.started[0]
        self.assertEqual(attempt.dial.clientAddr, ("fe80::1%lo", 5))
        self.assertTrue(toHost.startswith(b"PROXY UNKNOWN") or b" fe80::1 " in toHost, toHost)
        self.end(frontend)
        self.assertEqual(self.records[0].client, "[fe80::1%lo]:5")

    def test_addressOfAnotherKind(self) -> None:
        """
        A search for a client that is known by something else is recorded by it.
        """
        frontend = self.frontend()
        self.come(frontend)
        _, attempt, _, _ = self.relay.started[0]
        attempt.dial.clientAddr = "somebody"
        self.end(frontend)
        self.assertEqual(self.records[0].client, "somebody")

    def test_group(self) -> None:
        """
        A connection is recorded with the group that served it, though another
        one has been enabled meanwhile.
        """
        frontend = self.frontend()
        self.come(frontend)
        self.manager.switchGroup("web", "main", "spare")
        self.end(frontend)
        self.assertEqual(self.records[0].group, "main")

    def test_none(self) -> None:
        """
        Where nobody wants records there are none.
        """
        frontend = self.frontend()
        frontend.record = None
        self.come(frontend)
        self.end(frontend)
        self.assertEqual(self.counters.active, 0)

    def test_raises(self) -> None:
        """
        A record that can't be written is logged, and harms no connection.
        """

        def full(_: ConnectionRecord) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        frontend = self.frontend()
        frontend.record = full
        self.come(frontend)
        self.end(frontend)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class RoomTests(FrontendCase):
    """
    What becomes of clients for whom no host has room.
    """

    def refused(self) -> dict[str, int]:
        return {kind.value: count for kind, count in self.counters.refused.items() if count}

    def test_queue(self) -> None:
        """
        They wait with the relay; over the queue they are closed, and counted as
        what they are.
        """
        self.hosts = [ProxyHost("a", "127.0.0.1", 7001, 1, 1)]
        self.groupSettings = {"maxQueue": 1}
        frontend = self.frontend()
        self.come(frontend)
        self.assertOpen(self.come(frontend))
        self.assertClosed(self.come(frontend))
        self.assertEqual(self.refused(), {"full": 1})
        waiting = self.relay.started[1][1]
        self.assertIsInstance(waiting, Waiting)
        steps: list[Attempt | GaveUp] = []
        waiting.whenWoken(steps.append)
        self.end(frontend, 0)
        (step,) = steps
        self.assertIsInstance(step, Attempt)

    def test_kinds(self) -> None:
        """
        Each kind of refusal has a count and words of its own.
        """
        log = logOf(self)
        frontend = self.frontend()
        failure = Failure(FailureKind.LOCAL, "Cannot assign requested address")
        for reason, kind, words in (
            (GaveUpReason.FULL, "full", "every host has as many connections as it takes"),
            (GaveUpReason.QUEUE_TIMEOUT, "queue-timeout", "no host had room in time"),
            (GaveUpReason.CIRCUIT, "circuit", "too many connections to every host"),
            (GaveUpReason.CLIENT_GONE, "client-gone", "the client left while it waited"),
            (GaveUpReason.LOCAL, "local", "Cannot assign requested address; this machine is at"),
        ):
            gaveUp = GaveUp(reason, failure if reason is GaveUpReason.LOCAL else None)
            self.counters.active += 1
            self.connectionLimit.active += 1
            frontend.relayed(Relayed(self.manager.getPool("web").dial(), gaveUp=gaveUp))
            self.assertEqual(self.refused()[kind], 1)
            self.assertIn(words, formatEvent(log[-1]))
        self.assertEqual(self.records[-1].outcome, "local")

    def test_standIn(self) -> None:
        """
        The group that stands in says whether a header is sent.
        """
        frontend = self.frontend(sendProxy="v1")
        spare = ProxyGroup("spare", hosts=[ProxyHost("s", "127.0.0.1", 7009)], backup=True)
        main = self.manager.getGroup("web", "main")
        service = self.manager.getService("web")
        self.manager.apply([ProxyService("web", service.addresses, [main, spare])])
        for name in ("a", "b"):
            self.manager.drain("web", "main", name)
        self.come(frontend)
        _, attempt, toHost, _ = self.relay.started[-1]
        self.assertEqual((attempt.host.name, toHost), ("s", b""))

"""
Tests for what L{txlb.proxy.Frontend} reads of a client, and writes to a host, before the bytes
that they have for each other.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from unittest import skipUnless

from zope.interface import implementer

from tests.proxy.fakes import FakeRelay, accepted, logOf, takesIPv6
from tests.proxy.frontends import PEER, FrontendCase
from txlb.interfaces import IPreface
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import RefusalKind
from txlb.proxy import ClientConnection, Destination, Frontend, Relayed
from txlb.wire import Done, NeedMore, Reject, encodeProxyV1, encodeProxyV2


@implementer(IPreface)
class MarkPreface:
    """
    C{!} ends it, C{?} rejects it.
    """

    maxBytes = 100
    timeout = 3.0
    clientAddr: tuple[str, int] | None = ("203.0.113.9", 99)

    def feed(self, data: bytes) -> object:
        _, end, rest = data.partition(b"!")
        if b"?" in data:
            return Reject("it asks")
        return Done(self.clientAddr, None, rest) if end else NeedMore()

    def end(self, reason: str) -> Done | Reject:
        """
        See L{IPreface.end}.
        """
        return Reject(reason)


class ProxyHeaderTests(FrontendCase):
    def test_none(self) -> None:
        """
        Without being asked for no header is sent.
        """
        self.come(self.frontend())
        self.assertEqual(self.relay.started[0][2], b"")

    def test_version(self) -> None:
        """
        A group that wants a header gets one of its version, with the client's
        address and ours.
        """
        for version, encode in (("v1", encodeProxyV1), ("v2", encodeProxyV2)):
            ours, theirs = self.tcpPair()
            frontend = self.frontend(sendProxy=version)
            client, server = ours.getpeername(), ours.getsockname()
            frontend.accepted(accepted(ours.detach(), client))
            self.assertEqual(self.relay.started[-1][2], encode(client, server))
            self.assertIn(theirs.getsockname()[1], client)

    @skipUnless(takesIPv6(), "this machine has no IPv6")
    def test_IPv6(self) -> None:
        """
        An IPv6 client's header is of that family.
        """
        ours, _ = self.tcpPair("::1")
        frontend = self.frontend(sendProxy="v1")
        peer = ours.getpeername()
        frontend.accepted(accepted(ours.detach(), peer))
        self.assertTrue(self.relay.started[-1][2].startswith(b"PROXY TCP6 ::1 ::1 "))

    def test_UNIX(self) -> None:
        """
        A client that came through a socket in the file system has no address;
        the header says so, and the record says which socket it was.
        """
        ours, peer, path = self.unixClient()
        frontend = self.frontend(sendProxy="v1")
        frontend.accepted(accepted(ours.detach(), peer))
        self.assertEqual(self.relay.started[-1][2], b"PROXY UNKNOWN\r\n")
        self.end(frontend)
        self.assertEqual(self.records[0].client, f"unix:{path}")

    def unixClient(self) -> tuple[socket.socket, object, str]:
        """
        @return: the socket of a client, its address as accept tells it, and the path.
        """
        path = self.socketPath()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            self.client = self.connect(path)
            return *listener.accept(), path

    def test_kindOfSocket(self) -> None:
        """
        The relay is told what kind of socket a client has.
        """
        frontend = self.frontend()
        self.come(frontend, ("192.0.2.1", 1))
        ours, peer, _ = self.unixClient()
        frontend.accepted(accepted(ours.detach(), peer))
        self.assertEqual(self.relay.areUNIX, [False, True])

    def test_kindOfSocketBehindAPreface(self) -> None:
        """
        So it is if its preface told another address.
        """
        frontend = self.frontend(MarkPreface)
        ours, peer, _ = self.unixClient()
        frontend.accepted(accepted(ours.detach(), peer))
        self.client.sendall(b"!")
        self.readUntil(frontend)
        self.assertEqual(self.relay.started[-1][1].dial.clientAddr, MarkPreface.clientAddr)
        self.assertEqual(self.relay.areUNIX, [True])

    def test_afterAPreface(self) -> None:
        """
        The header has the address that the preface told, and what came behind
        the preface follows it.
        """
        ours, client = self.tcpPair()
        frontend = self.frontend(MarkPreface, sendProxy="v1")
        server = ours.getsockname()
        peer = ours.getpeername()
        frontend.accepted(accepted(ours.detach(), peer))
        client.sendall(b"!GET")
        self.readUntil(frontend)
        wanted = encodeProxyV1(("203.0.113.9", 99), server) + b"GET"
        self.assertEqual(self.relay.started[-1][2], wanted)

    def readUntil(self, frontend: Frontend) -> None:
        """
        Read until the relay has the connection; bytes over loopback may take a
        moment.
        """
        for _ in range(100_000):
            if self.relay.started:
                return
            self.reactor.readable()
        self.fail("the relay got no connection")


class PrefaceTests(FrontendCase):
    def test_done(self) -> None:
        """
        When the preface is complete the search begins, for the address that it
        told, with what was left over for the host.
        """
        frontend = self.frontend(MarkPreface)
        client = self.come(frontend)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (1, 1))
        self.assertEqual(self.relay.started, [])
        client.sendall(b"!rest")
        self.reactor.readable()
        [(_, attempt, toHost, _)] = self.relay.started
        self.assertEqual(attempt.dial.clientAddr, ("203.0.113.9", 99))
        self.assertEqual(toHost, b"rest")
        self.assertEqual(len(frontend._prefaces), 0)

    def test_otherWriting(self) -> None:
        """
        An address that a preface tells is written as those of sockets are.
        """
        for host, plain in (
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("::FFFF:cb00:7109", "203.0.113.9"),
            ("2001:DB8:0::1", "2001:db8::1"),
        ):

            class Other(MarkPreface):
                clientAddr = (host, 99)

            self.come(self.frontend(Other)).sendall(b"!")
            self.reactor.readable()
            _, attempt, _, _ = self.relay.started[-1]
            self.assertEqual(attempt.dial.clientAddr, (plain, 99))

    def test_noAddress(self) -> None:
        """
        A preface that tells no address leaves the socket's.
        """

        class Anonymous(MarkPreface):
            clientAddr = None

        frontend = self.frontend(Anonymous)
        self.come(frontend).sendall(b"!")
        self.reactor.readable()
        [(_, attempt, _, _)] = self.relay.started
        self.assertEqual(attempt.dial.clientAddr, PEER)

    def test_admission(self) -> None:
        """
        Who may come in is decided by the address that the preface told.
        """
        frontend = self.frontend(MarkPreface, deny=["203.0.113.9"])
        client = self.come(frontend)
        self.assertOpen(client)
        client.sendall(b"!")
        self.reactor.readable()
        self.assertClosed(client)
        self.assertEqual(self.counters.refused[RefusalKind.DENIED], 1)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))
        self.manager.setAdmission("web", deny=[PEER[0]], maxConnectionsPerClient=1)
        for _ in range(2):
            self.come(frontend).sendall(b"!")
            self.reactor.readable()
        self.assertEqual(len(self.relay.started), 1)
        self.assertEqual(self.counters.refused[RefusalKind.CLIENT_LIMIT], 1)

    def test_rejected(self) -> None:
        """
        A client that is rejected is closed and counted, with the reason in the
        log, and nobody was dialled.
        """
        log = logOf(self)
        frontend = self.frontend(MarkPreface)
        client = self.come(frontend)
        client.sendall(b"?")
        self.reactor.readable()
        self.assertClosed(client)
        self.assertEqual(self.counters.refused[RefusalKind.PREFACE], 1)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))
        [event] = [event for event in log if "kind" in event]
        self.assertEqual((event["kind"], event["detail"]), ("preface", "it asks"))
        self.assertEqual(self.relay.started, [])

    def test_answer(self) -> None:
        """
        A client that is rejected is told why, if the preface or the entrance has an answer.
        """

        class Telling(MarkPreface):
            def feed(self, data: bytes) -> object:
                answer = super().feed(data)
                return Reject("it asks", b"alert") if isinstance(answer, Reject) else answer

        frontend = self.frontend(Telling)
        self.entry.router = lambda _: Reject("no service has that", b"alert")
        for sent in (b"!", b"?"):
            client = self.come(frontend)
            client.sendall(sent)
            self.reactor.readable()
            self.assertEqual(client.recv(100), b"alert")
            self.assertClosed(client)
        self.assertEqual(self.counters.refused[RefusalKind.PREFACE], 2)

    def test_tooLate(self) -> None:
        """
        A client that says nothing has three seconds here.
        """
        client = self.come(self.frontend(MarkPreface))
        self.reactor.advance(3)
        self.assertClosed(client)
        self.assertEqual(self.counters.refused[RefusalKind.PREFACE], 1)

    def test_cantBeMade(self) -> None:
        """
        Where a preface can't even be made, nobody is counted as being here.
        """

        def broken() -> IPreface:
            raise RuntimeError("no preface")

        frontend = self.frontend(broken)
        ours, _ = self.pair()
        self.assertRaises(RuntimeError, frontend.accepted, accepted(ours.detach(), PEER))
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))

    def test_abort(self) -> None:
        """
        To abort all ends those that are in their preface, and those that the
        relay has.
        """
        frontend = self.frontend(MarkPreface)
        clients = [self.come(frontend) for _ in range(3)]
        frontend.abortAll()
        for client in clients:
            self.assertClosed(client)
        self.assertEqual(self.relay.aborted, 1)
        self.assertEqual((self.counters.active, self.connectionLimit.active), (0, 0))
        self.assertEqual(self.reactor.getReaders(), [])


class RouterTests(FrontendCase):
    """
    Where a connection goes, decided after its preface.
    """

    def setUp(self) -> None:
        super().setUp()
        self.front = self.frontend(MarkPreface, maxConnectionsPerClient=5)
        spare = ProxyGroup("spare", hosts=[ProxyHost("s", "127.0.0.1", 7009)])
        self.manager.apply(
            [
                replace(
                    self.manager.getService("web"),
                    groups=(self.manager.getGroup("web", "main"), spare),
                ),
                ProxyService(
                    "mail",
                    [("127.0.0.1", 0)],
                    [ProxyGroup("mail", enabled=True, hosts=[ProxyHost("m", "127.0.0.1", 7010)])],
                    maxConnections=1,
                    deny=["192.0.2.0/24"],
                ),
            ]
        )
        self.mail = Frontend(
            "mail", self.manager, self.reactor, self.deadlines, self.connectionLimit
        )
        self.mailRelay = FakeRelay()
        self.addCleanup(self.mailRelay.close)
        self.mail.relays.usual = self.mailRelay
        self.mailCounters = self.manager.getCounters("mail")
        self.front.frontendOf = {"mail": self.mail}.get
        self.asked: list[ClientConnection] = []

    def send(self, found: Destination | Reject | Exception) -> socket.socket:
        """
        A client comes whose destination is this one.
        """

        def router(client: ClientConnection) -> Destination | Reject:
            self.asked.append(client)
            if isinstance(found, Exception):
                raise found
            return found

        self.entry.router = router
        client = self.come(self.front)
        client.sendall(b"!rest")
        self.reactor.readable()
        return client

    def counts(self) -> tuple[int, int, int]:
        """
        @return: the connections of the first service, of the second, and of the balancer.
        """
        return self.counters.active, self.mailCounters.active, self.connectionLimit.active

    def test_group(self) -> None:
        """
        A group of the same service, which need not be enabled.
        """
        self.assertOpen(self.send(Destination(group="spare")))
        [(_, attempt, toHost, _)] = self.relay.started
        self.assertEqual((attempt.host.key, toHost), (("web", "spare", "s"), b"rest"))
        self.assertEqual(self.counts(), (1, 0, 1))
        [asked] = self.asked
        self.assertEqual((asked.peer, asked.clientAddr), (PEER, MarkPreface.clientAddr))

    def test_service(self) -> None:
        """
        Another service: its limits, counters and relay are those that count.
        """
        self.assertOpen(self.send(Destination("mail")))
        [(_, attempt, toHost, _)] = self.mailRelay.started
        self.assertEqual((attempt.host.key, toHost), (("mail", "mail", "m"), b"rest"))
        self.assertEqual((self.relay.started, self.counts()), ([], (0, 1, 1)))
        # It has one connection at most.
        self.assertClosed(self.send(Destination("mail")))
        self.assertEqual(self.mailCounters.refused[RefusalKind.LIMIT], 1)
        self.assertEqual(self.counts(), (0, 1, 1))
        attempt.cancel()
        self.mail.relayed(Relayed(attempt.dial))
        self.assertEqual(self.counts(), (0, 0, 0))
        self.assertEqual((self.counters.accepted, self.mailCounters.accepted), (0, 1))

    def test_admission(self) -> None:
        """
        The network rules of the service to which it goes decide, each service its own.
        """
        self.patch(MarkPreface, "clientAddr", ("192.0.2.9", 9))
        self.assertClosed(self.send(Destination("mail")))
        self.assertEqual(self.mailCounters.refused[RefusalKind.DENIED], 1)
        self.assertOpen(self.send(Destination("web")))
        self.assertEqual(self.counts(), (1, 0, 1))

    def test_closed(self) -> None:
        """
        A service that is gone meanwhile takes no connection.
        """
        self.mail.close()
        self.assertClosed(self.send(Destination("mail")))
        self.assertEqual(self.counts(), (0, 0, 0))

    def test_refused(self) -> None:
        """
        A connection without a destination is closed and counted, with the reason.
        """
        log = logOf(self)
        self.front.frontendOf = lambda _: None
        for found, reason in (
            (Reject("no such name"), "no such name"),
            (Destination("mail"), "mail takes no connection"),
            (Destination("news"), "news"),
            (Destination(group="other"), "other"),
            (ValueError("boom"), "its destination could not be decided"),
        ):
            self.assertClosed(self.send(found))
            self.reactor.advance(2)
            self.assertIn(reason, [event for event in log if "kind" in event][-1]["detail"])
            self.assertEqual(self.counts(), (0, 0, 0))
        self.assertEqual(self.counters.refused[RefusalKind.PREFACE], 5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

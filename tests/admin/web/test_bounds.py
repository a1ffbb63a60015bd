"""
Tests of the bounds of connections and requests: L{txlb.admin.web._channel},
L{txlb.admin.web._request}, L{txlb.admin.web._site}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.admin.web.asking import TOKENS, Client, ConsoleCase, parsed
from tests.fired import fired
from txlb.admin import _rows
from txlb.admin.login._turns import AT_ONCE, PACE
from txlb.admin.web._bodies import MAX_BODY
from txlb.admin.web._channel import RECEIVE
from txlb.admin.web._resource import WebResource
from txlb.admin.web._site import HANDSHAKES, MOST, MOST_OF_SOURCE, WebSite

DRAIN = "/api/v1/services/web/groups/prod/hosts/h0/drain"


def head(*lines: str) -> bytes:
    start = (f"POST {DRAIN} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKENS['full']}")
    return "\r\n".join([*start, *lines, "", ""]).encode()


class BodyTests(ConsoleCase):
    def test_long(self) -> None:
        """
        A body that is too long is refused before it comes.
        """
        client = Client(self)
        client.send(head(f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue"))
        answer = client.take()
        self.assertEqual(parsed(answer).status, 413)
        self.assertEqual(answer.count(b"HTTP/1.1"), 1)
        self.assertTrue(client.transport.gone)
        client.send(b"x" * 100)
        self.assertEqual(client.take(), b"")

    def test_chunked(self) -> None:
        """
        Of a body without a length no more is kept.
        """
        client = Client(self)
        client.send(head("Transfer-Encoding: chunked"))
        for _ in range(MAX_BODY // 0x1000 + 1):
            client.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        self.assertEqual(parsed(client.take()).status, 413)
        client.send(b"0\r\n\r\n")
        self.assertEqual(client.take(), b"")
        self.assertEqual(self.balancer.manager.getHost("web", "prod", "h0").state, "ready")

    def test_headers(self) -> None:
        for lines, status in (
            (["X: " + "x" * 70_000], 431),
            ([f"X{number}: " + "x" * 5000 for number in range(20)], 431),
            ([f"X{number}: x" for number in range(65)], 400),
            (["no header"], 400),
        ):
            client = Client(self)
            client.send(head(*lines, "Content-Length: 0"))
            self.assertTrue(client.transport.gone)
            answer = parsed(client.take())
            self.assertEqual(answer.status, status)
            self.assertTrue(answer.detail)


class CrowdTests(ConsoleCase):
    def test_turns(self) -> None:
        """
        The clients of a crowd are read one after the other, and each of them in the end. One from
        elsewhere does not wait for all of them. A few clients do not wait.
        """
        self.logins.start(self.clock)
        self.addCleanup(self.logins.stop)

        def read() -> int:
            states = [each.transport.producerState for each in clients]
            return states.count("producing")

        clients = [Client(self) for _ in range(AT_ONCE)]
        self.assertEqual(read(), AT_ONCE)
        clients += [Client(self) for _ in range(40)]
        other = Client(self, "192.0.2.1")
        self.assertEqual(read(), AT_ONCE)
        clients[-1].leave()
        self.clock.pump([PACE] * 4)
        self.assertEqual(other.transport.producerState, "producing")
        self.assertLess(read(), AT_ONCE + 5)
        self.clock.pump([PACE] * 60)
        self.assertEqual(read(), AT_ONCE + 39)


class GivingWayTests(ConsoleCase):
    def test_refused(self) -> None:
        """
        Relayed connections go on between all parts of a login that is refused.
        """
        given: list[float] = []
        self.logins.giveWayBy(lambda: given.append(self.clock.seconds()))
        answer = self.logIn(password="wrong")
        self.assertEqual(answer.status, 401)
        # Of its lines, its request, its sources, its refusal, its answer, its end.
        self.assertGreater(len(given), 15)


class FailureTests(ConsoleCase):
    def test_processing(self) -> None:
        """
        A fault of the resource itself is logged, and answered without a traceback.
        """

        def broken(_: object) -> None:
            raise RuntimeError("secret")

        self.patch(self.site.resource, "render", broken)
        client = Client(self)
        client.send(head("Content-Length: 0"))
        answer = parsed(client.take())
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"secret", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class TimeTests(ConsoleCase):
    def test_slow(self) -> None:
        """
        A client that sends byte by byte is dropped in time.
        """
        client = Client(self)
        sent = 0
        for byte in head("Content-Length: 0"):
            if client.transport.gone:
                break
            client.send(bytes([byte]))
            self.clock.advance(RECEIVE / 40)
            sent += 1
        self.assertLess(sent, 50)

    def test_slowBody(self) -> None:
        client = Client(self)
        client.send(head("Content-Length: 100"))
        for _ in range(45):
            client.send(b"x")
            self.clock.advance(RECEIVE / 40)
        self.assertTrue(client.transport.gone)

    def test_silent(self) -> None:
        client = Client(self)
        self.turn(30, 1.0)
        self.assertTrue(client.transport.gone)

    def test_keptAlive(self) -> None:
        """
        Between two requests a connection may be idle for longer.
        """
        client = Client(self)
        for _ in range(3):
            client.send(head("Content-Length: 0"))
            self.assertEqual(parsed(client.take()).status, 200)
            self.turn(25, 1.0)
            self.assertFalse(client.transport.gone)

    def test_refusedClientGoesOn(self) -> None:
        client = Client(self)
        client.send(head("Content-Length: 99999999"))
        self.turn(10, 1.0)
        self.assertTrue(client.transport.gone)


class ConnectionTests(ConsoleCase):
    def test_ofSource(self) -> None:
        """
        The idle connection that has been silent for longest makes room.
        """
        clients = [Client(self) for _ in range(MOST_OF_SOURCE)]
        clients[0].send(b"GET / HT")
        Client(self)
        self.assertFalse(clients[0].transport.gone)
        self.assertTrue(clients[1].transport.gone)
        self.assertEqual(len(self.site.clients), MOST_OF_SOURCE)

    def test_all(self) -> None:
        for number in range(MOST + 10):
            Client(self, f"10.0.{number // 100}.{number % 100}")
        self.assertEqual(len(self.site.clients), MOST)

    def test_busy(self) -> None:
        """
        Streams of events are no idle connections; there are fewer of them than connections.
        """
        self.site.clients = dict.fromkeys(self.site.clients, "")
        for _ in range(MOST_OF_SOURCE):
            channel = Client(self).channel
            channel._handlingRequest = True
        self.assertTrue(Client(self).transport.gone)

    def test_handshakes(self) -> None:
        """
        The handshakes of TLS are bounded, which cost the balancer's time before any login.
        """
        self.site = WebSite(
            WebResource(self.console), self.clock, self.console.deadlines, handshakes=True
        )
        let = 0
        for number in range(2 * HANDSHAKES):
            client = Client(self, f"10.0.{number // 100}.{number % 100}")
            if not client.transport.gone:
                let += 1
                client.leave()
        self.assertEqual(let, HANDSHAKES)
        self.turn(1, 1.0)
        self.assertFalse(Client(self, "192.0.2.1").transport.gone)

    def test_end(self) -> None:
        client = Client(self)
        fired(self.site.finish(0.0))
        self.assertTrue(client.transport.gone)
        self.assertTrue(Client(self).transport.gone)

    def test_finish(self) -> None:
        """
        Answers under way are sent, and then the connections end.
        """
        answers: list[Deferred[list[object]]] = []

        def slow(*_: object, **__: object) -> Deferred[list[object]]:
            answers.append(Deferred())
            return answers[-1]

        self.patch(self.balancer.manager, "drain", slow)
        self.patch(_rows, "eventRows", lambda found: found)
        for isInTime in (True, False):
            site = self.site = WebSite(
                WebResource(self.console), self.clock, self.console.deadlines
            )
            busy, idle = Client(self), Client(self)
            busy.send(head("Content-Length: 0"))
            finished: list[None] = []
            site.finish(0.5).addCallback(finished.append)
            self.assertEqual((idle.transport.gone, finished), (True, []))
            idle.leave()
            if isInTime:
                answers[-1].callback([])
                self.assertIn(b" 200 ", busy.take())
                self.assertTrue(busy.transport.gone)
                busy.leave()
            else:
                self.turn(1, 1.0)
                self.assertTrue(busy.transport.gone)
            self.assertEqual(finished, [None])

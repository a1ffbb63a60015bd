"""
Tests for L{txlb.resources._agent} and L{txlb.resources._http}: the contract, and
what each has of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import TestCase

from tests.registries import keepRegistries
from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.interfaces import IResourceProbe
from txlb.model import Address, ResourceProbe, TCPAddress, UNIXAddress
from txlb.model.options import Text
from txlb.model.registries import PROBES
from txlb.resources import (
    AgentService,
    Option,
    ProbeFailed,
    ProbeKind,
    ProbeTarget,
    makeProbe,
    probeKinds,
    registerProbe,
)
from txlb.resources._http import _placeOf
from txlb.testing import FarHost, ResourceProbeContract, Stream
from txlb.testing._stage import openSockets
from txlb.testing._streams import until

OK = b"HTTP/1.1 200 OK\r\n"


class AgentProbeTests(ResourceProbeContract, TestCase):
    def makeProbe(self, reactor: Any) -> IResourceProbe:
        return makeProbe(ResourceProbe("agent"), reactor)

    async def say(self, stream: Stream, available: float) -> None:
        await stream.writeAll(f"{round(100 * available)}%\n".encode())

    async def line(self: Any, line: bytes) -> float | None:
        asked = self.probe.probe(self.target())
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await stream.writeAll(line)
        await until(self.reactor, lambda: asked.called, "the answer")
        found: float | None = await asked
        return found

    async def test_words(self) -> None:
        """
        What was said and not taken back counts, as in HAProxy.
        """
        for line, found in (
            (b"up\n", None),
            (b"40%\r\n", 0.4),
            (b"150%\n", 1.0),
            (b"weight:5\n", 0.5),
            (b"weight:50 maxconn:3\n", 1.0),
            (b"20% drain\n", 0.0),
            (b"80%\n", 0.0),
            (b"ready\n", 0.8),
            (b"maint\n", 0.0),
            (b"ready down # no disk\n", 0.0),
            (b"up hello\n", 0.8),
            (b"0%\n", 0.0),
        ):
            self.assertEqual(await self.line(line), found, line)

    async def test_notUnderstood(self) -> None:
        for line in (b"hello\n", b"\n", b"HTTP/1.1 400 Bad Request\r\n"):
            with self.assertRaises(ProbeFailed):
                await self.line(line)

    async def test_send(self: Any) -> None:
        """
        A line can be sent first, with which an agent tells hosts apart.
        """
        settings = ResourceProbe("agent", options={"send": "web/a"})
        asked = makeProbe(settings, self.reactor).probe(self.target())
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await stream.expect(b"web/a\n")
        await stream.writeAll(b"7%\n")
        self.assertEqual(await asked, 0.07)


class HTTPProbeTests(ResourceProbeContract, TestCase):
    options: dict[str, object] = {"path": "/stats", "field": "cpu.idle", "full": 100}  # noqa: RUF012

    def makeProbe(self, reactor: Any) -> IResourceProbe:
        return makeProbe(ResourceProbe("http", options=self.options), reactor)

    async def say(self, stream: Stream, available: float) -> None:
        await self.answer(stream, json.dumps({"cpu": {"idle": 100 * available}}))

    async def answer(self: Any, stream: Stream, body: str, status: str = "200 OK") -> None:
        def asked() -> bool:
            stream.read()
            return b"\r\n\r\n" in stream.received

        await until(self.reactor, asked, "the request")
        self.assertTrue(stream.received.startswith(b"GET /stats HTTP/1.1\r\n"))
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
        await stream.writeAll((head + body).encode())

    async def asked(self: Any, probe: IResourceProbe, body: str, status: str = "200 OK") -> Any:
        found = probe.probe(self.target())
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await self.answer(stream, body, status)
        await until(self.reactor, lambda: found.called, "the answer")
        return await found

    async def test_means(self: Any) -> None:
        """
        A number may say what is used as well, and is kept in its range.
        """
        options = {"path": "/stats", "field": "load", "means": "load"}
        probe = makeProbe(ResourceProbe("http", options=options), self.reactor)
        for load, left in ((0.25, 0.75), (7, 0.0), (-1, 1.0), (10**400, 0.0)):
            self.assertEqual(await self.asked(probe, json.dumps({"load": load})), left)

    def test_place(self) -> None:
        """
        The header C{Host} has no zone, as that is this machine's alone (RFC 9844, 6).
        """
        for address, place in (
            (TCPAddress("fe80::1%lo", 80), "[fe80::1]:80"),
            (TCPAddress("127.0.0.1", 80), "127.0.0.1:80"),
            (UNIXAddress("/run/host"), "localhost"),
        ):
            self.assertEqual(_placeOf(address), place)

    async def test_wrongAnswers(self: Any) -> None:
        for body in (
            "", "no JSON", "[]", "{}", '{"cpu": 3}', '{"cpu": {"idle": "3"}}',
            '{"cpu": {"idle": true}}', '{"cpu": {"idle": NaN}}', "[" * 10000,
        ):  # fmt: skip
            with self.assertRaises(ProbeFailed, msg=body):
                await self.asked(self.probe, body)
        with self.assertRaises(ProbeFailed):
            await self.asked(self.probe, '{"cpu": {"idle": 3}}', "503 Unavailable")

    async def test_bounds(self: Any) -> None:
        """
        A head without an end and a body without an end are read no further than to
        their bounds. A length that is larger than the bound is no reason to wait.
        """
        for said, words in (
            (
                b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
                "the head of the answer has more than 16384",
            ),
            (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1_000_000, "the answer has more than 65536 bytes"),
            (
                OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 100_000,
                "the answer has more than 65536 bytes",
            ),
        ):
            asked = self.probe.probe(self.target())
            stream = await self.host.accept()
            self.addCleanup(stream.close)
            sent = 0

            def enough(stream: Stream = stream, said: bytes = said, asked: Any = asked) -> bool:
                nonlocal sent
                sent += stream.write(said[sent : sent + 65536])
                return bool(asked.called)

            await until(self.reactor, enough, "the end of the probe")
            with self.assertRaises(ProbeFailed) as raised:
                await asked
            self.assertIn(words, str(raised.exception))

    async def until(self: Any, asked: Any) -> None:
        await until(self.reactor, lambda: asked.called, "the answer")

    async def test_ends(self: Any) -> None:
        """
        A body ends with its length, with its last chunk, or with the connection, but
        not with a reset.
        """
        body = b'{"cpu": {"idle": 50}}'
        for said, after, result in (
            (b"Content-Length: %d\r\n\r\n%s" % (len(body), body), "", 0.5),
            (b"Transfer-Encoding:chunked\r\n\r\n%x\r\n%s\r\n0\r\n" % (len(body), body), "", 0.5),
            (b"\n" + body, "close", 0.5),
            (b"\r\n" + body, "reset", "the answer has no end"),
            (b"Content-Length: 99\r\n\r\n" + body, "close", "the answer has no end"),
        ):
            asked = self.probe.probe(self.target())
            stream = await self.host.accept()
            self.addCleanup(stream.close)
            await stream.writeAll(OK + said)
            if after == "close":
                stream.finish()
            elif after == "reset":
                stream.reset()
            await self.until(asked)
            try:
                found: Any = await asked
            except ProbeFailed as error:
                found = str(error)
            self.assertEqual(found, result, said)


class UnreachableTests(TestCase):
    async def test_words(self) -> None:
        """
        A probe says why it can't connect in the words of relays and checks.
        """
        from twisted.internet import reactor  # noqa: PLC0415

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            refusing = TCPAddress("127.0.0.1", taken.getsockname()[1])
            for address, words in (
                (refusing, "connection refused"),
                (UNIXAddress(os.path.abspath(self.mktemp())[-100:]), "there is no such socket"),
            ):
                for kind in ("agent", "http"):
                    probe = makeProbe(ResourceProbe(kind), reactor)
                    with self.assertRaises(ProbeFailed) as raised:
                        await probe.probe(ProbeTarget(("s", "g", "h"), address, 1, 5.0))
                    self.assertEqual(str(raised.exception), words)


class SeveralAddressesTests(TestCase):
    """
    Probes of a host whose name has several addresses.
    """

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor: Any = reactor
        self.reached: list[Address] = []

    def place(self, backlog: int | None) -> TCPAddress:
        """
        @param backlog: 0 for a place that does not answer; L{None} for one that refuses.
        """
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        if backlog is not None:
            sock.listen(backlog)
            for _ in range(2):
                filler = socket.socket()
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(sock.getsockname())
        return TCPAddress(*sock.getsockname())

    def probe(self, kind: str, *addresses: Address) -> Any:
        probe = makeProbe(ResourceProbe(kind), self.reactor)
        target = ProbeTarget(
            ("s", "g", "h"), addresses[0], 1, 5.0, addresses[1:], self.reached.append
        )
        return probe.probe(target)

    async def test_others(self) -> None:
        """
        The others are tried if the first refuses or is silent, and who wants to know is
        told which one was reached.
        """
        for kind, answer in (
            ("agent", b"25%\n"),
            ("http", b'HTTP/1.0 200 OK\r\n\r\n{"available": 0.25}'),
        ):
            for backlog in (None, 0):
                host = FarHost(self.reactor)
                self.addCleanup(host.close)
                good = TCPAddress(*host.where)
                asked = self.probe(kind, self.place(backlog), good)
                stream = await host.accept()
                await stream.writeAll(answer)
                stream.finish()
                self.assertEqual(await asked, 0.25)
                await stream.expectEnd() if kind == "http" else stream.read()
                stream.close()
                self.assertEqual(self.reached.pop(), good)

    async def test_first(self) -> None:
        """
        To be reached at the first says nothing new.
        """
        host = FarHost(self.reactor)
        self.addCleanup(host.close)
        asked = self.probe("agent", TCPAddress(*host.where), self.place(None))
        stream = await host.accept()
        self.addCleanup(stream.close)
        await stream.writeAll(b"50%\n")
        self.assertEqual(await asked, 0.5)
        self.assertEqual(self.reached, [])

    async def test_none(self) -> None:
        """
        If none can be reached the message names each.
        """
        one, two = self.place(None), self.place(None)
        with self.assertRaises(ProbeFailed) as raised:
            await self.probe("agent", one, two)
        said = f"{one}: connection refused; {two}: connection refused"
        self.assertEqual(str(raised.exception), said)

    async def test_cancelled(self) -> None:
        """
        A probe that is cancelled while several are tried leaves nothing.
        """
        places = self.place(0), self.place(0)
        before = openSockets()
        for kind in ("agent", "http"):
            asked = self.probe(kind, *places)
            await until(self.reactor, lambda: openSockets() == before + 2, "both addresses")
            asked.cancel()
            asked.addErrback(lambda _: None)
            await until(self.reactor, lambda: openSockets() == before, "the end")


class MakingTests(TestCase):
    def test_registry(self) -> None:
        """
        A word stands for one kind of probe.
        """
        keepRegistries(self, PROBES)
        self.assertEqual([kind.word for kind in probeKinds()], ["agent", "http"])
        needy = ProbeKind(
            "needy",
            "It is for tests.",
            lambda options, _: options["word"],
            (Option("word", Text("[a-z]+", "a word"), "What to say.", required=True),),
        )
        registerProbe(needy)
        self.assertRaises(DuplicateName, registerProbe, needy)
        self.assertRaises(ModelError, makeProbe, ResourceProbe("needy"), None)
        self.assertEqual(makeProbe(ResourceProbe("needy", options={"word": "w"}), None), "w")

    async def test_socket(self) -> None:
        """
        An agent on a UNIX socket.
        """
        path = os.path.join(tempfile.mkdtemp(), "agent.sock")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        agent = AgentService(f"unix:{path}", scope=None, available=lambda: 0.25)
        agent.startService()
        from twisted.internet import reactor  # noqa: PLC0415

        target = ProbeTarget(("s", "g", "h"), UNIXAddress(path), 1, 5.0)
        self.assertEqual(await makeProbe(ResourceProbe(), reactor).probe(target), 0.25)
        await maybeDeferred(agent.stopService)

    def test_wrong(self) -> None:
        for probe, options, error in (
            ("magic", {}, UnknownName),
            ("agent", {"path": "/"}, UnknownName),
            ("agent", {"send": "two\nlines"}, ModelError),
            ("http", {"path": "stats"}, ModelError),
            ("http", {"means": "idle"}, ModelError),
            ("http", {"full": 0}, ModelError),
            ("http", {"field": "a..b"}, ModelError),
        ):
            settings = ResourceProbe(probe, options=options)
            self.assertRaises(error, makeProbe, settings, None)

"""
Checks that talk, with hosts that a test plays: the answers that there can be.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.health.certificates import Certificates
from tests.proxy.reactors import BY_NUMBER
from txlb.deadlines import Deadlines
from txlb.errors import ModelError
from txlb.health import Sockets, Target, Tools, Verdict, _script, _sockets, makeCheck
from txlb.health._checkconnection import CheckConnection
from txlb.health._epollwatcher import EpollWatcher
from txlb.health._reactorwatcher import ReactorWatcher
from txlb.health._verdict import verdictOf
from txlb.health._watcher import READ
from txlb.model import HealthCheck, HostTLS, TCPAddress, UNIXAddress
from txlb.testing import FarHost, Stream
from txlb.testing._streams import until

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


class Playing(TestCase):
    """
    A host that the test plays.
    """

    def setUp(self) -> None:
        """
        The host, and what checks are made with.
        """
        self.deadlines = Deadlines(reactor, time.monotonic)
        self.addCleanup(self.deadlines.stop)
        self.sockets = Sockets(reactor, deadlines=self.deadlines)
        self.addCleanup(self.sockets.stop)
        self.tools = Tools(reactor, self.deadlines, self.sockets)
        self.host = FarHost(reactor)
        self.addCleanup(self.host.close)

    def target(self, header: bytes = b"") -> Target:
        """
        The host.
        """
        return Target(("s", "g", "h"), TCPAddress(*self.host.where), "host.example", 5.0, header)

    def begin(
        self, kind: str, options: Mapping[str, object], target: Target | None = None
    ) -> Deferred[Verdict]:
        """
        Begin a check.
        """
        check = makeCheck(HealthCheck(kind, options=options), self.tools)
        return check.check(target or self.target())

    def watcher(self) -> Any:
        """
        What watches the checks' connections.
        """
        return self.sockets.watcher

    async def found(
        self, kind: str, answer: bytes, options: Mapping[str, object], *, close: bool = True
    ) -> Verdict:
        """
        What a check finds where the host gives this answer.

        @param close: whether the host closes behind it.
        """
        running = self.begin(kind, options)
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        if kind == "http":
            await until(reactor, lambda: _read(stream, b"\r\n\r\n"), "the request")
        await stream.writeAll(answer)
        if close:
            stream.finish()
        return await running


def _read(stream: Stream, wanted: bytes) -> bool:
    stream.read()
    return wanted in stream.received


class HTTPTests(Playing):
    """
    C{http}.
    """

    async def check(self, answer: bytes, passed: bool, detail: str, **options: object) -> None:
        """
        Check once.
        """
        verdict = await self.found("http", answer, options)
        self.assertEqual((verdict.passed, verdict.detail), (passed, detail))

    async def test_statuses(self) -> None:
        for status, passed in ((200, True), (399, True), (400, False), (503, False)):
            answer = b"HTTP/1.1 %d X\r\n\r\n" % status
            expected = "" if passed else ", expected 200-399"
            await self.check(answer, passed, f"HTTP {status}{expected}")
        await self.check(b"HTTP/1.0 204\r\n\r\n", True, "HTTP 204", status="204,301-302")
        await self.check(
            b"HTTP/1.0 200 OK\r\n\r\n",
            False,
            "HTTP 200, expected 204,301-302",
            status="204,301-302",
        )

    async def test_interim(self) -> None:
        """
        What comes before the answer is not the answer.
        """
        early = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        await self.check(early + b"HTTP/1.1 200 OK\r\n\r\n", True, "HTTP 200")
        await self.check(early * 9, False, "more than 5 interim answers")

    async def test_noHTTP(self) -> None:
        await self.check(
            b"SSH-2.0-OpenSSH\r\n", False, r"the answer is no HTTP: 'SSH-2.0-OpenSSH\r\n'"
        )
        await self.check(
            b"HTTP/1.1 abc\r\n\r\n", False, r"the answer is no HTTP: 'HTTP/1.1 abc\r\n\r\n'"
        )
        await self.check(b"HTTP/1.1 200", False, "closed after 'HTTP/1.1 200'")
        await self.check(b"", False, "closed without an answer")

    async def test_longHead(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000
        await self.check(answer, False, "the head of the answer has more than 16384 bytes")

    async def test_body(self) -> None:
        head = b"HTTP/1.1 200 OK\r\n"
        for body, there in (
            (b"\r\nall is fine", True),
            (b"\r\nall is lost", False),
            (b"Content-Length: 3\r\n\r\nall is fine", False),
            (b"Content-Length: 11\r\n\r\nall is fine", True),
            (b"Transfer-Encoding: chunked\r\n\r\n9\r\nall is fi\r\n2;x=y\r\nne\r\n0\r\n\r\n", True),
            (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nfine", False),
            (b"Transfer-Encoding:chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n", True),
            (
                b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000 + b"4\r\nfine\r\n",
                False,
            ),
            (b"\r\n" + b"x" * 100_000 + b"fine", False),
        ):
            detail = "HTTP 200" if there else "HTTP 200, but 'fine' is not in it"
            await self.check(head + body, there, detail, contains="fine")

    async def test_bareLF(self) -> None:
        """
        Lines may end with LF alone (RFC 9112, section 2.2), as small servers do.
        """
        await self.check(b"HTTP/1.0 200 OK\n\nall is fine", True, "HTTP 200", contains="fine")

    async def test_wrongChunk(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfine\n"
        detail = "a chunk of the answer has no length: 'fine'"
        await self.check(answer, False, detail, contains="fine")
        await self.check(answer, False, detail)

    async def test_overBounds(self) -> None:
        """
        A text that arrives in two pieces is found.
        """
        running = self.begin("http", {"contains": "fine"})
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await stream.writeAll(b"HTTP/1.1 200 OK\r\n\r\nit is fi")
        for piece in (b"n", b"e"):
            await deferLater(reactor, 0.02, lambda: None)
            await stream.writeAll(piece)
        self.assertEqual((await running).detail, "HTTP 200")

    async def test_keptOpen(self) -> None:
        """
        A host that does not close need not be waited for.
        """
        verdict = await self.found(
            "http",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlost",
            {"contains": "fine"},
            close=False,
        )
        self.assertEqual(verdict.detail, "HTTP 200, but 'fine' is not in it")

    async def test_request(self) -> None:
        running = self.begin("http", {"method": "HEAD", "path": "/h?a=b", "host": "www.example:81"})
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await until(reactor, lambda: _read(stream, b"\r\n\r\n"), "the request")
        self.assertTrue(
            bytes(stream.received).startswith(b"HEAD /h?a=b HTTP/1.1\r\nHost: www.example:81\r\n")
        )
        running.cancel()
        verdict = await running
        self.assertEqual(verdict.detail, "connected, but no answer to HEAD /h?a=b")


class ExpectTests(Playing):
    """
    C{expect}.
    """

    async def test_answers(self) -> None:
        for answer, passed, detail in [
            (b"220 hello\r\n", True, r"the answer is '220 hello\r\n'"),
            (b"421 go away\r\n", False, r"the answer is '421 go away\r\n', expected '220 '"),
            (b"", False, "closed without an answer"),
        ]:
            verdict = await self.found("expect", answer, {"expect": "220 "})
            self.assertEqual((verdict.passed, verdict.detail), (passed, detail))

    async def test_late(self) -> None:
        """
        What came so far is said.
        """
        running = self.begin("expect", {"expect": "220 "})
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await stream.writeAll(b"22")
        (run,) = self.watcher()._calls.values()
        conversation = run.__self__
        await until(reactor, lambda: "22" in conversation._connection.doing, "the beginning")
        running.cancel()
        self.assertEqual((await running).detail, "the answer is '22', expected '220 '")


class AgentTests(Playing):
    """
    C{agent}.
    """

    async def test_answers(self) -> None:
        for answer, passed, detail in [
            (b"up\n", True, "agent: it says up"),
            (b"75% up\n", True, "agent: it says up"),
            (b"down # no disk\n", False, "agent: it says down (no disk)"),
            (b"stopped\r\n", False, "agent: it says stopped"),
            (b"drain\n", None, "agent: it says nothing of the host's health"),
            (b"gibberish\n", None, "agent: it can't be understood: "),
            (b"up", None, "agent: it can't be understood: the line has no end"),
        ]:
            verdict = await self.found("agent", answer, {})
            self.assertIs(verdict.passed, passed)
            self.assertTrue(verdict.detail.startswith(detail), verdict.detail)
            self.assertIsNotNone(verdict.reply)

    async def test_unreachable(self) -> None:
        """
        That the agent is not there says nothing of the host.
        """
        target = self.target()
        self.host.close()
        verdict = await self.begin("agent", {}, target)
        self.assertEqual(verdict, Verdict(None, "agent: connection refused"))


class ResetTests(Playing):
    """
    Hosts that answer and reset before they have read anything, as scripts behind inetd
    do. They were reached, and the answer counts.
    """

    async def found(  # type: ignore[override]  # the host answers at once
        self, kind: str, answer: bytes, options: Mapping[str, object], others: bool = False
    ) -> Verdict:
        """
        What a check finds of a host that resets before the check can go on.

        @param others: whether it has more than one address.
        """
        target = self.target()
        if others:
            target = replace(target, others=(TCPAddress("127.0.0.2", self.host.where[1]),))
        running = self.begin(kind, options, target)
        # It is in the backlog, and no turn of the reactor has been.
        sock, _ = self.host.sock.accept()
        if answer:
            sock.send(answer)
        Stream(reactor, sock).reset()
        return await running

    async def test_answers(self) -> None:
        """
        An answer before the reset counts, with and without something to send.
        """
        for others in (False, True):
            for kind, answer, options, detail in [
                ("tcp", b"", {}, "connected"),
                ("agent", b"up\n", {}, "agent: it says up"),
                ("agent", b"up\n", {"send": "status\\n"}, "agent: it says up"),
                ("expect", b"+OK\n", {"expect": "OK", "send": "PING\\r\\n"}, ""),
                ("http", b"HTTP/1.0 200 OK\r\n\r\n", {}, "HTTP 200"),
            ]:
                verdict = await self.found(kind, answer, options, others)
                self.assertIs(verdict.passed, True, (kind, verdict))
                self.assertIn(detail, verdict.detail)

    async def test_none(self) -> None:
        """
        A reset without an answer is none.
        """
        for kind, options in (("http", {}), ("expect", {"expect": "OK"})):
            verdict = await self.found(kind, b"", options)
            self.assertIs(verdict.passed, False)
            self.assertEqual(verdict.detail, "connection reset")

    async def test_laterWrite(self) -> None:
        """
        So it is if the reset shows in the middle of what the check sends, here behind the
        header.
        """
        running = self.begin("http", {}, self.target(b"PROXY UNKNOWN\r\n"))
        sock, _ = self.host.sock.accept()
        with sock:
            sock.send(b"HTTP/1.0 503 Full\r\n\r\n")
        verdict = await running
        self.assertIs(verdict.passed, False)
        self.assertIn("HTTP 503", verdict.detail)


class TLSTests(Playing):
    """
    C{tls}.
    """

    async def check(self, name: str, options: dict[str, object], **more: bool) -> Verdict:
        """
        Check a host that has a certificate for a name.
        """
        certificates = Certificates(Path(self.mktemp()))
        if options.pop("trust", True):
            options["caFile"] = str(certificates.authority)
        running = self.begin("tls", options)
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        try:
            await certificates.handshake(reactor, stream, name, **more)
        except ssl.SSLError:
            stream.close()
        return await running

    async def test_right(self) -> None:
        verdict = await self.check("host.example", {})
        self.assertEqual(verdict, Verdict(True, "the TLS handshake is done"))

    async def test_asTheHost(self) -> None:
        """
        Another kind of check speaks TLS if the host is configured so.
        """
        certificates = Certificates(Path(self.mktemp()))
        for ca, passed in ((str(certificates.authority), True), (None, False)):
            target = replace(self.target(), name="host.example", tls=HostTLS(ca=ca))
            running = self.begin("tcp", {}, target)
            stream = await self.host.accept()
            self.addCleanup(stream.close)
            with contextlib.suppress(ssl.SSLError):
                await certificates.handshake(reactor, stream, "host.example")
            if not passed:
                stream.close()
            verdict = await running
            self.assertIs(verdict.passed, passed, verdict)

    async def test_wrongName(self) -> None:
        verdict = await self.check("other.example", {})
        self.assertIs(verdict.passed, False)
        self.assertIn("certificate refused: Hostname mismatch", verdict.detail)

    async def test_trailingDot(self) -> None:
        """
        A trailing dot makes a name absolute for look-ups. It is no part of the name
        that is asked for and verified (RFC 6066, section 3); curl passes as well.
        """
        target = replace(self.target(), name="host.example.")
        certificates = Certificates(Path(self.mktemp()))
        running = self.begin("tls", {"caFile": str(certificates.authority)}, target)
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await certificates.handshake(reactor, stream, "host.example")
        self.assertEqual(await running, Verdict(True, "the TLS handshake is done"))
        verdict = await self.check("o.example", {"serverName": "o.example."})
        self.assertTrue(verdict.passed)

    async def test_serverName(self) -> None:
        self.assertTrue((await self.check("o.example", {"serverName": "o.example"})).passed)

    async def test_expired(self) -> None:
        verdict = await self.check("host.example", {}, expired=True)
        self.assertEqual(verdict.detail, "certificate refused: certificate has expired")

    async def test_stranger(self) -> None:
        verdict = await self.check("host.example", {"trust": False})
        self.assertIn("certificate refused: ", verdict.detail)

    async def test_notVerified(self) -> None:
        self.assertTrue((await self.check("other.example", {"verify": False})).passed)

    async def test_noTLS(self) -> None:
        verdict = await self.found("tls", b"220 hello\r\n", {"verify": False})
        self.assertIn("the TLS handshake failed: ", verdict.detail)
        verdict = await self.found("tls", b"", {"verify": False})
        self.assertEqual(verdict.detail, "closed during the TLS handshake")

    async def test_httpOverTLS(self) -> None:
        certificates = Certificates(Path(self.mktemp()))
        running = self.begin("http", {"tls": True, "caFile": str(certificates.authority)})
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        server = await certificates.handshake(reactor, stream, "host.example")
        server.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await stream.writeAll(certificates.outgoing.read())
        self.assertEqual((await running).detail, "HTTP 204")

    def test_badFile(self) -> None:
        path = Path(self.mktemp())
        path.write_text("no certificate", encoding="ascii")
        for wrong in (str(path), "/nowhere"):
            check = HealthCheck("tls", options={"caFile": wrong})
            self.assertRaises(ModelError, makeCheck, check, self.tools)


class UNIXTests(Playing):
    """
    UNIX sockets and IPv6.
    """

    async def test_unix(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        here = os.getcwd()
        os.chdir(folder)
        self.addCleanup(os.chdir, here)
        address = UNIXAddress("s")
        target = Target(("s", "g", "h"), address, "localhost", 5.0)
        self.assertEqual(
            await self.begin("tcp", {}, target), Verdict(False, "there is no such socket")
        )
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind("s")
        listener.listen(0)
        self.assertEqual(await self.begin("tcp", {}, target), Verdict(True, "connected"))
        fillers = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for filler in fillers:
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex("s")
        self.assertEqual(await self.begin("tcp", {}, target), Verdict(False, "its backlog is full"))

    async def test_ipv6(self) -> None:
        listener = socket.socket(socket.AF_INET6)
        self.addCleanup(listener.close)
        listener.bind(("::1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        target = Target(("s", "g", "h"), TCPAddress("::1", port), "::1", 5.0)
        self.assertEqual(await self.begin("tcp", {}, target), Verdict(True, "connected"))
        running = self.begin("http", {}, target)
        await until(reactor, lambda: not running.called, "the check")
        listener.settimeout(5)
        listener.accept()[0].close()
        listener.accept()[0].close()
        running.cancel()
        await running


class ScriptTests(Playing):
    """
    C{script}.
    """

    def script(self, text: str) -> dict[str, object]:
        """
        The options for a program of the shell.
        """
        path = Path(self.mktemp()).resolve()
        path.write_text(text, encoding="ascii")
        return {"program": "/bin/sh", "arguments": str(path)}

    async def test_answers(self) -> None:
        for text, passed, detail in [
            ("exit 0", True, "exit status 0"),
            ("echo fine; echo more", True, "exit status 0: fine"),
            ("echo no disk >&2; exit 2", False, "exit status 2: no disk"),
            ("printf '\\033[31m'; exit 1", False, r"exit status 1: \x1b[31m"),
            ("kill -9 $$", False, "ended by SIGKILL"),
        ]:
            verdict = await self.begin("script", self.script(text))
            self.assertEqual((verdict.passed, verdict.detail), (passed, detail))

    async def test_environment(self) -> None:
        self.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": "/run/s", "MINE": "mine"})
        text = "echo $TXLB_HOST $TXLB_PORT $TXLB_SERVICE/$TXLB_GROUP/$TXLB_NAME $TXLB_TIMEOUT"
        text += " $MINE $NOTIFY_SOCKET"
        options = self.script(text)
        verdict = await self.begin("script", options)
        self.assertEqual(
            verdict.detail, f"exit status 0: 127.0.0.1 {self.host.where[1]} s/g/h 5 mine"
        )
        target = Target(("s", "g", "h"), UNIXAddress("/run/s"), "localhost", 0.5)
        verdict = await self.begin("script", options, target)
        self.assertEqual(verdict.detail, "exit status 0: unix:/run/s 0 s/g/h 0.5 mine")

    async def test_muchOutput(self) -> None:
        """
        A program that says more than a pipe holds does not wait for us.
        """
        options = self.script("yes | head -c 1000000; exit 3")
        self.assertEqual((await self.begin("script", options)).detail, "exit status 3: y")

    async def test_killed(self) -> None:
        """
        It is killed with all that it has started.
        """
        path = Path(self.mktemp()).resolve()
        options = self.script(f"sleep 1000 & echo $! > {path}; wait")
        running = self.begin("script", options)
        await until(reactor, lambda: path.exists() and path.read_text() != "", "the program")
        pid = int(path.read_text())
        running.cancel()
        self.assertEqual(await running, Verdict(False, "the program did not end"))
        await until(reactor, lambda: not _alive(pid), "the end of the child")

    async def test_leftBehind(self) -> None:
        """
        A program that ends is over, whoever has its output still.
        """
        path = Path(self.mktemp()).resolve()
        options = self.script(f"sleep 1000 & echo $! > {path}; echo done")
        verdict = await self.begin("script", options)
        self.assertEqual(verdict.detail, "exit status 0: done")
        pid = int(path.read_text())
        await until(reactor, lambda: not _alive(pid), "the end of the child")

    async def test_missing(self) -> None:
        """
        That it can't be run is no fault of the host's.
        """
        verdict = await self.begin("script", {"program": "/nowhere"})
        self.assertIsNone(verdict.passed)
        self.assertIn("/nowhere can't be run: No such file", verdict.detail)

    async def test_withoutDescriptorsOfProcesses(self) -> None:
        """
        Where the system has none, it is looked for again and again.
        """
        if hasattr(os, "pidfd_open"):
            self.patch(os, "pidfd_open", _notThere)
        self.patch(_script, "LOOK", 0.01)
        options = self.script("sleep 0.05; exit 4")
        self.assertEqual((await self.begin("script", options)).detail, "exit status 4")
        running = self.begin("script", self.script("sleep 1000"))
        running.cancel()
        self.assertEqual((await running).detail, "the program did not end")


def _notThere(_pid: int) -> int:
    raise OSError(errno.ENOSYS, "there is no such thing")


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _give(answer: object, _target: Target) -> object:
    return answer


class PythonTests(Playing):
    """
    C{python}.
    """

    async def check(self, call: object) -> Verdict:
        """
        Check with a function.
        """
        return await self.begin("python", {"call": call})

    async def test_answers(self) -> None:
        well = Verdict(None, "who knows")
        for answer, passed, detail in [
            (True, True, "it returned True"),
            (False, False, "it returned False"),
            ((False, "out of paper"), False, "out of paper"),
            (well, None, "who knows"),
            (None, False, "it returned None, neither True nor False"),
            (1, False, "it returned 1, neither True nor False"),
        ]:
            verdict = await self.check(functools.partial(_give, answer))
            self.assertEqual((verdict.passed, verdict.detail), (passed, detail))

    async def test_raises(self) -> None:
        def call(_target: Target) -> bool:
            raise ZeroDivisionError("what it says")

        verdict = await self.check(call)
        self.assertEqual(verdict, Verdict(False, "ZeroDivisionError: what it says"))

    async def test_cancelled(self) -> None:
        waiting: Deferred[bool] = Deferred()
        running = self.begin("python", {"call": functools.partial(_give, waiting)})
        running.cancel()
        self.assertTrue(waiting.called)
        self.assertEqual(await running, Verdict(False, "no answer"))


class WatcherTests(TestCase):
    """
    The reactor's own way to watch does the same.
    """

    async def test_reactor(self) -> None:
        deadlines = Deadlines(reactor, time.monotonic)
        self.addCleanup(deadlines.stop)
        sockets = Sockets(reactor, ReactorWatcher(reactor))
        self.addCleanup(sockets.stop)
        tools = Tools(reactor, deadlines, sockets)
        host = FarHost(reactor)
        self.addCleanup(host.close)
        target = Target(("s", "g", "h"), TCPAddress(*host.where), "127.0.0.1", 5.0)
        check = makeCheck(HealthCheck("expect", options={"send": "a", "expect": "b"}), tools)
        running = check.check(target)
        sockets.look()
        stream = await host.accept()
        self.addCleanup(stream.close)
        await stream.expect(b"a")
        await stream.writeAll(b"b")
        self.assertTrue((await running).passed)
        host.close()
        self.assertEqual((await check.check(target)).detail, "connection refused")
        script = makeCheck(
            HealthCheck("script", options={"program": sys.executable, "arguments": "-S -c pass"}),
            tools,
        )
        self.assertTrue((await script.check(target)).passed)

    def test_choice(self) -> None:
        self.assertIsInstance(Sockets(reactor).watcher, EpollWatcher)
        self.patch(_sockets, "select", object())
        self.assertIsInstance(Sockets(reactor).watcher, ReactorWatcher)

    def test_otherOnesNumber(self) -> None:
        """
        A descriptor that was closed in a turn and is another's by now is not told
        of what had happened to the first.
        """
        watcher = EpollWatcher(reactor)
        self.addCleanup(watcher.stop)
        pairs = [socket.socketpair() for _ in range(2)]
        for pair in pairs:
            for sock in pair:
                self.addCleanup(sock.close)
            pair[1].send(b"x")
        said: list[str] = []

        def first(word: str, other: int) -> None:
            said.append(word)
            if len(said) == 1:
                watcher.forget(other)
                watcher.watch(other, 1, lambda: said.append("new"))

        fds = [pair[0].fileno() for pair in pairs]
        for fd, other in ((fds[0], fds[1]), (fds[1], fds[0])):
            watcher.watch(fd, 1, functools.partial(first, str(fd), other))
        watcher.doRead()
        self.assertEqual(len(said), 1)
        watcher.doRead()
        self.assertEqual(len(said), 3)
        self.assertIn("new", said)


class StaleTests(SynchronousTestCase):
    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of its descriptor change nothing: the
        reactor watches the epoll until it is stopped.
        """
        for kind in BY_NUMBER:
            turned = kind()
            self.addCleanup(turned.close)
            watcher: Any = EpollWatcher(turned)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                called: list[None] = []
                watcher.watch(ours.fileno(), READ, lambda found=called: found.append(None))
                turned.tellOfFormer(watcher)
                theirs.send(b"x")
                self.assertTrue(turned.turnUntil(lambda found=called: bool(found)))
                watcher.forget(ours.fileno())
            watcher.stop()
            watcher.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(set(turned.getReaders()), turned._internalReaders)

    def test_eventOfAnotherWithoutEpoll(self) -> None:
        """
        The same for a check whose socket the reactor watches itself: it goes on.
        """
        for kind in BY_NUMBER:
            turned = kind()
            self.addCleanup(turned.close)
            watcher = ReactorWatcher(turned)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                heard: list[bytes] = []

                def call(ours: socket.socket = ours, heard: list[bytes] = heard) -> None:
                    with contextlib.suppress(BlockingIOError):
                        heard.append(ours.recv(1, socket.MSG_DONTWAIT))

                watcher.watch(ours.fileno(), READ, call)
                [descriptor] = set(turned.getReaders()) - turned._internalReaders
                turned.tellOfFormer(descriptor)
                theirs.send(b"x")
                self.assertTrue(turned.turnUntil(lambda found=heard: bool(found)))
                watcher.stop()
                descriptor.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(heard, [b"x"])
            self.assertEqual(set(turned.getReaders()), turned._internalReaders)


class VerdictTests(SynchronousTestCase):
    """
    What errors of the system say.
    """

    def test_errors(self) -> None:
        for number, passed, detail in [
            (errno.ECONNREFUSED, False, "connection refused"),
            (errno.EHOSTUNREACH, False, "no route to the host"),
            (errno.ELOOP, False, os.strerror(errno.ELOOP).lower()),
            (errno.ENETUNREACH, False, "no IPv4 route to it"),
            (errno.EACCES, False, "a firewall or route of this machine forbids it"),
            (errno.EAGAIN, False, "its backlog is full"),
            (errno.EMFILE, None, "the balancer itself can't check: this process has no desc"),
            (errno.EADDRINUSE, None, "the balancer itself can't check: the local ports towards"),
        ]:
            verdict = verdictOf(OSError(number, os.strerror(number)), TCPAddress("192.0.2.1", 80))
            self.assertIs(verdict.passed, passed)
            self.assertTrue(verdict.detail.startswith(detail), verdict.detail)

    def test_noNumber(self) -> None:
        """
        An error without a number says what it says.
        """
        self.assertEqual(verdictOf(OSError("odd")), Verdict(False, "odd"))

    def test_tls(self) -> None:
        error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
        self.assertIn("TLS failed: ", verdictOf(error).detail)

    def test_closedLine(self) -> None:
        line = CheckConnection(TCPAddress("127.0.0.1", 1))
        self.assertEqual(line.fileno(), -1)
        self.assertRaises(ValueError, line.resetAtEnd)
        line.close()

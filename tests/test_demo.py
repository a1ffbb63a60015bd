"""
Tests for L{txlb.demo}.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Generator
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.test.requesthelper import DummyRequest

from benchmarks.ports import ports
from txlb import demo
from txlb.application import Daemon
from txlb.application._daemon import SIGNALS
from txlb.cli import _where
from txlb.cli._where import findSocket
from txlb.cloning import Role, whoAmI
from txlb.errors import ListenError, TxlbError
from txlb.model import TCPAddress


class NextFreeTests(SynchronousTestCase):
    def make(self, free: int) -> int:
        """
        @return: on which port something was made, where all below one are taken.
        """
        self.tried: list[int] = []

        def make(port: int) -> int:
            self.tried.append(port)
            if port < free:
                raise ListenError(f"127.0.0.1:{port}", "taken")
            return port

        return demo.nextFree(8080, make)

    def test_first(self) -> None:
        """
        Where the first port is free that is the one.
        """
        self.assertEqual(self.make(8080), 8080)
        self.assertEqual(self.tried, [8080])

    def test_next(self) -> None:
        """
        Where it is taken the next ones are tried, each once.
        """
        self.assertEqual(self.make(8083), 8083)
        self.assertEqual(self.tried, [8080, 8081, 8082, 8083])
        self.assertEqual(self.make(8179), 8179)

    def test_none(self) -> None:
        """
        After a hundred it ends with the error of the last one.
        """
        error = self.assertRaises(ListenError, self.make, 9000)
        self.assertIn("8179", str(error))
        self.assertEqual(len(self.tried), 100)


class GreetingTests(SynchronousTestCase):
    def test_text(self) -> None:
        """
        A host says its name, as text.
        """
        request: Any = DummyRequest([b""])
        greeting = demo.Greeting("host7")
        self.assertEqual(greeting.render_GET(request), b"Hello from host7\n")
        self.assertEqual(
            request.responseHeaders.getRawHeaders(b"content-type"), [b"text/plain; charset=utf-8"]
        )


class ClonesDemoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.port = ports.take()
        self.patch(demo, "WEB_PORT", self.port)
        self.state = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, self.state)
        self.environ: dict[str, str] = {}
        self.output = io.StringIO()

    def make(self, output: io.StringIO | None = None) -> demo.ClonesDemo:
        return demo.ClonesDemo(self.state, output or self.output, self.environ)

    def test_first(self) -> None:
        """
        The first process finds a port, and prints commands to try.
        """
        made = self.make()
        self.assertEqual(self.environ, {"TXLB_DEMO_PORT": str(made.port)})
        self.patch(MultiService, "startService", lambda _: None)
        made.startService()
        text = self.output.getvalue()
        self.assertEqual(text, made.explanation())
        pid = os.path.join(self.state, "demo", f"clones-{made.port}", "pid")
        self.assertEqual(made.folder, os.path.dirname(pid))
        for words in (
            f"curl -s http://127.0.0.1:{made.port}/;",
            f"kill -HUP $(cat {pid})\n",
            f"kill -9 $(cat {pid})\n",
            f"kill $(cat {pid})\n",
        ):
            self.assertIn(words, text)

    def test_others(self) -> None:
        """
        Those that it starts have its port and folder, and print nothing.
        """
        first = self.make()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", first.port))
            taken.listen()
            clone = self.make()
        self.assertEqual((clone.port, clone.folder), (first.port, first.folder))
        self.patch(MultiService, "startService", lambda _: None)
        clone.startService()
        self.assertEqual(self.output.getvalue(), "")

    def test_second(self) -> None:
        """
        A second demo beside the first has a port and a folder of its own.
        """
        first = self.make()
        self.environ.clear()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", first.port))
            taken.listen()
            second = self.make()
        self.assertNotEqual(second.port, first.port)
        self.assertNotEqual(second.folder, first.folder)

    def test_closed(self) -> None:
        """
        It runs if standard output takes nothing.
        """

        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError

        self.patch(MultiService, "startService", lambda _: None)
        self.make(Full()).startService()
        self.environ.clear()
        self.patch(sys, "stdout", None)
        demo.ClonesDemo(self.state, None, self.environ).startService()

    def test_page(self) -> None:
        # Other tests of this process may have been a manager.
        self.patch(whoAmI(), "role", Role.ALONE)
        request: Any = DummyRequest([b""])
        page = demo.CloneGreeting().render_GET(request)
        self.assertEqual(page, b"Hello from alone, process %d\n" % os.getpid())


class DemoTests(TestCase):
    def setUp(self) -> None:
        for number in SIGNALS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        # Whoever runs these tests may have a demo running, or their own web.
        self.patch(demo, "WEB_PORT", ports.take())
        self.patch(demo, "SSH_PORT", ports.take())
        self.patch(demo, "CONSOLE_PORT", ports.take())
        self.output = io.StringIO()
        # With a path that is short enough for sockets.
        self.state = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, self.state)

    def make(self, reactor: Any = None) -> demo.Demo:
        made = demo.Demo(self.state, self.output, reactor)
        self.addCleanup(made.stopService)
        return made

    def get(self, port: int) -> Deferred[bytes]:
        """
        @return: fires with what a web client of the balancer gets.
        """

        def request() -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while piece := client.recv(4096):
                    answer += piece
                return answer

        return deferToThread(request)

    def test_noUpgrade(self) -> None:
        """
        It is not upgraded, as its hosts would end with its process, and says so.
        """
        error = self.assertRaises(TxlbError, self.make().balancer.checkUpgrade)
        self.assertIn("has its hosts in its own process", str(error))

    def test_explanation(self) -> None:
        """
        What it says to try has the addresses that it really has, and the
        password, and each demo has another one.
        """
        made = self.make()
        text = made.explanation()
        [web] = made.balancer.getProxyService("web").addresses
        [ssh] = made.manhole.addresses
        [console] = made.console.addresses
        assert isinstance(web, TCPAddress)
        assert isinstance(ssh, TCPAddress)
        hosts = [web.host, ssh.host, console.host]
        self.assertEqual(hosts, ["127.0.0.1"] * 3)
        for words in (
            f"curl -s http://{web}/",
            f"ssh -p {ssh.port} admin@127.0.0.1",
            f"with the password {made.password}\n",
            f"as the user demo, password {made.consolePassword}\n       http://{console}/\n",
            "status()",
            "manager.delHost('web', 'demo', 'host2')",
            f"services.switchPort('web', {web.port + 1000})",
        ):
            self.assertIn(words, text)
        other = self.make()
        passwords = {made.password, made.consolePassword, other.password, other.consolePassword}
        self.assertEqual(len(passwords), 4)
        self.assertGreaterEqual(min(map(len, passwords)), 12)

    def test_shell(self) -> None:
        """
        The commands for the shell name the control socket where C{txlb} does not find
        it by itself, and they name the program where the shell does not.
        """
        environ = {"XDG_STATE_HOME": "/nowhere", "STATE_DIRECTORY": self.state}
        self.patch(os, "environ", environ)
        here = os.path.dirname(sys.executable)
        made = self.make()
        program = os.path.join(here, "txlb")
        if not os.path.exists(program):
            program = "txlb"
        for word in ("status", "top"):
            command = f"       {program} {word} -s {made.control.path}\n"
            self.assertIn(command, made.explanation())
        self.patch(shutil, "which", lambda _: os.path.join(here, "txlb"))
        self.patch(demo, "findSocket", lambda *_: made.control.path)
        self.assertIn("\n       txlb status\n       txlb top\n", made.explanation())

    def test_findable(self) -> None:
        """
        C{txlb} finds the control socket of the first demo by itself.
        """
        self.patch(_where, "SYSTEM_SOCKET", os.path.join(self.state, "none"))
        made = self.make()
        asked = argparse.Namespace(socket=None, config=None)
        self.assertEqual(findSocket(asked, {"STATE_DIRECTORY": self.state}), made.control.path)
        second = self.make()
        self.assertNotEqual(second.control.path, made.control.path)
        self.assertEqual(findSocket(asked, {"STATE_DIRECTORY": self.state}), made.control.path)

    def test_deepFolder(self) -> None:
        """
        Where the path of a socket would be too long it is in a folder for that time.
        """
        self.state = os.path.join(self.state, "x" * 100)
        made = self.make()
        folder = os.path.dirname(os.path.dirname(made.control.path))
        self.assertTrue(os.path.exists(made.control.path))
        self.assertFalse(folder.startswith(self.state))
        made.stopService()
        self.assertFalse(os.path.exists(folder))

    def test_closed(self) -> None:
        """
        The demo runs if standard output is closed, or takes nothing.
        """

        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError

        for output in (None, Full()):
            self.patch(sys, "stdout", output)
            made = demo.Demo(self.state, output, MemoryReactorClock())
            self.patch(Daemon, "startService", lambda _: None)
            made.startService()
            made.stopService()

    def test_secondOne(self) -> None:
        """
        A second demo beside the first one finds ports of its own.
        """
        first, second = self.make(), self.make()
        addresses = [
            address
            for each in (first, second)
            for address in (
                *each.balancer.getProxyService("web").addresses,
                *each.manhole.addresses,
                *each.console.addresses,
            )
        ]
        self.assertEqual(len(set(addresses)), 6)

    def test_whatToTry(self) -> None:
        """
        What it suggests names what there is: a host that can be deleted.
        """
        made = self.make()
        names = [host.name for host in made.balancer.manager.getPool("web", "demo").hosts]
        self.assertEqual(names, ["host1", "host2", "host3"])
        made.balancer.manager.delHost("web", "demo", "host2")
        self.assertEqual(made.balancer.manager.getPool("web").readyCount, 2)

    @inlineCallbacks
    def test_serves(self) -> Generator[Deferred[Any], Any, None]:
        """
        Started, it has said what to try, and the hosts take turns behind its
        one address. Stopped, it is gone.
        """
        made = self.make(reactor)
        made.privilegedStartService()
        made.startService()
        self.assertEqual(self.output.getvalue(), made.explanation())
        [web] = made.balancer.getProxyService("web").addresses
        assert isinstance(web, TCPAddress)
        answers = set()
        for _ in range(6):
            answer = yield self.get(web.port)
            answers.add(answer.rpartition(b"\r\n\r\n")[2])
        self.assertEqual(
            answers, {b"Hello from host1\n", b"Hello from host2\n", b"Hello from host3\n"}
        )
        yield made.stopService()
        with self.assertRaises(ConnectionRefusedError):
            yield self.get(web.port)

    @inlineCallbacks
    def test_hostGlobalReactor(self) -> Generator[Deferred[Any], Any, None]:
        """
        A host without a reactor of its own takes the global one when it starts.
        """
        host = demo.DemoHost("host9")
        self.assertIsNone(host._reactor)
        host.startService()
        self.assertIs(host._reactor, reactor)
        answer = yield self.get(host.proxyHost.port)
        self.assertIn(b"Hello from host9", answer)
        yield host.stopService()

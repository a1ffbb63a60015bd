"""
The control socket of a balancer in a process of its own, and C{txlb} over it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from twisted.protocols import amp
from twisted.trial.unittest import SkipTest

from tests.integration.support import (
    IntegrationTestCase,
    Program,
    bodyOf,
    connect,
    environment,
    freePorts,
    manyDescriptors,
    residentBytes,
    server,
    sites,
    waitUntil,
)

#: Connections of which each asks who it is.
CONNECTIONS = 1000

CONFIG = """<config>
  <service name="web" relay="{relay}">
    <listen ip="127.0.0.1:{web}"/>
    <group name="prod" scheduler="roundr" enable="yes">
      <host name="h1" ip="127.0.0.1:{h1}"/>
      <host name="h2" ip="127.0.0.1:{h2}"/>
    </group>
  </service>
  <control socket="{control}"/>
</config>
"""


#: Says which of the large libraries a command has loaded.
LOADED = """
import sys
from txlb.cli import main
main(["status"])
print([name for name in sys.modules if name.partition(".")[0] in {"twisted", "lxml"}])
"""


class ControlTestCase(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.web, self.h1, self.h2 = freePorts(3)
        self.control = self.shortFolder() / "run" / "control"

    def balancer(self, relay: str = "auto") -> Program:
        return self.startTxlb(
            CONFIG.format(relay=relay, web=self.web, h1=self.h1, h2=self.h2, control=self.control)
        )

    def txlb(self, *words: str, status: int = 0, before: tuple[str, ...] = ()) -> str:
        """
        Run C{txlb}.

        @return: what it says, on either way.
        """
        done = subprocess.run(
            [*before, sys.executable, "-m", "txlb", *words],
            cwd=self.folder,
            env=environment(TXLB_SOCKET=str(self.control)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def door(self) -> socket.socket:
        """
        A connection to the control socket.
        """
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(20)
        client.connect(str(self.control))
        return client


class ClientAddressTests(ControlTestCase):
    def ask(self, relay: str) -> None:
        self.addCleanup(manyDescriptors(3 * CONNECTIONS + 200))
        balancer = self.balancer(relay)
        hosts = [
            self.start(
                sys.executable,
                Path(__file__).parents[2] / "examples" / "who_asks.py",
                str(port),
                self.control,
            )
            for port in (self.h1, self.h2)
        ]
        for host in hosts:
            host.waitFor("serving on port")
        clients = []
        question = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        began = time.monotonic()
        for _ in range(CONNECTIONS):
            client = connect(self.web)
            self.addCleanup(client.close)
            client.sendall(question)
            clients.append(client)
        for _ in range(2):
            # The second time each is asked again, while all are open.
            for client in clients:
                host, port = client.getsockname()
                answer = b""
                expected = f"you are {host} port {port}\n".encode()
                while not answer.endswith(b"\n") or b"\r\n\r\n" not in answer[:-1]:
                    data = client.recv(4096)
                    self.assertTrue(data, answer)
                    answer += data
                self.assertTrue(answer.endswith(expected), (answer, expected))
                client.sendall(question)
        took = time.monotonic() - began
        self.show(
            f"{relay}: {2 * CONNECTIONS} answers over {CONNECTIONS} connections, all right, "
            f"in {took:.2f} s; {residentBytes(balancer.process.pid) >> 20} MiB"
        )
        for client in clients:
            client.close()

    def test_fast(self) -> None:
        """
        Hosts that ask about each of 1,000 connections get the right client each time.
        """
        self.ask("fast")

    def test_portable(self) -> None:
        """
        By the portable relay too.
        """
        self.ask("portable")

    def test_gone(self) -> None:
        """
        A connection that is over is not known any more.
        """
        self.balancer()
        with socket.create_server(("127.0.0.1", self.h1)) as listener:
            listener.settimeout(20)
            client = connect(self.web)
            self.addCleanup(client.close)
            far, (host, port) = listener.accept()
            expected = "{}:{}\n".format(*client.getsockname())
            words = ("client-address", str(host), str(port), "--at", f"127.0.0.1:{self.h1}")
            self.assertEqual(self.txlb(*words), expected)
            far.close()
            client.close()
            self.assertIn("no connection to a host comes from", self.txlb(*words, status=1))


class StrangersTests(ControlTestCase):
    needed = ("runuser",)

    def test_otherUser(self) -> None:
        """
        Another user can't connect, neither as the socket is made nor where its mode
        and its folder would let them.
        """
        if os.getuid():
            raise SkipTest("it takes root to be another user")
        balancer = self.balancer()
        script = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(20); "
            "s.connect(sys.argv[1]); "
            "s.sendall(b'\\0\\x08_command\\0\\x06Status\\0\\x04_ask\\0\\x011\\0\\0'); "
            "print(len(s.recv(1000)))"
        )

        def asNobody() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["runuser", "-u", "nobody", "--", "/usr/bin/python3", "-c", script, self.control],
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
                text=True,
                check=False,
            )

        done = asNobody()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("PermissionError", done.stdout)
        for path, mode in (
            (self.control.parent.parent, 0o755),
            (self.control.parent, 0o755),
            (self.control, 0o666),
        ):
            path.chmod(mode)
        done = asNobody()
        self.assertRegex(done.stdout, "^0\n$|ConnectionReset|BrokenPipe")
        balancer.waitFor(r"uid:\d+ \(nobody\) was refused")
        self.assertIn("service web", self.txlb("status"))


class RudeTests(ControlTestCase):
    def test_rude(self) -> None:
        """
        Garbage, requests without an end and a thousand who say nothing disturb
        nobody: the balancer balances, and answers those who ask.
        """
        self.addCleanup(manyDescriptors(3000))
        balancer = self.balancer()
        sites(self, server(self.h1, "h1"), server(self.h2, "h2"))
        for _ in range(2):
            bodyOf(self.web)
        before = residentBytes(balancer.process.pid)
        patient = self.door()
        idle = [self.door() for _ in range(1000)]

        for rubbish in (b"GET / HTTP/1.0\r\n\r\n" * 10_000, b"\xff" * 1_000_000, b"\0\0"):
            rude = self.door()
            try:
                rude.sendall(rubbish)
                self.assertEqual(rude.recv(100), b"")
            except (ConnectionResetError, BrokenPipeError):
                pass
        endless = self.door()
        sent = 0
        pair = b"\0\x01k\xff\xff" + b"v" * 65_535
        try:
            for _ in range(1000):
                endless.sendall(pair)
                sent += len(pair)
        except (ConnectionResetError, BrokenPipeError):
            pass
        self.assertLess(sent, 10 << 20)

        # One who asks without end and reads nothing.
        deaf = self.door()
        deaf.setblocking(False)
        status = amp.Box({amp.COMMAND: b"Status", amp.ASK: b"1"}).serialize()
        asked = 0
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                asked += deaf.send(status * 1000)
            except BlockingIOError:
                break
        self.assertLess(asked, 10 << 20)

        worst = 0.0
        for _ in range(200):
            began = time.monotonic()
            self.assertIn(bodyOf(self.web), {b"h1\n", b"h2\n"})
            worst = max(worst, time.monotonic() - began)
        began = time.monotonic()
        self.assertEqual(json.loads(self.txlb("status", "--json"))["services"][0]["accepted"], 202)
        took = time.monotonic() - began
        grown = residentBytes(balancer.process.pid) - before
        self.show(
            f"1,000 idle, garbage, an endless request, a deaf client: 200 requests, the slowest "
            f"{worst * 1000:.1f} ms; txlb status {took:.2f} s; {grown >> 10} KiB more"
        )
        self.assertLess(grown, 40 << 20)
        self.assertLess(len(os.listdir(f"/proc/{balancer.process.pid}/fd")), 400)
        # Those who have been silent for longest have made room.
        self.assertEqual(idle[0].recv(1), b"")
        idle[-1].setblocking(False)
        self.assertRaises(BlockingIOError, idle[-1].recv, 1)
        self.assertEqual(patient.recv(1), b"")


class SocketTests(ControlTestCase):
    def test_stale(self) -> None:
        """
        The socket of a balancer that was killed is replaced by the next one; that of
        one that lives is not.
        """
        first = self.balancer()
        second = self.write(
            "second.xml",
            CONFIG.format(
                relay="auto", web=freePorts(1)[0], h1=self.h1, h2=self.h2, control=self.control
            ),
        )
        refused = self.start(
            sys.executable, "-c", "from twisted.scripts.twistd import run; run()",
            "--pidfile=", "-n", "txlb", "-c", second,
        )  # fmt: skip
        refused.waitFor(r"second\.xml:9: can't listen on unix:.*in use by another listener")
        self.assertEqual(refused.process.wait(60), 1)
        self.assertIn("service web", self.txlb("status"))
        first.process.kill()
        first.process.wait()
        self.assertTrue(self.control.exists())
        self.assertIn("no process listens there any more", self.txlb("status", status=3))
        self.startTxlb(second.read_text("utf-8"), name="second.xml")
        self.assertIn("service web", self.txlb("status"))

    def test_stopped(self) -> None:
        """
        It answers until the last connection has ended, and is gone then.
        """
        program = self.balancer()
        self.assertEqual(self.control.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.control.parent.stat().st_mode & 0o777, 0o700)
        with socket.create_server(("127.0.0.1", self.h1)) as listener:
            listener.settimeout(20)
            client = connect(self.web)
            far, _ = listener.accept()
            program.process.terminate()
            program.waitFor("waiting 10 s for 1 connections")
            self.assertIn("service web: 1 active", self.txlb("status"))
            far.close()
            client.close()
            self.assertEqual(program.process.wait(60), 0)
        self.assertFalse(self.control.exists())


class CommandLineTests(ControlTestCase):
    def test_change(self) -> None:
        """
        What is changed is so at once, is in the log with who has changed it, and can be
        read afterwards.
        """
        program = self.balancer()
        sites(self, server(self.h1, "h1"), server(self.h2, "h2"))
        self.assertEqual({bodyOf(self.web) for _ in range(6)}, {b"h1\n", b"h2\n"})
        said = self.txlb("weight", "web/prod/h1", "0")
        self.assertRegex(said, r"^host-weight web/prod/h1: weight 1 -> 0, by uid:\d+ \(\w+\)\n$")
        self.assertEqual({bodyOf(self.web) for _ in range(6)}, {b"h2\n"})
        program.waitFor(r"uid:\d+ \(\w+\): setWeight service=web group=prod host=h1 weight=0")
        self.assertIn("weight 1 -> 0", self.txlb("events"))
        self.txlb("switch-port", "web", str(port := freePorts(1)[0]))
        self.assertEqual(bodyOf(port), b"h2\n")
        self.assertIn("no host of group 'prod'", self.txlb("weight", "web/prod/h9", "1", status=1))
        self.txlb("weight", "web/prod", "1", status=2)
        self.assertIn("host web/prod/h1: weight 1 -> 0", self.txlb("status"))

    def test_states(self) -> None:
        """
        A host is drained, and what is left is reset at its deadline; it comes back, and
        one that is removed by force loses its connections at once.
        """
        self.balancer()
        with socket.create_server(("127.0.0.1", self.h1)) as listener:
            listener.settimeout(20)
            first = connect(self.web)
            self.addCleanup(first.close)
            far, _ = listener.accept()
            self.addCleanup(far.close)
            self.txlb("drain", "web/prod/h1", "--deadline", "0.5")
            self.assertRaises(ConnectionResetError, first.recv, 1)
            self.assertIn("maintenance", self.txlb("maintenance", "web/prod/h1"))
            self.txlb("ready", "web/prod/h1")
            self.txlb("weight", "web/prod/h2", "0")
            second = connect(self.web)
            self.addCleanup(second.close)
            far, _ = listener.accept()
            self.addCleanup(far.close)
            self.assertIn("host-removed", self.txlb("remove", "web/prod/h1", "--force"))
            self.assertRaises(ConnectionResetError, second.recv, 1)

    def test_file(self) -> None:
        """
        What was changed live is saved, and what was changed in the file is loaded: each
        as C{diff} has said.
        """
        self.balancer()
        path = self.folder / "config.xml"
        self.txlb("weight", "web/prod/h1", "5")
        self.assertEqual(self.txlb("diff"), "changed live: host web/prod/h1: weight 1 -> 5\n")
        self.assertIn("was saved; what it was before is", self.txlb("save"))
        self.assertIn('weight="5"', path.read_text("utf-8"))
        self.assertIn("nothing to save", self.txlb("save"))
        path.write_text(path.read_text("utf-8").replace('weight="5"', 'weight="7"'), "utf-8")
        change = "host web/prod/h1: weight 5 -> 7\n"
        self.assertEqual(self.txlb("diff", "--exit-code", status=5), f"in the file: {change}")
        self.assertEqual(self.txlb("diff", "--exit-code", "config.xml", status=5), change)
        self.assertEqual(self.txlb("reload"), change)
        self.assertEqual(self.txlb("diff", "--exit-code"), "")
        self.assertIn("weight 5 -> 7, by uid:", self.txlb("events"))
        path.write_text(path.read_text("utf-8").replace("roundr", "rundr"), "utf-8")
        self.assertRegex(self.txlb("reload", status=1), r"config\.xml:4: .*rundr")
        self.assertRegex(self.txlb("diff", status=1), r"config\.xml:4: .*rundr")

    def test_conflict(self) -> None:
        """
        If the file and the running balancer changed the same, what is said names the
        commands that go on, in words of the shell; each of them does.
        """
        self.balancer()
        path = self.folder / "config.xml"
        self.txlb("weight", "web/prod/h1", "5")
        self.txlb("save")
        self.txlb("weight", "web/prod/h1", "3")
        path.write_text(path.read_text("utf-8").replace('weight="5"', 'weight="7"'), "utf-8")
        said = self.txlb("reload", status=1)
        self.assertIn("txlb reload --discard", said)
        self.assertNotIn("services.", said)
        said = self.txlb("save", status=1)
        self.assertIn("txlb save --overwrite", said)
        self.assertNotIn("services.", said)
        self.txlb("save", "--overwrite")
        self.assertIn('weight="3"', path.read_text("utf-8"))
        self.txlb("weight", "web/prod/h1", "4")
        path.write_text(path.read_text("utf-8").replace('weight="3"', 'weight="7"'), "utf-8")
        self.txlb("reload", "--discard")
        self.assertRegex(self.txlb("status"), r"\n    h1 .*unchecked +7 ")

    def test_startup(self) -> None:
        """
        It is quick: it does without Twisted.
        """
        self.balancer()
        times = []
        for _ in range(5):
            began = time.monotonic()
            self.txlb("status")
            times.append(time.monotonic() - began)
        self.show(f"txlb status: {min(times):.3f} s at best of {len(times)}")
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                LOADED,
            ],
            env=environment(TXLB_SOCKET=str(self.control)),
            stdout=subprocess.PIPE,
            timeout=60,
            text=True,
            check=True,
        )
        self.assertTrue(done.stdout.endswith("\n[]\n"), done.stdout)

    def test_follow(self) -> None:
        """
        Events to come are shown as they come.
        """
        self.balancer()
        watching = self.start(
            sys.executable, "-m", "txlb", "events", "--follow", "--socket", self.control
        )
        self.txlb("weight", "web/prod/h1", "7")
        watching.waitFor("host-weight web/prod/h1: weight 1 -> 7")
        self.txlb("weight", "web/prod/h1", "8")
        watching.waitFor("host-weight web/prod/h1: weight 7 -> 8")


class TopTests(ControlTestCase):
    needed = ("tmux",)

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.control.parent.parent / "tmux"), "-f", "/dev/null", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            text=True,
            check=False,
            env=environment(TXLB_SOCKET=str(self.control), LC_ALL="C.UTF-8"),
        )
        return done.stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def test_terminal(self) -> None:
        """
        On a terminal of 80 by 24 it shows all, follows what happens, heeds its keys and
        puts everything back.
        """
        self.balancer()
        sites(self, server(self.h1, "h1"))
        self.addCleanup(self.tmux, "kill-server")
        self.tmux("new-session", "-d", "-x", "80", "-y", "24", "/bin/sh")
        top = f"{sys.executable} -m txlb top -i 0.3"
        self.tmux("send-keys", "stty -g > before; echo here", "Enter")
        waitUntil(lambda: "here" in self.screen())
        self.tmux("send-keys", f"{top}; stty -g > after; echo status $?", "Enter")
        waitUntil(lambda: "q quit" in self.screen())
        lines = self.screen().splitlines()
        self.assertEqual(len(lines), 24)
        self.assertTrue(lines[0].startswith(" txlb top "), lines)
        self.assertIn("prod/h1", self.screen())
        for _ in range(10):
            bodyOf(self.web)
        waitUntil(lambda: "\u2588" in self.screen())
        self.txlb("weight", "web/prod/h1", "0")
        waitUntil(lambda: "drain" in self.screen())
        self.tmux("resize-window", "-x", "100", "-y", "30")
        waitUntil(lambda: len(self.screen().splitlines()[0]) > 85)
        self.tmux("send-keys", "q")
        waitUntil(lambda: "status 0" in self.screen())
        self.assertNotIn("q quit", self.screen())
        self.assertIn("here", self.screen())


class CompletionTests(ControlTestCase):
    """
    The scripts, in the shells that they are for.
    """

    def complete(self, *shell: str) -> str:
        self.need(shell[0])
        self.balancer()
        # The scripts call the command by its name.
        folder = self.folder / "bin"
        folder.mkdir()
        command = folder / "txlb"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m txlb "$@"\n', "utf-8")
        command.chmod(0o755)
        environ = environment(TXLB_SOCKET=str(self.control), HOME=str(self.folder))
        environ["PATH"] = f"{folder}{os.pathsep}{environ['PATH']}"
        done = subprocess.run(
            shell,
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            text=True,
            check=False,
        )
        return done.stdout

    def test_bash(self) -> None:
        script = (
            'compopt() { :; }; eval "$(txlb completion bash)"; try() { COMP_LINE=$1; '
            'COMP_POINT=${#1}; COMPREPLY=(); _python_argcomplete txlb; echo "${COMPREPLY[@]}"; }; '
            "try 'txlb weight w'; try 'txlb swi'; "
            "try 'txlb status --js'; touch some.xml; try 'txlb check so'"
        )
        self.assertEqual(
            self.complete("bash", "-c", script).splitlines(),
            ["web/prod/h1 web/prod/h2", "switch-group switch-port", "--json", "some.xml"],
        )

    def test_zsh(self) -> None:
        # Its completion needs a terminal, so what it would offer is caught.
        script = (
            "compdef() { :; }; _describe() { print -l -- ${(P)2}; }; "
            'eval "$(txlb completion zsh)"; '
            "try() { words=(txlb); BUFFER=$1; CURSOR=${#1}; _python_argcomplete; }; "
            "try 'txlb weight w'; touch some.xml; try 'txlb check so'"
        )
        self.assertEqual(
            self.complete("zsh", "-f", "-c", script).splitlines(),
            [
                f"web/prod/h1:127.0.0.1:{self.h1} unchecked",
                f"web/prod/h2:127.0.0.1:{self.h2} unchecked",
                "some.xml:",
            ],
        )

    def test_fish(self) -> None:
        script = (
            "txlb completion fish | source; complete -C 'txlb weight w'; "
            "complete -C 'txlb swi'; touch some.xml; complete -C 'txlb check so'"
        )
        lines = [line.split("\t")[0] for line in self.complete("fish", "-c", script).splitlines()]
        self.assertEqual(
            lines,
            ["web/prod/h1", "web/prod/h2", "switch-group", "switch-port", "some.xml"],
        )

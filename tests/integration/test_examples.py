"""
Every file in C{examples} is run here, on free ports.

An example is written for the ports of the documentation, and so that a copy of it runs in
any folder that has the other examples beside it. A new one gets an entry in L{EXAMPLES} and a
test of that name.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.pages import otherPorts, withPorts
from tests.integration.programs import ROOT, TROUBLE, Program, environment, get, waitUntil
from tests.integration.support import silentPort

#: The examples, and the test that runs each.
EXAMPLES = {
    "announcement.tac": "test_announcement",
    "asyncio_client.py": "test_asyncioClient",
    "clones.tac": "test_clones",
    "clones.xml": "test_clonesInFile",
    "config.xml": "test_config",
    "hello.py": "test_leastConnectionsClient",
    "http_client.py": "test_httpClient",
    "least_connections_client.py": "test_leastConnectionsClient",
    "own_policy.py": "test_ownPolicy",
    "queue_check.py": "test_queueCheck",
    "redis_check.py": "test_redisCheck",
    "web_and_balancer.tac": "test_webAndBalancer",
    "who_asks.py": "test_whoAsks",
}

#: A whole number of turns for two, three and four hosts.
REQUESTS = 24


#: What the HTTP client says of a host that failed, whatever state that is in now.
FAILED = r"\w+, 0 requests, [1-9]\d* failures, 0 open"


class ExampleTests(SynchronousTestCase):
    """
    The examples.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir(parents=True)
        self.ports = otherPorts()
        for name in EXAMPLES:
            text = (ROOT / "examples" / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(withPorts(text, self.ports), encoding="utf-8")

    def port(self, documented: int) -> int:
        """
        The port that stands for one of the documentation's.
        """
        return int(self.ports[str(documented)])

    def start(self, *command: str) -> Program:
        """
        Start a program; it is stopped at the end, and its log looked at.
        """
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        program = Program(command, self.folder, environment(STATE_DIRECTORY=str(state)))

        def stop() -> None:
            program.stop()
            self.assertNotRegex(program.output, TROUBLE)

        self.addCleanup(stop)
        return program

    def startHellos(self, *documented: int) -> None:
        """
        Start the small web application, once for each port.
        """
        started = [
            self.start(sys.executable, "hello.py", str(self.port(port))) for port in documented
        ]
        for program in started:
            program.waitFor("serving on port")

    def run_(self, *arguments: str) -> str:
        """
        Run an example that ends by itself.

        @return: what it wrote.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment(PYTHONWARNINGS="default"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        # Conch, and passlib by a plugin of autobahn's, ask for modules that Python 3.13 no longer
        # has.
        self.assertNotRegex(done.stdout, r"Warning: (?!'(spwd|crypt)')")
        return done.stdout

    def hellos(self, *documented: int) -> Counter[str]:
        """
        So many answers as each host gives where all get the same.
        """
        share = REQUESTS // len(documented)
        return Counter({f"hello from port {self.port(port)}\n": share for port in documented})

    def test_everyExampleIsRun(self) -> None:
        """
        No example is without a test.
        """
        there = {path.name for path in (ROOT / "examples").iterdir() if path.is_file()}
        self.assertEqual(there, set(EXAMPLES))
        for test in EXAMPLES.values():
            self.assertTrue(callable(getattr(self, test)))

    def test_announcement(self) -> None:
        """
        The C{.tac} that txLoadBalancer 1.1.0 was announced with.
        """
        self.startHellos(7001, 7002, 7003)
        twistd = self.start("twistd", "--pidfile=", "-noy", "announcement.tac")
        twistd.waitForPort(self.port(8080))
        answers = Counter(get(self.port(8080)) for _ in range(REQUESTS))
        # The connection that saw that it listens went to a host as well.
        for answer, share in self.hellos(7001, 7002, 7003).items():
            self.assertAlmostEqual(answers[answer], share, delta=1)

    def test_whoAsks(self) -> None:
        """
        The application that asks the balancer for its clients.
        """
        folder = Path(tempfile.mkdtemp(prefix="txlb"))
        self.addCleanup(shutil.rmtree, folder)
        config = self.folder / "who.xml"
        config.write_text(
            '<config><service name="web">'
            f'<listen ip="127.0.0.1:{self.port(8080)}"/>'
            '<group name="g" enable="yes">'
            f'<host name="h" ip="127.0.0.1:{self.port(7001)}"/></group></service>'
            f'<control socket="{folder}/control"/></config>',
            encoding="utf-8",
        )
        who = self.start(sys.executable, "who_asks.py", str(self.port(7001)), f"{folder}/control")
        who.waitFor("serving on port")
        self.start("twistd", "--pidfile=", "-n", "txlb", "-c", "who.xml").waitFor("control socket")
        with socket.create_connection(("127.0.0.1", self.port(8080)), 60) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
            host, port = client.getsockname()
        self.assertIn(f"you are {host} port {port}\n".encode(), answer)
        # Who comes without the balancer is told what is seen of them.
        self.assertRegex(get(self.port(7001)), r"^you are 127\.0\.0\.1 port \d+\n$")

    def test_webAndBalancer(self) -> None:
        """
        The application with several processes, one of which dies.
        """
        twistd = self.start("twistd", "--pidfile=", "-noy", "web_and_balancer.tac")
        # Who asks the balancer before its hosts are there puts them out for a second.
        for port in (7001, 7002, 7003, 7004):
            twistd.waitForPort(self.port(port))
        seen = {get(self.port(8080)) for _ in range(REQUESTS)}
        self.assertEqual(seen, set(self.hellos(7001, 7002, 7003, 7004)))
        victim = self.childWith(twistd.process.pid, "hello.py")
        os.kill(victim, signal.SIGKILL)
        # Until it is gone, the kernel still accepts for it.
        waitUntil(lambda: not Path(f"/proc/{victim}").exists())
        for _ in range(REQUESTS):
            self.assertIn("hello from port", get(self.port(8080)))

    def test_clones(self) -> None:
        """
        A site in four processes, each of which makes some of the pages.
        """
        twistd = self.start("twistd", "--pidfile=", "-noy", "clones.tac")
        waitUntil(lambda: twistd.output.count("has joined") == 4)
        pages = {get(self.port(8080)) for _ in range(REQUESTS)}
        self.assertEqual(pages, {f"made by clone{n}\n" for n in range(4)})
        twistd.stop()

    def test_clonesInFile(self) -> None:
        """
        The same site by a configuration file, in two processes beside another host.
        """
        self.assertIn("OK", self.run_("-m", "txlb", "check", "clones.xml"))
        self.startHellos(7001)
        twistd = self.start("twistd", "--pidfile=", "-n", "txlb", "-c", "clones.xml")
        waitUntil(lambda: twistd.output.count("has joined") == 2)
        pages: set[str] = set()
        wanted = {"made by clone0", "made by clone1", f"hello from port {self.port(7001)}"}

        def all_() -> bool:
            pages.add(get(self.port(8080)).strip())
            return pages == wanted

        waitUntil(all_)
        twistd.stop()

    def childWith(self, parent: int, word: str) -> int:
        """
        A child of a process that has a word in its command line.
        """
        tasks = Path(f"/proc/{parent}/task").glob("*/children")
        for child in [int(pid) for task in tasks for pid in task.read_text().split()]:
            if word.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        raise AssertionError(f"process {parent} has no child with {word!r}")

    def test_config(self) -> None:
        """
        The configuration file: checked, then run.
        """
        (self.folder / "admin_keys").touch()
        self.assertIn("OK", self.run_("-m", "txlb", "check", "config.xml"))
        self.startHellos(7001, 7002, 7003)
        twistd = self.start("twistd", "--pidfile=", "-n", "txlb", "-c", "config.xml")
        twistd.waitForPort(self.port(8080))
        twistd.waitForPort(self.port(2222))
        seen = {get(self.port(8080)) for _ in range(REQUESTS)}
        self.assertEqual(seen, set(self.hellos(7001, 7002, 7003)))
        self.assertEqual(twistd.stop(), 0, twistd.output)

    def test_leastConnectionsClient(self) -> None:
        """
        The client that borrows the brain.
        """
        self.startHellos(7001, 7002)
        hosts = [f"127.0.0.1:{self.port(port)}" for port in (7001, 7002)]
        output = self.run_("least_connections_client.py", *hosts)
        for host in hosts:
            self.assertIn(f"{host}: 5 requests, 0 open", output)
        for port in (7001, 7002):
            self.assertEqual(output.count(f"hello from port {self.port(port)}\n"), 5)

    def test_asyncioClient(self) -> None:
        """
        The client without Twisted's reactor: one host refuses.
        """
        self.startHellos(7001, 7002)
        good = [f"127.0.0.1:{self.port(port)}" for port in (7001, 7002)]
        refusing = f"127.0.0.1:{self.port(7003)}"
        output = self.run_("asyncio_client.py", refusing, *good)
        self.assertEqual(output.count("hello from port"), 10)
        self.assertIn(f"{refusing}: down, 0 requests", output)
        for host in good:
            self.assertIn(f"{host}: up, 5 requests", output)

    def test_httpClient(self) -> None:
        """
        The client that goes on to the next host: one refuses, one is dead.
        """
        self.startHellos(7001, 7002)
        good = [f"127.0.0.1:{self.port(port)}" for port in (7001, 7002)]
        refusing = f"127.0.0.1:{self.port(7003)}"
        with silentPort() as port:
            silent = f"127.0.0.1:{port}"
            output = self.run_("http_client.py", silent, refusing, *good)
        self.assertEqual(output.count("hello from port"), 20)
        self.assertEqual(set(re.findall(r"hello from port (\d+)", output)), self.portsOf(good))
        requests = re.findall(
            r"^(\S+): up, (\d+) requests, 0 failures, 0 open", output, re.MULTILINE
        )
        self.assertEqual(sum(int(count) for _, count in requests), 20)
        self.assertEqual([name for name, _ in requests], good)
        # How many have met a host before it was out is the policy's.
        self.assertRegex(output, rf"{refusing}: {FAILED} refused")
        self.assertRegex(output, rf"{silent}: {FAILED} timeout")

    def portsOf(self, addresses: list[str]) -> set[str]:
        """
        The ports of addresses.
        """
        return {address.rpartition(":")[2] for address in addresses}

    def test_ownPolicy(self) -> None:
        """
        The policy in ten lines.
        """
        self.assertEqual(self.run_("own_policy.py"), "near is chosen\n")

    def test_queueCheck(self) -> None:
        """
        A function as a check: one host has a long queue, then a short one.
        """
        lengths = {7001: "3", 7002: "11"}
        self.answering(self.port(7001), lambda: lengths[7001])
        self.answering(self.port(7002), lambda: lengths[7002])
        ports = [str(self.port(port)) for port in lengths]
        program = self.start(sys.executable, "queue_check.py", *ports)
        long = f"host-down jobs/workers/host{ports[1]}: check failed in .* s: 11 jobs wait; 1 ready"
        program.waitFor(long)
        lengths[7002] = "10"
        program.waitFor(f"host-up jobs/workers/host{ports[1]}: check passed in .* s: 10 jobs wait")
        self.assertNotIn(f"host{ports[0]}: check failed", program.output)

    def test_redisCheck(self) -> None:
        """
        A kind of check of one's own, as a plugin, and hosts that answer as Redis
        does.
        """
        self.answering(self.port(7001), lambda: "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")
        self.answering(self.port(7002), lambda: "*5\r\n$5\r\nslave\r\n:0\r\n")
        (self.folder / "redis.xml").write_text(
            f"""<config><service name="s"><listen ip="127.0.0.1:{self.port(8080)}"/>
            <group name="g" enable="yes"><check type="redis" role="master" interval="0.2"/>
            <host name="one" ip="127.0.0.1:{self.port(7001)}"/>
            <host name="two" ip="127.0.0.1:{self.port(7002)}"/>
            </group></service></config>""",
            encoding="ascii",
        )
        plugins = self.folder / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "redis_plugin.py").write_text(
            "from redis_check import REDIS as redis\n", encoding="ascii"
        )
        path = f"PYTHONPATH={self.folder}"
        program = self.start("env", path, "twistd", "--pidfile=", "-n", "txlb", "-c", "redis.xml")
        program.waitFor("host-down s/g/two: check failed in .* s: it is a slave; 1 ready hosts")
        self.assertNotIn("s/g/one: check failed", program.output)

    def answering(self, port: int, answer: Callable[[], str]) -> None:
        """
        A host that says something to each client and closes.
        """
        listener = socket.create_server(("127.0.0.1", port))
        thread = threading.Thread(target=_answer, args=(listener, answer), daemon=True)
        thread.start()

        def stop() -> None:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            listener.close()

        self.addCleanup(stop)


def _answer(listener: socket.socket, answer: Callable[[], str]) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock, _ = listener.accept()
            with sock, contextlib.suppress(OSError):
                sock.sendall(answer().encode("ascii"))
                sock.shutdown(socket.SHUT_WR)
                # What the client has sent must not make a reset of the end.
                sock.settimeout(1)
                sock.recv(1000)

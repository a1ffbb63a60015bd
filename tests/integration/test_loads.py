"""
Loads on real programs: HAProxy reads our agent, we read an agent that was written for
HAProxy, and a host that is kept busy gets less.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.integration.support import (
    TWISTD,
    IntegrationTestCase,
    Program,
    freePorts,
    waitUntil,
)

AGENT = """
import sys
from pathlib import Path
from twisted.application.service import Application
from txlb.resources import AgentService

said = Path("said")


def available():
    return float(said.read_text().split()[0])


class Agent(AgentService):
    def reply(self):
        words = said.read_text().split()[1:]
        for word in words:
            getattr(self, word)()
        return super().reply()


application = Application("host")
Agent("127.0.0.1:{port}", scope=None, available=available).setServiceParent(application)
"""

HAPROXY = """
global
    stats socket {folder}/haproxy.sock mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 5s
    timeout server 5s
backend web
    server a 127.0.0.1:{host} weight 100 agent-check agent-port {agent} agent-inter 200ms
"""

CONFIG = """
<config>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="g" scheduler="weightr" enable="true">
      <resource probe="agent" port="{agent}" interval="0.3" smoothing="1"/>
      <host name="a" ip="127.0.0.1:{host}" weight="100"/>
    </group>
  </service>
</config>
"""


class PlainAgent(threading.Thread):
    """
    An agent as HAProxy's manual describes it: a connection, a line, the end.
    """

    def __init__(self, line: bytes) -> None:
        super().__init__(daemon=True)
        self.line = line
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                sock.sendall(self.line)
                self.asked += 1

    def stop(self) -> None:
        """
        Answer no more.
        """
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join(10)


class HAProxyReadsUsTests(IntegrationTestCase):
    """
    Needs HAProxy.
    """

    needed = ("haproxy",)

    def test_weight(self) -> None:
        """
        The server's weight and state follow what our agent says.
        """
        host, agent = freePorts(2)
        (self.folder / "agent.tac").write_text(AGENT.format(port=agent))
        self.say("1.0")
        twistd = Program([*TWISTD, "-n", "-y", "agent.tac"], self.folder)
        self.addCleanup(twistd.stop)
        twistd.waitForPort(agent)
        path = self.shortFolder() / "h.cfg"
        path.write_text(HAPROXY.format(folder=path.parent, host=host, agent=agent))
        haproxy = Program(["haproxy", "-db", "-f", path], self.folder)
        self.addCleanup(haproxy.stop)
        sock = path.parent / "haproxy.sock"
        waitUntil(sock.exists)
        for said, weight, drained in (
            ("1.0", 100, False),
            ("0.4", 40, False),
            ("0.15", 15, False),
            ("0.15 drain", 15, True),
            ("0.5 ready", 50, False),
            ("1.0", 100, False),
        ):
            self.say(said)
            waitUntil(partial(self.isState, sock, weight, drained))
        self.assertNotIn("Traceback", twistd.output)

    def say(self, words: str) -> None:
        """
        What the agent says from now on; never half of it.
        """
        new = self.folder / "new"
        new.write_text(words)
        new.replace(self.folder / "said")

    def isState(self, path: Path, weight: int, drained: bool) -> bool:
        return self.state(path) == (weight, drained)

    def state(self, path: Path) -> tuple[int, bool]:
        """
        The server's weight, and whether it is drained, in C{show servers state}.
        """
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(path))
            sock.sendall(b"show servers state\n")
            answer = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        names, values = (line.split() for line in answer.splitlines()[1:3])
        fields = dict(zip(names[1:], values, strict=False))
        return int(fields["srv_uweight"]), bool(int(fields["srv_admin_state"]) & 8)


class WeReadAnAgentTests(IntegrationTestCase):
    """
    txlb and an agent that was written for HAProxy.
    """

    def test_lines(self) -> None:
        """
        Each line of the manual's words moves the weight as it says.
        """
        agent = PlainAgent(b"75%\n")
        agent.start()
        self.addCleanup(agent.stop)
        port, host = freePorts(2)
        text = CONFIG.format(port=port, host=host, agent=agent.port)
        (self.folder / "config.xml").write_text(text)
        (self.folder / "b.tac").write_text(WATCHED)
        twistd = Program([*TWISTD, "-n", "-y", "b.tac"], self.folder)
        self.addCleanup(twistd.stop)
        for line, weight, state in (
            (b"75%\n", 75.0, "unchecked"),
            (b"up 30% maxconn:5\r\n", 30.0, "unchecked"),
            (b"weight:20\n", 20.0, "unchecked"),
            (b"drain\n", None, "full"),
            (b"ready,60%\n", 60.0, "unchecked"),
            (b"nonsense\n", 100.0, "unchecked"),
        ):
            agent.line = line
            waitUntil(partial(self.shown, weight, state))
        self.assertNotIn("Traceback", twistd.output)

    def shown(self, weight: float | None, state: str) -> bool:
        """
        Whether the balancer has come to this.
        """
        path = self.folder / "shown.json"
        if not path.exists():
            return False
        found = json.loads(path.read_text())
        return found["state"] == state and weight in {None, round(found["effectiveWeight"], 3)}


WATCHED = """
import json
from pathlib import Path
from twisted.application.internet import TimerService
from twisted.application.service import Application
from txlb.application.service import LoadBalancedService
from txlb.config import loadConfiguration
from txlb.manager import proxyManagerFactory

manager = proxyManagerFactory(loadConfiguration("config.xml").services)
application = Application("balancer")
LoadBalancedService(manager).setServiceParent(application)


def show():
    host = manager.snapshot()[0].asDict()["groups"][0]["hosts"][0]
    Path("new.json").write_text(json.dumps(host))
    Path("new.json").replace("shown.json")


TimerService(0.1, show).setServiceParent(application)
"""


class AgentProgramTests(IntegrationTestCase):
    """
    C{twistd txlb-agent}.
    """

    def test_answers(self) -> None:
        (port,) = freePorts(1)
        agent = Program([*TWISTD, "-n", "txlb-agent", "-l", f"127.0.0.1:{port}"], self.folder)
        self.addCleanup(agent.stop)
        agent.waitForPort(port)
        waitUntil(lambda: self.ask(port).endswith(b"%\n"))
        # Plain twistd ends by the signal.
        self.assertIn(agent.stop(), {0, -15})

    def ask(self, port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            return b"".join(iter(lambda: sock.recv(100), b""))

    def test_taken(self) -> None:
        """
        An address that is taken is said on the terminal, without a traceback.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            agent = Program([*TWISTD, "-n", "txlb-agent", "-l", f"127.0.0.1:{port}"], self.folder)
            self.addCleanup(agent.stop)
            agent.waitFor(rf"can't listen on 127\.0\.0\.1:{port}: Address already in use")
            self.assertEqual(agent.process.wait(60), 1)
        self.assertNotIn("Traceback", agent.output)


class BusyHostTests(IntegrationTestCase):
    """
    Two hosts with agents that measure their own process.
    """

    def test_share(self) -> None:
        """
        The share of one that is kept busy falls below a third of the connections
        within 10 s, and comes back within 20 s.
        """
        host, agent = freePorts(2)
        path = self.folder / "shares.json"
        words = ["--json", str(path), "--ports", str(host), str(agent)]
        phases = ["--before", "3", "--busy", "10", "--after", "12", "--rate", "90"]
        program = Program([sys.executable, "-m", "benchmarks.shares", *words, *phases], self.folder)
        self.addCleanup(program.stop)
        began = time.monotonic()
        self.assertEqual(program.process.wait(120), 0, program.output)
        figures = json.loads(path.read_text())
        self.assertGreater(figures["connections"], 1000)
        shares = list(overTwoSeconds(figures["samples"]))
        before = [share for at, share in shares if at <= 3]
        busy = [(at - 3, share) for at, share in shares if 4 <= at <= 13.5]
        after = [(at - 13, share) for at, share in shares if at > 14]
        self.assertTrue(any(0.3 < share < 0.7 for share in before), shares)
        low = [at for at, share in busy if share < 1 / 3]
        self.assertTrue(low and low[0] <= 10, shares)
        back = [at for at, share in after if share > 0.4]
        self.assertTrue(back and back[0] <= 20, shares)
        self.show(
            f"{figures['connections']} connections in {time.monotonic() - began:.0f} s; below a "
            f"third after {low[0]:.1f} s, at {min(share for _, share in busy):.0%} at least; above "
            f"40 % again after {back[0]:.1f} s"
        )


def overTwoSeconds(samples: list[dict[str, float]]) -> Iterator[tuple[float, float]]:
    """
    The share in each two seconds, by when they ended: few connections say little.
    """
    for end in range(4, len(samples) + 1):
        part = samples[end - 4 : end]
        count = sum(each["connections"] for each in part)
        if count:
            yield part[-1]["at"], sum(each["busy"] for each in part) / count

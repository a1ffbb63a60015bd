"""
Clusters of balancers with a real etcd.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

from tests.integration.etcds import Etcd
from tests.integration.programs import Program, environment, get, waitUntil
from tests.integration.support import IntegrationTestCase, freePorts, server, sites

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
    <group name="production" scheduler="roundr" enable="yes">
      <host name="one" ip="127.0.0.1:{one}"/>
      <host name="two" ip="127.0.0.1:{two}"/>
    </group>
  </service>
  <control socket="{control}"/>
  <cluster name="prod" member="{member}" election="etcd:{url}" ttl="2s"/>
</config>
"""


class Balancer:
    """
    A member of the cluster: a process.
    """

    def __init__(self, case: ClusterTests, name: str) -> None:
        self.case, self.name = case, name
        (self.listen,) = freePorts(1)
        self.control = str(case.shortFolder() / "control")
        self.program = self.start()

    def start(self) -> Program:
        case = self.case
        self.program = case.startTxlb(
            CONFIG.format(
                listen=self.listen,
                one=case.one,
                two=case.two,
                control=self.control,
                member=self.name,
                url=case.etcd.url,
            )
        )
        return self.program

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """
        Run C{txlb}.
        """
        return subprocess.run(
            ["txlb", *words, "-s", self.control],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
        )

    def ask(self, *words: str) -> list[dict[str, Any]]:
        done = self.run(*words, "--json")
        rows: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
        return rows

    @property
    def cluster(self) -> dict[str, Any]:
        """
        The cluster as this member knows it.
        """
        rows = self.ask("cluster")
        return rows[0] if rows else {"leads": False, "connected": False, "leader": ""}

    @property
    def leads(self) -> bool:
        return bool(self.cluster["leads"])


class ClusterTests(IntegrationTestCase):
    """
    Balancers of one cluster.
    """

    needed = ("etcd", "nginx")

    def setUp(self) -> None:
        super().setUp()
        self.one, self.two = freePorts(2)
        sites(self, server(self.one, "one"), server(self.two, "two"))

    def test_electsAnother(self) -> None:
        """
        If the leader is killed another member leads; a leader that was paused does not lead when
        it goes on; one that steps down lets another one lead. All serve all the time.
        """
        self.etcd = Etcd(self)
        a = Balancer(self, "a")
        waitUntil(lambda: a.leads)
        b = Balancer(self, "b")
        waitUntil(lambda: b.cluster["leader"] == "a")
        os.kill(a.program.process.pid, signal.SIGSTOP)
        waitUntil(lambda: b.leads)
        self.assertIn(get(b.listen), {"one\n", "two\n"})
        os.kill(a.program.process.pid, signal.SIGCONT)
        self.assertFalse(a.leads)
        waitUntil(lambda: a.cluster["connected"])
        self.assertEqual(a.cluster["leader"], "b")
        self.assertEqual(b.run("cluster", "step-down").returncode, 0)
        waitUntil(lambda: a.leads)
        self.assertIn("a leads, step down there", b.run("cluster", "step-down").stderr)
        a.program.stop(signal.SIGKILL)
        waitUntil(lambda: b.leads)
        a.start()
        waitUntil(lambda: a.cluster["leader"] == "b" and a.cluster["connected"])

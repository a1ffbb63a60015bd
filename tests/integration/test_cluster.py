"""
Clusters of balancers with a real etcd.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

from tests.cluster.history import Write, faultsOf
from tests.integration.etcds import ETCD, Etcd
from tests.integration.programs import Program, get, waitUntil
from tests.integration.support import IntegrationTestCase, freePorts, runTxlb, server, sites
from txlb.clients import Transaction
from txlb.clients._etcd import encoded, keyValue, prefixEnd

PREFIX = "txlb-clusters/prod/"

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
        return runTxlb(self.control, *words)

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

    needed = (ETCD, "nginx")

    def setUp(self) -> None:
        super().setUp()
        self.one, self.two = freePorts(2)
        sites(self, server(self.one, "one"), server(self.two, "two"))

    def test_cluster(self) -> None:
        """
        If the leader is killed another member leads; a leader that was paused does not lead when
        it goes on; one that steps down lets another one lead. A change on one member is made on
        all. All serve all the time.
        """
        self.etcd = Etcd(self)
        a = Balancer(self, "a")
        waitUntil(lambda: a.leads)
        b = Balancer(self, "b")
        self.electAnother(a, b)
        self.share(a, b)
        self.assertEqual(faultsOf(self.writes()), [])

    def electAnother(self, a: Balancer, b: Balancer) -> None:
        """
        Pause the leader, let it step down, and kill it.
        """
        waitUntil(lambda: b.cluster["leader"] == "a")
        term = a.cluster["term"]
        os.kill(a.program.process.pid, signal.SIGSTOP)
        waitUntil(lambda: b.leads)
        self.assertIn(get(b.listen), {"one\n", "two\n"})
        # What the paused leader may be about to write is refused by etcd.
        late = Transaction().ifCreatedAt(PREFIX + "leader", term).put(PREFIX + "x", b"")
        self.assertNotIn("succeeded", self.ask("kv/txn", late.body))
        now = Transaction().ifCreatedAt(PREFIX + "leader", b.cluster["term"])
        self.assertIn("succeeded", self.ask("kv/txn", now.put(PREFIX + "x", b"").body))
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

    def weight(self, balancer: Balancer, host: str = "one") -> int:
        """
        Find the weight of a host on one member.
        """
        (group,) = json.loads(balancer.run("status", "--json").stdout)["services"][0]["groups"]
        return next(int(each["weight"]) for each in group["hosts"] if each["name"] == host)

    def writes(self) -> list[Write]:
        """
        List all that was written to etcd, from its own history.
        """
        found: list[Write] = []
        body = json.dumps(
            {
                "create_request": {
                    "key": encoded(PREFIX),
                    "range_end": prefixEnd(PREFIX),
                    "start_revision": "1",
                }
            }
        )
        # What is there, so that the end of the history is known.
        put = self.ask("kv/put", {"key": encoded(f"{PREFIX}end"), "value": ""})
        revision = int(put["header"]["revision"])
        with closing(HTTPConnection("127.0.0.1", self.etcd.ports[0], timeout=60)) as connection:
            connection.request("POST", "/v3/watch", body)
            answer = connection.getresponse()
            while not found or found[-1][0] < revision:
                for each in json.loads(answer.readline())["result"].get("events", ()):
                    kv = keyValue(each["kv"])
                    value = kv.value if each.get("type", "PUT") == "PUT" else None
                    key = kv.key.removeprefix(PREFIX)
                    found.append((kv.modified, key, value, kv.created))
        return found

    def ask(self, path: str, body: Any) -> Any:
        """
        Ask etcd.
        """
        with closing(HTTPConnection("127.0.0.1", self.etcd.ports[0], timeout=60)) as connection:
            connection.request("POST", f"/v3/{path}", json.dumps(body))
            return json.loads(connection.getresponse().read())

    def share(self, a: Balancer, b: Balancer) -> None:
        """
        Make changes. Without etcd they are refused, and all serve; a member that starts later, and
        etcd that comes back, have what was changed.
        """
        self.assertEqual(b.run("weight", "web/production/one", "7").returncode, 0)
        waitUntil(lambda: self.weight(a) == 7)
        self.etcd.kill()
        waitUntil(lambda: not a.cluster["connected"] and not b.cluster["connected"])
        refused = a.run("weight", "web/production/one", "9")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("cut off from etcd", refused.stderr)
        self.assertIn(get(a.listen), {"one\n", "two\n"})
        self.etcd.restart()
        waitUntil(lambda: b.run("weight", "web/production/one", "8").returncode == 0)
        waitUntil(lambda: self.weight(a) == 8)
        c = Balancer(self, "c")
        waitUntil(lambda: self.weight(c) == 8)

"""
Hosts from a real etcd.
"""

from __future__ import annotations

import json
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
      <discover from="etcd" url="{url}" prefix="txlb/web/production"/>
    </group>
  </service>
  <control socket="{control}"/>
</config>
"""


class EtcdTests(IntegrationTestCase):
    """
    A balancer whose hosts are keys of etcd.
    """

    needed = ("etcd", "etcdctl", "nginx")

    def setUp(self) -> None:
        super().setUp()
        self.listen, self.one, self.two = freePorts(3)
        sites(self, server(self.one, "one"), server(self.two, "two"))
        self.control = str(self.shortFolder() / "control")

    def balancer(self) -> Program:
        return self.startTxlb(
            CONFIG.format(listen=self.listen, url=self.etcd.url, control=self.control)
        )

    def ctl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["etcdctl", f"--endpoints={self.etcd.url.replace(' ', ',')}", *arguments],
            env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def put(self, name: str, port: int, **settings: Any) -> None:
        value = json.dumps({"address": f"127.0.0.1:{port}", **settings})
        self.ctl("put", f"txlb/web/production/{name}", value)

    def ask(self, command: str) -> Any:
        done = subprocess.run(
            ["txlb", command, "--json", "-s", self.control],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
        )
        return json.loads(done.stdout)

    def source(self) -> Any:
        """
        What is known of the source.
        """
        (row,) = self.ask("discovery")
        return row

    def hosts(self) -> dict[str, int]:
        """
        The weights of the hosts.
        """
        (group,) = self.ask("status")["services"][0]["groups"]
        return {each["name"]: each["weight"] for each in group["hosts"]}

    def test_follows(self) -> None:
        """
        Hosts come, change and go with their keys. A wrong entry does not affect the others.
        While etcd is away the hosts stay, after a restart of the balancer as well, and
        what has changed is there once etcd is back.
        """
        self.etcd = Etcd(self)
        self.put("one", self.one)
        program = self.balancer()
        waitUntil(lambda: self.hosts() == {"one": 1})
        self.assertEqual(get(self.listen), "one\n")
        self.put("two", self.two, weight=3)
        self.put("bad", 0)
        waitUntil(lambda: self.hosts() == {"one": 1, "two": 3})
        waitUntil(lambda: self.source()["wrong"])
        self.assertEqual({get(self.listen) for _ in range(8)}, {"one\n", "two\n"})
        self.ctl("del", "txlb/web/production/one")
        waitUntil(lambda: self.hosts() == {"two": 3})
        self.etcd.kill()
        waitUntil(lambda: self.source()["trouble"])
        self.assertEqual(get(self.listen), "two\n")
        self.assertEqual(self.stopTwistd(program), 0)
        self.balancer()
        self.assertEqual(self.hosts(), {"two": 3})
        self.assertEqual(get(self.listen), "two\n")
        self.etcd.restart()
        waitUntil(lambda: not self.source()["trouble"])
        self.put("one", self.one, state="drain")
        waitUntil(lambda: self.hosts() == {"one": 1, "two": 3})
        self.assertEqual({get(self.listen) for _ in range(4)}, {"two\n"})

    def test_compacted(self) -> None:
        """
        A watch whose revisions were compacted while it was cut off begins anew.
        """
        self.etcd = Etcd(self)
        self.put("one", self.one)
        self.balancer()
        waitUntil(lambda: self.hosts() == {"one": 1})
        self.etcd.kill()
        waitUntil(lambda: self.source()["trouble"])
        self.etcd.restart()
        for weight in range(2, 9):
            self.put("one", self.one, weight=weight)
        revision = json.loads(self.ctl("get", "x", "-w", "json"))["header"]["revision"]
        self.ctl("compact", str(revision))
        waitUntil(lambda: self.hosts() == {"one": 8})

    def test_memberKilled(self) -> None:
        """
        If the member that is watched is killed, another one is watched, and nothing is missed.
        """
        self.etcd = Etcd(self, 3)
        self.put("one", self.one)
        self.balancer()
        waitUntil(lambda: self.hosts() == {"one": 1})
        self.etcd.kill(0)
        self.put("two", self.two)
        waitUntil(lambda: self.hosts() == {"one": 1, "two": 1})
        self.etcd.restart(0)
        self.etcd.kill(1)
        self.ctl("del", "txlb/web/production/one")
        waitUntil(lambda: self.hosts() == {"two": 1})

"""
Hosts from a real etcd.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

from tests.integration.etcds import ETCD, ETCDCTL, Etcd
from tests.integration.programs import PATIENCE, Program, get, waitUntil
from tests.integration.support import IntegrationTestCase, askTxlb, freePorts, server, sites
from tests.integration.support._case import TWISTD

#: Seconds for which etcd is away. By hand: more.
AWAY = float(os.environ.get("TXLB_AWAY", "10"))

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

    needed = (ETCD, ETCDCTL, "nginx")

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
        """
        Run etcdctl, again if the cluster has no leader yet.

        @return: what it prints.
        """
        command = [ETCDCTL, f"--endpoints={self.etcd.url.replace(' ', ',')}", *arguments]
        printed: list[str] = []

        def done() -> bool:
            run = subprocess.run(
                command,
                env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            printed.append(run.stdout)
            return run.returncode == 0

        waitUntil(done)
        return printed[-1]

    def put(self, name: str, port: int, **settings: Any) -> None:
        value = json.dumps({"address": f"127.0.0.1:{port}", **settings})
        self.ctl("put", f"txlb/web/production/{name}", value)

    def ask(self, command: str) -> Any:
        return askTxlb(self.control, command)

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

    def test_away(self) -> None:
        """
        While etcd is away the last known hosts serve, before and after a restart of the balancer.
        """
        self.etcd = Etcd(self)
        self.put("one", self.one)
        self.put("two", self.two, weight=3)
        program = self.balancer()
        wanted = {"one": 1, "two": 3}
        waitUntil(lambda: self.hosts() == wanted)
        self.etcd.kill()
        waitUntil(lambda: self.source()["trouble"])
        served = self.serve(AWAY / 2)
        self.assertEqual(self.hosts(), wanted)
        self.assertEqual(self.stopTwistd(program), 0)
        self.balancer()
        served += self.serve(AWAY / 2)
        self.assertEqual(self.hosts(), wanted)
        self.assertTrue(self.source()["trouble"])
        self.show(f"etcd was away for {AWAY:.0f} s: {served} requests, 0 failed")
        self.etcd.restart()
        self.put("one", self.one, weight=2)
        waitUntil(lambda: self.hosts() == {"one": 2, "two": 3})

    def serve(self, seconds: float) -> int:
        """
        Make requests for so long. All are answered, and by both hosts.

        @return: their number.
        """
        bodies: list[str] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(bodies) < 8:
            bodies.append(get(self.listen))
            time.sleep(0.05)
        self.assertEqual(set(bodies), {"one\n", "two\n"})
        return len(bodies)

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

    def test_announced(self) -> None:
        """
        An application that announces itself gets clients, says that it ends before it does, and
        goes with its lease if it is killed.
        """
        self.etcd = Etcd(self)
        (port,) = freePorts(1)
        self.balancer()
        self.write(
            "app.tac",
            f"""
from twisted.application import service, strports
from twisted.web import server, static
from txlb.discovery import AnnounceService

application = service.Application("app")
page = static.Data(b"announced\\n", "text/plain")
page.putChild(b"", page)
strports.service("tcp:{port}:interface=127.0.0.1", server.Site(page)).setServiceParent(application)
AnnounceService(
    "{self.etcd.url}", "web", "production", "127.0.0.1:{port}", "app", ttl=2.0
).setServiceParent(application)
""",
        )
        app = self.start(*TWISTD, "-ny", "app.tac")
        waitUntil(lambda: self.hosts() == {"app": 1})
        self.assertEqual(get(self.listen), "announced\n")
        self.etcd.kill()
        self.etcd.restart()
        app.stop(signal.SIGKILL)
        # The source of the balancer leaves out the only host, which takes an administrator.
        waitUntil(lambda: self.source()["held"] == 0)
        app = self.start(*TWISTD, "-ny", "app.tac")
        waitUntil(lambda: self.source()["held"] is None)
        self.assertEqual(get(self.listen), "announced\n")
        app.process.terminate()
        # twistd ends by the signal that it got.
        self.assertIn(app.process.wait(PATIENCE), {0, -signal.SIGTERM})
        self.assertEqual(self.ctl("get", "--prefix", "txlb/"), "")

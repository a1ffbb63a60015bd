"""
Many hosts in a real etcd that has trouble, while clients come all the time.

C{TXLB_REGISTRY_ROUNDS=20} makes it long, and C{TXLB_SHOW=1} prints how soon the set is right after
each recovery.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from tests.integration.etcds import ETCD, Etcd
from tests.integration.programs import PATIENCE, waitUntil
from tests.integration.support import Gateway, IntegrationTestCase, Load, freePorts
from txlb.cli._client import Client

#: Hosts that there are at first.
COUNT = 300

#: How often each trouble comes.
ROUNDS = int(os.environ.get("TXLB_REGISTRY_ROUNDS", "1"))

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
    <group name="production" scheduler="leastc" enable="yes">
      <discover from="etcd" url="{url}" prefix="txlb/web/production"/>
    </group>
  </service>
  <control socket="{control}"/>
</config>
"""


class Answering(StreamRequestHandler):
    """
    The host of all addresses: it says its own.
    """

    def handle(self) -> None:
        """
        Serve one client.
        """
        while self.rfile.readline().strip():
            pass
        body = self.request.getsockname()[0].encode()
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


class Hosts(ThreadingTCPServer):
    """
    One server at every loopback address.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


class ManyHostsTests(IntegrationTestCase):
    """
    No client of a healthy host fails, and the set is right after each recovery.
    """

    needed = (ETCD,)

    def setUp(self) -> None:
        super().setUp()
        self.listen, self.port = freePorts(2)
        hosts = Hosts(("0.0.0.0", self.port), Answering)
        threading.Thread(target=hosts.serve_forever, daemon=True).start()
        self.addCleanup(hosts.server_close)
        self.addCleanup(hosts.shutdown)
        self.control = str(self.shortFolder() / "control")
        self.etcd = Etcd(self, 3)
        self.gateways = [Gateway(port) for port in self.etcd.ports]
        for each in self.gateways:
            self.addCleanup(each.stop)
        # The hosts that etcd has, with their weights.
        self.wanted: dict[str, int] = {}

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """
        Ask etcd, each of its members until one answers.
        """
        answers: list[dict[str, Any]] = []

        def done() -> bool:
            for port in self.etcd.ports:
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/v3/{path}", json.dumps(body).encode()
                )
                try:
                    with urllib.request.urlopen(request, timeout=10) as response:
                        answers.append(json.load(response))
                except OSError:
                    continue
                return True
            return False

        waitUntil(done)
        return answers[-1]

    def put(self, *numbers: int, weight: int = 1) -> None:
        """
        Write hosts, 100 in each transaction.
        """
        for at in range(0, len(numbers), 100):
            puts = []
            for number in numbers[at : at + 100]:
                address = f"127.1.{number // 250}.{number % 250 + 1}:{self.port}"
                entry = json.dumps({"address": address, "weight": weight})
                self.wanted[f"h{number}"] = weight
                puts.append({"request_put": {"key": _key(f"h{number}"), "value": _coded(entry)}})
            self.call("kv/txn", {"success": puts})

    def remove(self, *numbers: int) -> None:
        deletes = []
        for number in numbers:
            del self.wanted[f"h{number}"]
            deletes.append({"request_delete_range": {"key": _key(f"h{number}")}})
        self.call("kv/txn", {"success": deletes})

    def hosts(self) -> dict[str, int]:
        with Client(self.control, PATIENCE) as client:
            return {
                row["name"]: row["weight"] for row in client.rows("Status") if row["row"] == "host"
            }

    def right(self, what: str) -> None:
        """
        Wait until the balancer has the hosts that etcd has.
        """
        began = time.monotonic()
        waitUntil(lambda: self.hosts() == self.wanted)
        self.show(f"{what}: right after {time.monotonic() - began:.2f} s")

    def test_underLoad(self) -> None:
        self.put(*range(COUNT))
        urls = " ".join(f"http://127.0.0.1:{each.port}" for each in self.gateways)
        self.startTxlb(CONFIG.format(listen=self.listen, url=urls, control=self.control))
        self.right(f"{COUNT} hosts appear")
        with Load(lambda: self.listen, 4) as load:
            for number in range(ROUNDS):
                self.round(number, load)
        self.show(f"{load.done} requests, {load.refused} refused, {len(load.failures)} failed")
        self.assertEqual(load.failures[:5], [])
        self.assertEqual(load.refused, 0)
        self.assertGreater(len(load.answers), COUNT // 2)

    def round(self, number: int, load: Load) -> None:
        """
        Let each trouble come once, with changes during it.
        """
        first = 1000 * number + (0 if number == 0 else COUNT)
        mine = sorted(int(each[1:]) for each in self.wanted)
        self.put(*mine, weight=number + 2)
        self.right("all weights change")
        self.remove(*mine[:100])
        self.put(*range(first + COUNT, first + COUNT + 100))
        self.right("a third is replaced")
        done = load.done
        waitUntil(lambda: load.done > done + 20)
        for what, begin, end in self.troubles():
            begin()
            mine = sorted(int(each[1:]) for each in self.wanted)
            self.put(*mine[:50], weight=number + 3)
            self.remove(*mine[-20:])
            self.put(*mine[-20:-10], weight=number + 4)
            done = load.done
            waitUntil(lambda done=done: load.done > done + 20)  # type: ignore[misc]  # bound at once
            end()
            self.right(what)

    def troubles(self) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
        """
        Return the troubles, with what begins and what ends them.
        """
        return [
            ("a member was killed", lambda: self.etcd.kill(0), lambda: self.etcd.restart(0)),
            ("the network was cut", self.cut, self.join),
            ("the history was compacted", self.drop, self.compact),
            ("the cluster was started again", lambda: None, self.restart),
        ]

    def cut(self) -> None:
        for each in self.gateways:
            each.silent()
        if ROUNDS > 1:
            # The balancer notices that within seconds.
            waitUntil(self.isTroubled)

    def isTroubled(self) -> bool:
        with Client(self.control, PATIENCE) as client:
            return bool(client.rows("Discovery")[0]["trouble"])

    def join(self) -> None:
        for each in self.gateways:
            each.pass_()

    def drop(self) -> None:
        for each in self.gateways:
            each.drop()

    def compact(self) -> None:
        answer = self.call("kv/range", {"key": _coded("x")})
        self.call("kv/compaction", {"revision": answer["header"]["revision"]})
        self.join()

    def restart(self) -> None:
        for number in range(3):
            self.etcd.kill(number)
        self.etcd.startAll()


def _coded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _key(name: str) -> str:
    return _coded(f"txlb/web/production/{name}")

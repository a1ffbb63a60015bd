"""
Changes at the prompt, under load.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from tests.integration.support import (
    Downloads,
    IntegrationTestCase,
    Load,
    Manhole,
    connect,
    freePorts,
    readAll,
    request,
    server,
    sites,
    waitUntil,
)

CONFIG = """
<config>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="main" scheduler="leastc" enable="yes">
      <host name="host1" ip="127.0.0.1:{host1}"/>
      <host name="host2" ip="127.0.0.1:{host2}"/>
    </group>
    <group name="spare" scheduler="leastc">
      <host name="host4" ip="127.0.0.1:{host4}"/>
    </group>
  </service>
  {admin}
</config>
"""

NAMES = ("port", "host1", "host2", "host3", "host4", "ssh", "elsewhere")
CLIENTS = 50
DOWNLOADS = 8
LENGTH = 4 << 20

#: A stream is so long that it does not end meanwhile; the file has holes for it.
HUGE = 1 << 40
STREAMS = 64

#: Requests between one change and the next.
ENOUGH = 300


class LiveChangeTests(IntegrationTestCase):
    """
    OpenSSH's client, and clients that must not notice.
    """

    def test_underLoad(self) -> None:
        """
        No request on a connection that was accepted fails, and open downloads
        end with what they began.
        """
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        content = os.urandom(LENGTH)
        (self.folder / "long").write_bytes(content)
        more = f"root {self.folder}; location = /long {{ limit_rate 400k; }}"
        names = ("host1", "host2", "host3", "host4")
        sites(self, *(server(ports[name], name, more) for name in names))
        manhole = Manhole(self, ports["ssh"])
        program = self.startTxlb(CONFIG.format(admin=manhole.xml, **ports))
        port = ports["port"]

        downloads = Downloads(port, "/long", DOWNLOADS)
        kept = connect(port)
        self.addCleanup(kept.close)
        self.assertIn(request(kept), (b"host1\n", b"host2\n"))
        with Load(lambda: port, CLIENTS) as load:
            waitUntil(lambda: load.done > ENOUGH)

            moved = manhole.run(f"services.switchPort('web', {ports['elsewhere']})")
            self.assertIn(f"port={ports['elsewhere']}", moved)
            waitUntil(lambda: load.refused > CLIENTS)
            port = ports["elsewhere"]
            self._more(load)

            manhole.run(f"manager.addHost('web', 'main', 'host3', '127.0.0.1:{ports['host3']}')")
            waitUntil(lambda: load.answers[b"host3\n"] > ENOUGH)

            manhole.run("manager.delHost('web', 'main', 'host1')")
            # Those that host1 had when it was removed may still come.
            last = load.answers[b"host1\n"] + CLIENTS
            self._more(load)
            self.assertLessEqual(load.answers[b"host1\n"], last)

            manhole.run("manager.switchGroup('web', 'main', 'spare')")
            waitUntil(lambda: load.answers[b"host4\n"] > ENOUGH)
            # The connection of before all this is still its host's.
            self.assertIn(request(kept), (b"host1\n", b"host2\n"))
            status = manhole.run("status()")
            underWay = downloads.running
        downloads.wait()

        answers = {body.decode().strip(): count for body, count in sorted(load.answers.items())}
        self.show(
            f"{load.done} requests by {CLIENTS} clients at a time, {len(load.failures)} failed "
            f"({load.refused} connects to the old port refused); {answers}; {underWay} of "
            f"{DOWNLOADS} downloads of {LENGTH >> 20} MiB went on to the end of it, all whole"
        )
        self.assertEqual(load.failures, [])
        self.assertEqual(underWay, DOWNLOADS)
        self.assertEqual(downloads.failures, [])
        self.assertEqual(downloads.digests, [hashlib.sha256(content).hexdigest()] * DOWNLOADS)
        self.assertIn("host4", status)
        # Who did what stands in the log.
        for command in ("switchPort", "addHost", "delHost", "switchGroup"):
            self.assertRegex(program.output, rf"admin.*127\.0\.0\.1.*{command}")
        # And what came of it, once, with from where to where.
        for line in (
            f"listener moved from 127.0.0.1:{ports['port']} to 127.0.0.1:{ports['elsewhere']}",
            f"host-added web/main/host3: added at 127.0.0.1:{ports['host3']}",
            "group-switched web/spare: gets the connections of web instead of main",
        ):
            self.assertEqual(program.output.count(f"{line}, by ssh:admin"), 1, line)

    def test_underBulk(self) -> None:
        """
        With 64 streams that take all they can get, somebody at the prompt and
        a small request are answered.
        """
        self.need("curl")
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        with (self.folder / "huge").open("wb") as file:
            file.truncate(HUGE)
        more = f"root {self.folder}; location = /huge {{ }}"
        sites(self, *(server(ports[name], name, more) for name in ("host1", "host2")))
        manhole = Manhole(self, ports["ssh"])
        self.startTxlb(CONFIG.format(admin=manhole.xml, **ports))
        port = ports["port"]
        url = f"http://127.0.0.1:{port}/huge"
        streams = ("--parallel", "--parallel-immediate", "--parallel-max", str(STREAMS))
        self.start("curl", "--silent", *streams, *["--output", "/dev/null", url] * STREAMS)
        counted = "manager.snapshot()[0].active"
        waitUntil(lambda: int(manhole.run(counted)) >= STREAMS)
        began = time.monotonic()
        status = manhole.run("status()")
        answered = time.monotonic() - began
        self.assertIn("host1", status)
        took = []
        with connect(port) as client:
            for _ in range(20):
                began = time.monotonic()
                self.assertIn(request(client), (b"host1\n", b"host2\n"))
                took.append(time.monotonic() - began)
        self.assertGreaterEqual(int(manhole.run(counted)), STREAMS)
        self.show(
            f"beside {STREAMS} streams: ssh and status() in {answered:.2f} s, a small request in "
            f"{statistics.median(took) * 1000:.1f} ms, at most {max(took) * 1000:.1f}"
        )

    def _more(self, load: Load) -> None:
        goal = load.done + ENOUGH
        waitUntil(lambda: load.done > goal)

    def test_toAndFro(self) -> None:
        """
        A hundred moves of a port under load: those who were told that they are
        connected just before it is closed are served too.
        """
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        sites(self, *(server(ports[name], name) for name in ("host1", "host2")))
        manhole = Manhole(self, ports["ssh"])
        self.startTxlb(CONFIG.format(admin=manhole.xml, **ports))
        either = itertools.cycle((ports["port"], ports["elsewhere"]))
        with Load(lambda: next(either), CLIENTS) as load:
            waitUntil(lambda: load.done > ENOUGH)
            manhole.run(
                "import itertools",
                "from twisted.internet import task",
                f"moves = itertools.cycle(({ports['elsewhere']}, {ports['port']}))",
                "def move(left=[100]):",
                "    left[0] -= 1",
                "    services.switchPort('web', next(moves))",
                "    if not left[0]:",
                "        loop.stop()",
                "",
                "loop = task.LoopingCall(move)",
                "loop.start(0.03)",
            )
        self.show(
            f"100 moves of the port: {load.done} requests, {len(load.failures)} failed "
            f"({load.refused} connects refused)"
        )
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.answers), {b"host1\n", b"host2\n"})

    def test_portThatIsTaken(self) -> None:
        """
        A port that can't be had changes nothing.
        """
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        sites(self, *(server(ports[name], name) for name in ("host1", "host2")))
        manhole = Manhole(self, ports["ssh"])
        self.startTxlb(CONFIG.format(admin=manhole.xml, **ports))
        with self.assertRaises(AssertionError) as raised:
            manhole.run(f"services.switchPort('web', {ports['host1']})")
        self.assertIn("in use", str(raised.exception))
        with connect(ports["port"]) as client:
            self.assertIn(request(client), (b"host1\n", b"host2\n"))

    def test_whoWaitsIsServed(self) -> None:
        """
        Those who wait in the backlog of the old port are served.
        """
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        sites(self, *(server(ports[name], name) for name in ("host1", "host2")))
        manhole = Manhole(self, ports["ssh"])
        self.startTxlb(CONFIG.format(admin=manhole.xml, **ports))
        held, go = self.folder / "held", self.folder / "go"
        # While a line runs, nobody is accepted.
        lines = (
            "import time, pathlib",
            f"held, go = pathlib.Path({str(held)!r}), pathlib.Path({str(go)!r})",
            "def move():",
            "    held.touch()",
            "    for _ in range(6000):",
            "        if go.exists():",
            f"            return services.switchPort('web', {ports['elsewhere']})",
            "        time.sleep(0.01)",
            "",
            "move()",
        )
        with ThreadPoolExecutor(1) as pool:
            moving = pool.submit(manhole.run, *lines)
            waitUntil(held.exists)
            waiting = []
            for _ in range(20):
                client = connect(ports["port"])
                self.addCleanup(client.close)
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                waiting.append(client)
            go.touch()
            self.assertIn(f"port={ports['elsewhere']}", moving.result())
        for client in waiting:
            self.assertTrue(readAll(client).endswith((b"host1\n", b"host2\n")))
        with self.assertRaises(ConnectionRefusedError):
            connect(ports["port"])
        with connect(ports["elsewhere"]) as client:
            self.assertIn(request(client), (b"host1\n", b"host2\n"))
        self.show(f"{len(waiting)} clients in the backlog of the old port were served")

"""
A configuration file that is loaded again and again, under load, and saved.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

from tests.integration.support import (
    Downloads,
    IntegrationTestCase,
    Load,
    Manhole,
    Program,
    connect,
    freePorts,
    request,
    server,
    sites,
    waitUntil,
)

CONFIG = """\
<config>
  <!-- what everybody sees -->
  <service name="web"{settings}>
    <listen ip="127.0.0.1:{port}"/>{listen}
    <group name="main" scheduler="{scheduler}" enable="yes">
      <host name="host1" ip="127.0.0.1:{host1}" weight="{weight}"/> <!-- the old one -->
      <host name="host2" ip="127.0.0.1:{host2}"/>
      <host name="dead" ip="127.0.0.1:{dead}"/>{host}
    </group>
  </service>{service}
  {admin}
</config>
"""

NAMES = ("port", "host1", "host2", "host3", "dead", "ssh", "other", "taken")
RELOADS = 50
CONNECTIONS = 50
DOWNLOADS = 20
LENGTH = 3 << 20
RATE = 150 << 10

BAD = frozenset({"an error", "half a file", "a port that is taken"})

#: A host as it stands, in the manhole.
STANDS = (
    "import json",
    "hosts = manager.snapshot()[0].groups[0].hosts",
    "print(json.dumps([[h.name, h.state, h.connections, h.failures, h.bytesOut] for h in hosts]))",
)


class ReloadTests(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))

    def text(self, **changes: str) -> str:
        values = {
            "settings": "",
            "listen": "",
            "scheduler": "leastc",
            "weight": "1",
            "host": "",
            "service": "",
            **changes,
        }
        return CONFIG.format(admin=self.manhole.xml, **self.ports, **values)

    def started(self) -> Program:
        self.manhole = Manhole(self, self.ports["ssh"])
        return self.startTxlb(self.text())

    def variants(self) -> list[tuple[str, str]]:
        """
        @return: what each reload is about, with the file.
        """
        ports = self.ports
        more = f'\n      <host name="host3" ip="127.0.0.1:{ports["host3"]}"/>'
        mail = (
            f'\n  <service name="mail"><listen ip="127.0.0.1:{ports["other"]}"/>'
            f'<group name="main" enable="yes"><host ip="127.0.0.1:{ports["host1"]}"/></group>'
            "</service>"
        )
        taken = f'\n    <listen ip="127.0.0.1:{ports["taken"]}"/>'
        return [
            ("a host comes", self.text(host=more)),
            ("a host goes", self.text()),
            ("another scheduler", self.text(scheduler="roundr")),
            ("another weight", self.text(scheduler="roundr", weight="5")),
            ("an error", self.text(weight="-1")),
            ("half a file", self.text()[:300]),
            ("a port that is taken", self.text(listen=taken, host=more)),
            ("a service comes", self.text(service=mail, settings=' idleTimeout="77"')),
            ("a service goes", self.text(settings=' connectTimeout="2" retries="5"')),
            ("as at first", self.text()),
        ]

    def test_underLoad(self) -> None:
        """
        Fifty reloads in a row, good ones and bad ones: no request fails, no
        download is cut, and who stays is as it was.
        """
        self.need("wrk")
        ports = self.ports
        content = os.urandom(LENGTH)
        (self.folder / "long").write_bytes(content)
        more = f"root {self.folder}; location = /long {{ limit_rate {RATE}; }}"
        names = ("host1", "host2", "host3")
        sites(self, *(server(ports[name], name, more) for name in names))
        taken = socket.create_server(("127.0.0.1", ports["taken"]))
        self.addCleanup(taken.close)
        program = self.started()
        port = ports["port"]

        kept = connect(port)
        self.addCleanup(kept.close)
        first = request(kept)
        downloads = Downloads(port, "/long", DOWNLOADS)
        wrk = self.start("wrk", "-t1", f"-c{CONNECTIONS}", "-d1h", f"http://127.0.0.1:{port}/")
        stands = [self.stands()]
        variants = self.variants()
        bad = 0
        with Load(lambda: port, 5) as load:
            waitUntil(lambda: load.done > 100)
            for number in range(RELOADS):
                what, text = variants[number % len(variants)]
                good = self.reload(program, text)
                self.assertEqual(good, what not in BAD, what)
                bad += not good
                if what == "a service comes":
                    with connect(ports["other"]) as sock:
                        self.assertEqual(request(sock), b"host1\n")
                if number % 10 == 9:
                    stands.append(self.stands())
            underWay = downloads.running
            waitUntil(lambda: load.answers[b"host3\n"] > 0)
        wrk.process.send_signal(signal.SIGINT)
        wrk.process.wait(60)
        downloads.wait()

        found = re.findall(r"(\d+) requests in", wrk.output)
        answers = {body.decode().strip(): count for body, count in sorted(load.answers.items())}
        self.show(
            f"{RELOADS} reloads, {bad} of them bad; wrk: {found} requests on {CONNECTIONS} "
            f"connections, none failed; {load.done} more on connections of their own, "
            f"{len(load.failures)} failed: {answers}; {underWay} of {DOWNLOADS} downloads of "
            f"{LENGTH >> 20} MiB lasted beyond the last reload, all whole; dead host: "
            f"{[each['dead'] for each in stands]}"
        )
        self.assertGreater(int(found[0]), 0)
        self.assertNotIn("Socket errors", wrk.output)
        self.assertNotIn("Non-2xx", wrk.output)
        self.assertEqual((load.failures, load.refused), ([], 0))
        self.assertGreater(underWay, 0)
        self.assertEqual(downloads.failures, [])
        self.assertEqual(downloads.digests, [hashlib.sha256(content).hexdigest()] * DOWNLOADS)
        # A connection of before all this is still its host's.
        self.assertEqual(request(kept), first)
        self.checkStands(stands)

    def checkStands(self, stands: list[dict[str, list[Any]]]) -> None:
        """
        The hosts that stayed have counted on, and are in the state that they
        were in.
        """
        for before, after in itertools.pairwise(stands):
            for name in ("host1", "host2", "dead"):
                for count in (1, 2, 3):
                    self.assertGreaterEqual(after[name][count], before[name][count], name)
            # Who could not be reached is not given everybody anew.
            self.assertIn(after["dead"][0], ("down", "due", "trial"))
            self.assertEqual(after["host1"][0], "up")
        self.assertEqual(stands[-1]["dead"][1], 0)

    def stands(self) -> dict[str, list[Any]]:
        shown = self.manhole.run(*STANDS)
        return {name: rest for name, *rest in json.loads(shown.strip().splitlines()[-1])}

    def reload(self, program: Program, text: str) -> bool:
        """
        @return: whether the file was taken.
        """
        outcomes = re.compile(r"config\.xml was loaded again|config\.xml: not loaded again")
        before = len(outcomes.findall(program.output))
        path = self.folder / "config.xml"
        new = self.folder / "config.new"
        new.write_text(text, encoding="utf-8")
        new.replace(path)
        program.process.send_signal(signal.SIGHUP)
        waitUntil(lambda: len(outcomes.findall(program.output)) > before)
        return "was loaded" in outcomes.findall(program.output)[-1]

    def test_edits(self) -> None:
        """
        A save after edits at the prompt: the two files differ in the edits and in
        nothing else. Then both the file and the prompt change one host: that is
        shown, nothing is overwritten, and a change of another host comes in.
        """
        program = self.started()
        path = self.folder / "config.xml"
        path.chmod(0o640)
        before = path.read_text(encoding="utf-8")
        self.assertIn("as in", self.manhole.run("status()"))
        self.manhole.run(
            "manager.setWeight('web', 'main', 'host1', 7)",
            f"manager.addHost('web', 'main', 'host3', '127.0.0.1:{self.ports['host3']}')",
        )
        status = self.manhole.run("status()")
        self.assertIn("host web/main/host1: weight 1 -> 7", status)
        self.assertIn("host web/main/host3 added", status)
        kept = Path(self.manhole.run("config.save()").strip().strip("'"))
        self.assertEqual(kept.read_text(encoding="utf-8"), before)
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        saved = path.read_text(encoding="utf-8")
        host1 = f'      <host name="host1" ip="127.0.0.1:{self.ports["host1"]}" weight="{{}}"/>'
        host3 = f'      <host name="host3" ip="127.0.0.1:{self.ports["host3"]}"/>'
        beside = " <!-- the old one -->"
        self.assertEqual(
            difference(before, saved),
            [f"-{host1.format(1)}{beside}", f"+{host1.format(7)}{beside}", f"+{host3}"],
        )
        self.assertIn("as in", self.manhole.run("status()"))

        theirs = saved.replace('weight="7"', 'weight="3"')
        path.write_text(theirs, encoding="utf-8")
        self.manhole.run("manager.setWeight('web', 'main', 'host1', 9)")
        for command in ("config.save()", "services.reload()"):
            error = self.assertRaises(AssertionError, self.manhole.run, command)
            self.assertIn("ConfigurationConflict", str(error))
            self.assertIn("9", str(error))
            self.assertIn("3", str(error))
            self.assertEqual(path.read_text(encoding="utf-8"), theirs)
        weight = "print(manager.getHost('web', 'main', 'host1').weight)"
        self.assertEqual(self.manhole.run(weight), "9\n")
        self.assertFalse(self.reload(program, theirs))
        host2 = f'name="host2" ip="127.0.0.1:{self.ports["host2"]}"'
        other = saved.replace(host2, f'{host2} weight="4"')
        self.assertTrue(self.reload(program, other))
        self.assertEqual(self.manhole.run(weight), "9\n")
        self.manhole.run("config.save()")
        self.assertEqual(
            path.read_text(encoding="utf-8"), other.replace('weight="7"', 'weight="9"')
        )

    def test_users(self) -> None:
        """
        A user who was removed from the file can't log in any more.
        """
        program = self.started()
        self.assertEqual(self.manhole.run("1 + 1"), "2\n")
        text = self.text()
        gone = text.replace('<user name="admin"', '<user name="somebody"')
        self.assertNotEqual(gone, text)
        self.assertTrue(self.reload(program, gone))
        self.assertRegex(program.output, "user admin removed")
        error = self.assertRaises(AssertionError, self.manhole.run, "1 + 1")
        self.assertIn("Permission denied", str(error))
        self.assertTrue(self.reload(program, text))
        self.assertEqual(self.manhole.run("1 + 1"), "2\n")


def difference(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]

"""
Clones from a configuration file: C{twistd txlb} manages processes of an application, which
accept the connections of its service, beside hosts whose connections it relays.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.cloned import CloningTestCase
from tests.integration.programs import PATIENCE, Program, environment, waitUntil
from tests.integration.support import TWISTD, Downloads, Load, connect, freePorts, request

#: The application, as it runs by itself.
TAC = """
import os
from twisted.application import service, strports
from twisted.web import resource, server
from txlb.cloning import whoAmI

{before}

class Page(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        if request.path == b"/long":
            return b"x" * 20_000_000
        return b"{release} %s %d" % (whoAmI().name.encode(), os.getpid())

application = service.Application("web")
site = server.Site(Page(), logPath=os.devnull)
strports.service("tcp:1", site).setServiceParent(application)
"""

FILE = """
<config>
  <control socket="{folder}/control"/>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="app" scheduler="{scheduler}" enable="true">
      <clones tac="app.tac" processes="{processes}" graceTime="5"/>{more}
    </group>
  </service>
</config>
"""


class ClonesInFilesTestCase(CloningTestCase):
    hosts = ""
    scheduler = "leastc"

    def application(self, release: str = "first", before: str = "") -> Path:
        return self.write("app.tac", TAC.format(release=release, before=before))

    def configure(self, processes: int = 2) -> Path:
        """
        Write the configuration file.
        """
        self.processes = processes
        text = FILE.format(
            folder=self.place,
            port=self.port,
            processes=processes,
            scheduler=self.scheduler,
            more=self.hosts,
        )
        return self.write("c.xml", text)

    def begin(self) -> Program:
        """
        Start the balancer, and wait until all its clones have joined.
        """
        os.makedirs(self.place, 0o700)
        self.application()
        file = self.configure()
        self.program = Program(
            (*TWISTD, "-n", "--pidfile=", "txlb", "-c", file),
            self.folder,
            {**environment(), "RUNTIME_DIRECTORY": self.place},
        )
        self.addCleanup(self.end)
        waitUntil(lambda: len(self.joined()) >= self.processes)
        return self.program

    def isOurs(self, pid: int) -> bool:
        """
        Tell whether a process is a clone or the balancer.
        """
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        names = (str(self.folder / name).encode() for name in ("app.tac", "c.xml"))
        return any(name in command for name in names) and state != "Z"

    def ask(self) -> bytes:
        """
        Ask for the page.
        """
        return request(connect(self.port)).rpartition(b"\n")[2]

    def txlb(self, *words: str, status: int = 0) -> str:
        """
        Run the command, and return what it says.
        """
        done = subprocess.run(
            (sys.executable, "-m", "txlb", "-s", f"{self.place}/control", *words),
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
            env=environment(),
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def status(self) -> dict[str, dict[str, object]]:
        """
        The hosts of the group by their names, as C{txlb status} tells them.
        """
        hosts = json.loads(self.txlb("status", "--json"))["services"][0]["groups"][0]["hosts"]
        return {each["name"]: each for each in hosts}

    def rows(self) -> list[dict[str, Any]]:
        """
        The processes, as C{txlb status} tells them.
        """
        found: list[dict[str, Any]] = json.loads(self.txlb("status", "--json"))["processes"]
        return found

    def reunited(self) -> bool:
        """
        Tell whether the balancer manages, and all clones have joined it.
        """
        latest = self.program.output.rpartition("clones of web/app")[2]
        return len(re.findall(r"clone\d+ has joined", latest)) >= self.processes


class ServingTests(ClonesInFilesTestCase):
    def test_serves(self) -> None:
        """
        Connections go to the clones by turns; the status shows them as hosts; nothing is left
        when the balancer is stopped, and long answers come whole.
        """
        program = self.begin()
        waitUntil(lambda: len({self.ask() for _ in range(4)}) == 2)
        self.assertEqual(self.status().keys(), {"clone0", "clone1"})
        downloads = Downloads(self.port, "/long", 2)
        waitUntil(lambda: downloads.running == 2)
        self.assertEqual(program.stop(), 0)
        waitUntil(lambda: not downloads.running)
        self.assertEqual(downloads.failures, [])
        waitUntil(lambda: not self.ours())

    def test_killed(self) -> None:
        """
        The balancer is killed under load: no client is refused or reset, and the clones start
        the balancer again.
        """
        self.begin()
        downloads = Downloads(self.port, "/long", 2)
        with Load(lambda: self.port, 2) as load:
            waitUntil(lambda: load.done > 20)
            clones = self.joined()
            [balancer] = set(self.ours()) - clones
            os.kill(balancer, signal.SIGKILL)
            waitUntil(lambda: self.program.output.count("clones of web/app") == 2)
            waitUntil(self.reunited)
            done = load.done
            waitUntil(lambda: load.done > done + 20)
        self.assertEqual((load.refused, load.failures), (0, []))
        waitUntil(lambda: not downloads.running)
        self.assertEqual(downloads.failures, [])
        self.assertEqual(self.status().keys(), {"clone0", "clone1"})
        self.assertLessEqual(clones, set(self.ours()))

    def test_reload(self) -> None:
        """
        SIGHUP loads the file again: with another number of processes, clones come or go; and
        the others are replaced by ones that run the new release.
        """
        program = self.begin()
        with Load(lambda: self.port, 2) as load:
            waitUntil(lambda: load.done > 20)
            self.application("second")
            self.configure(3)
            os.kill(program.process.pid, signal.SIGHUP)
            program.waitFor("generation 1 serves")
            waitUntil(lambda: len(self.status()) == 3)
            self.configure(1)
            os.kill(program.process.pid, signal.SIGHUP)
            program.waitFor("generation 2 serves")
            waitUntil(lambda: len(self.status()) == 1)
            load.answers.clear()
            done = load.done
            waitUntil(lambda: load.done > done + 20)
        self.assertEqual((load.refused, load.failures), (0, []))
        self.assertEqual(self.kinds(load), {b"second"})

    def test_broken(self) -> None:
        """
        A release that does not start stops the roll; the old one goes on.
        """
        program = self.begin()
        self.application("broken", "raise ValueError('not today')")
        os.kill(program.process.pid, signal.SIGHUP)
        program.waitFor("ValueError: not today")
        self.assertEqual(self.ask().split()[0], b"first")

    def test_secondBalancer(self) -> None:
        """
        A second balancer of the same file says that the first one runs.
        """
        program = self.begin()
        second = subprocess.run(
            (*TWISTD, "-n", "--pidfile=", "txlb", "-c", self.folder / "c.xml"),
            cwd=self.folder,
            env={**environment(), "RUNTIME_DIRECTORY": self.place},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"process {program.process.pid} manages there", second.stderr)


class ControlTests(ClonesInFilesTestCase):
    def test_control(self) -> None:
        """
        The status has a row for each process; C{roll} replaces the clones, or tells why the
        release does not start; the log tells which clone a line is of.
        """
        program = self.begin()
        balancer = program.process.pid
        waitUntil(lambda: all(row["memory"] for row in self.rows()))
        manager, *clones = self.rows()
        self.assertEqual(
            (manager["pid"], manager["role"], manager["slot"]), (balancer, "manager", -1)
        )
        self.assertEqual({row["pid"] for row in clones}, self.joined())
        self.assertEqual([row["slot"] for row in clones], [0, 1])
        self.assertEqual({row["state"] for row in clones}, {"serves"})
        self.assertEqual({row["generation"] for row in clones}, {0})
        table = self.txlb("status")
        for row in clones:
            self.assertRegex(table, rf"web/app/{row['name']} +clone +serves +{row['pid']} ")

        self.assertIn("served by grant: the clones accept", table)
        self.assertIn("3 clones are wanted now", self.txlb("add", "web/app/clone5"))
        waitUntil(lambda: [row["slot"] for row in self.rows()] == [-1, 0, 1, 5])
        waitUntil(lambda: [row["state"] for row in self.rows()][1:] == ["serves"] * 3)
        self.assertIn("there is a clone5", self.txlb("add", "web/app/clone5", status=1))
        self.assertIn("2 clones are wanted now", self.txlb("remove", "web/app/clone5"))
        waitUntil(lambda: len(self.rows()) == 3)
        self.assertIn("is called 'clone5'", self.txlb("remove", "web/app/clone5", status=1))
        self.application("second")
        self.assertIn("web/app are replaced: generation 1 serves", self.txlb("roll"))
        waitUntil(lambda: [row["generation"] for row in self.rows()] == [1, 1, 1])
        self.assertEqual(self.rows()[0]["pid"], balancer)
        self.assertEqual(self.ask().split()[0], b"second")
        self.application("broken", "raise ValueError('not today')")
        place = self.folder / "app.tac"
        told = self.txlb("roll", status=1)
        self.assertIn(f"exit status 1: {place}, line 7: ValueError: not today; the", told)
        place.write_text("import os\ndef (:\n")
        told = self.txlb("roll", status=1)
        self.assertRegex(told, f"{place}: SyntaxError: .* \\(app.tac, line 2\\); the")
        self.assertNotIn("Traceback", program.output)
        self.assertEqual(self.ask().split()[0], b"second")
        self.txlb("scheduler", "web/app", "sticky")
        waitUntil(lambda: "served by passing: the manager accepts" in self.txlb("status"))
        waitUntil(lambda: [row["state"] for row in self.rows()] == ["manages", "serves", "serves"])
        self.assertEqual(self.ask().split()[0], b"second")
        for slot, generation in ((0, 0), (1, 0), (2, 1)):
            self.assertIn(f"[clone {slot}/g{generation} ", program.output)


class MixedTests(ClonesInFilesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.far = freePorts(1)[0]
        self.hosts = f'<host name="far" ip="127.0.0.1:{self.far}"/>'

    def far_(self) -> Program:
        """
        Start the host that is no clone.
        """
        folder = self.folder / "far"
        folder.mkdir()
        (folder / "index.html").write_text("far far 0")
        program = Program(
            (sys.executable, "-m", "http.server", str(self.far), "--bind", "127.0.0.1"),
            folder,
            environment(),
        )
        self.addCleanup(program.stop)
        waitUntil(lambda: self.isUp(self.far))
        return program

    def isUp(self, port: int) -> bool:
        try:
            connect(port).close()
        except OSError:
            return False
        return True

    def spread(self, wanted: Callable[[Counter[bytes]], bool]) -> None:
        """
        Ask until the answers are spread as they are to be.
        """
        waitUntil(lambda: wanted(Counter(self.nameOf() for _ in range(9))))

    def nameOf(self) -> bytes:
        """
        Ask, and return which host has answered; nothing if none has. Clients that the balancer
        relays to a host that has just gone are closed, as there is no other such host.
        """
        try:
            return self.ask().split()[1]
        except OSError:
            return b""

    def test_beside(self) -> None:
        """
        A host that is no clone gets its share, by the balancer's relay; if it is gone, the
        clones get it.
        """
        far = self.far_()
        self.scheduler = "roundr"
        self.begin()
        self.spread(lambda found: set(found.values()) == {3})
        far.stop()
        self.spread(lambda found: found.keys() == {b"clone0", b"clone1"})

    def test_sticky(self) -> None:
        """
        Beside each other they are chosen by the client's address as well.
        """
        self.far_()
        self.scheduler = "sticky"
        self.begin()
        self.spread(lambda found: len(found) == 1)

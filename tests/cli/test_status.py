"""
Tests for L{txlb.cli._status}.
"""

from __future__ import annotations

import json
import os
import re
import sys

from tests.admin.targets import FakeClones
from tests.cli.support import BalancerTests
from tests.cli.test_passwd import Terminal
from txlb.admin import Target, statusTable
from txlb.admin._cloned import ClonedBalancer
from txlb.admin._status import statusText
from txlb.cli._command import NO_BALANCER
from txlb.cli._status import nested, paint, snapshots
from txlb.errors import UnknownName


class StatusTests(BalancerTests):
    def test_table(self) -> None:
        """
        It is what the manhole shows.
        """
        self.open()
        status, out, err = self.run_("status")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out, statusTable(self.balancer) + "\n")

    def test_colours(self) -> None:
        """
        On a terminal, states have colours; without them it is the same.
        """
        self.open()
        out = Terminal()
        self.patch(sys, "stdout", out)
        self.patch(sys.modules["txlb.cli._status"], "environmentColours", lambda _: True)
        self.balancer.manager.getPool("web").acquire().release()
        self.run_("status")
        self.assertIn("\x1b[32mup\x1b[0m", out.getvalue())
        self.assertIn("\x1b[90munchecked\x1b[0m", out.getvalue())
        plain = re.sub("\x1b\\[[0-9]*m", "", out.getvalue())
        self.assertEqual(plain, statusTable(self.balancer) + "\n")

    def test_paint(self) -> None:
        self.assertEqual(paint("down", "x"), "\x1b[31mx\x1b[0m")
        self.assertEqual(paint("down", ""), "")

    def test_json(self) -> None:
        self.open()
        _, out, _ = self.run_("status", "--json")
        status = json.loads(out)
        self.assertEqual(status["listeners"], {"web": ["127.0.0.1:8080"]})
        (service,) = status["services"]
        self.assertEqual([group["name"] for group in service["groups"]], ["prod", "test"])
        self.assertEqual([host["name"] for host in service["groups"][0]["hosts"]], ["h0", "h1"])
        self.assertEqual((status["file"], status["changes"]), (None, []))

    def test_all(self) -> None:
        """
        Of several balancers each is shown, and one that is not there makes the exit status.
        """
        self.open()
        gone = os.path.join(self.folder, "gone")
        status, out, err = self.run_("status", "--all", "-s", gone, "-s", self.path)
        self.assertEqual(status, NO_BALANCER)
        self.assertEqual(out, f"{gone}:\n{self.path}:\n{statusTable(self.balancer)}\n")
        self.assertIn(f"{gone}: there is no such socket", err)

    def test_allAsJSON(self) -> None:
        self.open()
        gone = os.path.join(self.folder, "gone")
        status, out, err = self.run_("status", "--all", "--json", "-s", self.path, "-s", gone)
        one, two = json.loads(out)
        self.assertEqual((status, err), (NO_BALANCER, ""))
        self.assertEqual((one["socket"], one["services"][0]["name"]), (self.path, "web"))
        self.assertEqual(list(two), ["socket", "error"])

    def test_allThereAre(self) -> None:
        """
        If none is named it is all at the usual paths.
        """
        self.open()
        self.patch(sys.modules["txlb.cli._where"], "SYSTEM_SOCKET", self.path + "none")
        self.patch(sys.modules["txlb.cli._where"], "SYSTEM_SOCKETS", self.folder + "/cont*")
        status, out, err = self.run_("status", "--all", "web")
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(out.startswith(f"{self.path}:\n"))
        self.assertEqual(out.count(":\n"), 1)

    def test_lastSocket(self) -> None:
        """
        Without --all the last one that is named counts, as for other subcommands.
        """
        self.open()
        status, out, _ = self.run_("status", "-s", "/nowhere", "-s", self.path)
        self.assertEqual((status, out), (0, statusTable(self.balancer) + "\n"))

    def test_processes(self) -> None:
        """
        A cloned application has a row for each process, beside the hosts.
        """
        clones = FakeClones()
        self.target = Target(ClonedBalancer(clones), None, self.target.history, clones=clones)
        self.open()
        _, out, _ = self.run_("status", "--json")
        status = json.loads(out)
        self.assertEqual(status["processes"], list(map(dict, clones.processes())))
        self.assertEqual(status["listeners"], {"tcp-8080": ["0.0.0.0:8080"]})
        self.out.truncate(0)
        self.out.seek(0)
        _, out, _ = self.run_("status")
        self.assertIn(
            """\
processes
  process  role     state    pid  generation  connections     lag  memory
  manager  manager  manages  100           3            0  1.2 ms   52 MB
  clone0   clone    starts   101           3           12       -       -

service clones: 0 active""",
            out,
        )
        self.assertIn("    clone1  unix:clone1  unchecked", out)

    def test_processesOfGroups(self) -> None:
        """
        The clones of a balancer are named as its hosts are.
        """
        self.balancer.clones.rows = [
            {"name": "manager", "role": "manager", "state": "manages", "pid": 1},
            {"name": "clone0", "role": "clone", "state": "serves", "service": "web", "group": "a"},
        ]
        self.open()
        _, out, _ = self.run_("status", "--json")
        self.assertEqual(json.loads(out)["processes"], self.balancer.clones.rows)
        _, out, _ = self.run_("status")
        self.assertIn("\n  web/a/clone0  clone    serves", out)
        self.assertIn("\n  manager       manager  manages    1", out)
        self.assertIn("web/a/clone0", statusTable(self.balancer, only="web"))

    def test_served(self) -> None:
        """
        Listeners of clones tell how connections come to them.
        """
        why = "the scheduler sticky looks at the client's address"
        self.open()
        for reason, by, line in (
            ("", "grant", "served by grant: the clones accept"),
            (why, "passing", f"served by passing: the manager accepts, as {why}"),
        ):
            self.balancer.listeners["web"].whyPassed = reason
            self.out.truncate(0)
            self.out.seek(0)
            _, out, _ = self.run_("status", "--json")
            self.assertEqual(json.loads(out)["served"], {"web": {"by": by, "why": reason}})
            _, out, _ = self.run_("status")
            self.assertIn(f"\n      {line}\n", out)
            self.assertIn(f"\n      {line}\n", statusTable(self.balancer))

    def test_processesInColour(self) -> None:
        clones = FakeClones()
        text = statusText({}, [], paint=paint, processes=clones.processes())
        self.assertIn("manager  \x1b[32mmanages\x1b[0m  100", text)
        self.assertIn("clone    \x1b[33mstarts\x1b[0m", text)

    def test_noProcesses(self) -> None:
        """
        Other balancers have none; nor has a part of a cloned one's status any.
        """
        self.open()
        _, out, _ = self.run_("status", "--json")
        self.assertEqual(json.loads(out)["processes"], [])
        _, out, _ = self.run_("status", "web")
        self.assertNotIn("processes\n", out)

    def test_large(self) -> None:
        """
        However many hosts there are.
        """
        from tests.admin.targets import FakeBalancer  # noqa: PLC0415

        self.balancer = FakeBalancer(hosts=1500)
        self.target = Target(self.balancer, None, self.target.history)
        self.open()
        _, out, _ = self.run_("status", "--json")
        self.assertEqual(len(json.loads(out)["services"][0]["groups"][0]["hosts"]), 1500)

    def test_newer(self) -> None:
        """
        What a newer balancer tells besides is left out of the table.
        """
        from txlb.admin._rows import statusRows  # noqa: PLC0415

        rows = [dict(row, novelty=1) for row in statusRows(self.balancer, None)]
        for row in rows:
            if row["row"] == "host":
                # The pool does not know the file.
                self.assertEqual(row["origin"], "live")
                row["origin"] = ""
        self.assertEqual(snapshots(nested(rows)), self.balancer.manager.snapshot())

    def test_listenerOfThem(self) -> None:
        self.assertRaises(UnknownName, self.balancer.getProxyService, "x")

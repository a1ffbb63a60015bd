"""
What is true in a balancer is true in the process that takes over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from tests.integration.support import UpgradeTestCase, freePorts, waitUntil

CONFIG = """
<service name="web" ratePerClient="1000">
  <listen ip="127.0.0.1:{port}"/>
  <group name="main" scheduler="roundr" enable="yes" slowStart="600">
    <check type="tcp" interval="0.2" rise="2" fall="2"/>
    <host name="a" ip="127.0.0.1:{host}"/>
    <host name="b" ip="127.0.0.1:{host}"/>
    <host name="dead" ip="127.0.0.1:{dead}"/>
    {more}
  </group>
  <group name="other" scheduler="sticky">
    <host name="o" ip="127.0.0.1:{host}"/>
  </group>
</service>
"""

#: What goes on while the state moves: times, the last check, and bytes.
GROWS = frozenset({"bytesIn", "bytesOut"})
MOVES = GROWS | {"since", "checked", "checkedAge", "upShare", "effectiveWeight", "loadAge"}


class StateTests(UpgradeTestCase):
    """
    The status before and after an upgrade.
    """

    def rows(self) -> list[dict[str, Any]]:
        """
        Return what C{txlb status --json} tells of services, groups and hosts.
        """
        done = self.txlb("status", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        found: list[dict[str, Any]] = []
        for service in json.loads(done.stdout)["services"]:
            groups = service.pop("groups")
            found.append({"row": "service", **service})
            for group in groups:
                hosts = group.pop("hosts")
                found.append({"row": "group", **group})
                found += [{"row": "host", **host} for host in hosts]
        return found

    def row(self, name: str) -> dict[str, Any]:
        (found,) = [row for row in self.rows() if row["row"] == "host" and row["name"] == name]
        return found

    @property
    def active(self) -> int:
        """
        The connections of all hosts.
        """
        return sum(row["active"] for row in self.rows() if row["row"] == "host")

    def still(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: row[key] for key in row if key not in MOVES} for row in rows]

    def said(self, *words: str) -> None:
        done = self.txlb(*words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_status(self) -> None:
        """
        The status is the same, but for times that go on. What was changed live is still there, and
        the file has one host more. The events have their numbers.
        """
        port, moved, hostPort, dead = freePorts(4)
        self.host(hostPort)
        config = CONFIG.format(port=port, host=hostPort, dead=dead, more="")
        self.balancer(config)
        clients = self.clients(port, idle=6)
        waitUntil(lambda: self.row("dead")["state"] == "down")
        waitUntil(lambda: all(self.row(name)["state"] == "up" for name in "ab"))
        self.said("weight", "web/main/a", "5")
        self.said("drain", "web/main/b")
        self.said("switch-port", "web", str(moved))
        waitUntil(
            lambda: sum(row.get("active", 0) for row in self.rows() if row["row"] == "host") == 6
        )
        before, since = self.rows(), self.row("dead")["since"]
        self.upgrade()
        after = self.rows()
        self.assertEqual(self.still(after), self.still(before))
        self.assertGreaterEqual(self.row("dead")["since"], since)
        for one, other in zip(before, after, strict=True):
            for name in GROWS.intersection(one):
                self.assertGreaterEqual(other[name], one[name])
        events = [json.loads(line) for line in self.txlb("events", "--json").stdout.splitlines()]
        kinds = [event.get("kind") for event in events]
        self.assertIn("host-weight", kinds)
        self.assertEqual(clients.seen()["wrong"], [])
        # The new file has one host more, and what was changed live stays.
        more = f'<host name="new" ip="127.0.0.1:{hostPort}"/>'
        self.rewrite(CONFIG.format(port=port, host=hostPort, dead=dead, more=more))
        self.upgrade()
        names = [row["name"] for row in self.rows() if row["row"] == "host"]
        self.assertEqual(names, ["a", "b", "dead", "new", "o"])
        self.assertEqual((self.row("a")["weight"], self.row("b")["wanted"]), (5, "drain"))

    def test_conflict(self) -> None:
        """
        If the new file contradicts a live change the upgrade is refused, with both values, and
        nothing has changed.
        """
        port, hostPort, dead = freePorts(3)
        config = CONFIG.format(port=port, host=hostPort, dead=dead, more="")
        self.balancer(config)
        self.said("weight", "web/main/a", "5")
        self.rewrite(config.replace('<host name="a"', '<host name="a" weight="7"'))
        pid = self.pid
        done = self.txlb("upgrade")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("weight", done.stdout + done.stderr)
        self.assertEqual(self.pid, pid)
        self.assertEqual(self.row("a")["weight"], 5)
        # Changes are possible again.
        self.said("weight", "web/main/a", "6")
        self.assertTrue(os.path.exists(self.control))

"""
Tests for L{txlb.config._difference}.
"""

from __future__ import annotations

import dataclasses

from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import ARGON2ID, SMALL
from txlb.config import Configuration, parseConfiguration

USER = f'<user name="ann" password="{ARGON2ID}" access="full"/>'


def load(more: str) -> Configuration:
    return parseConfiguration(
        SMALL.replace(b"</config>", more.encode() + b"</config>"), "/etc/txlb/c.xml"
    )


class SettingsBetweenTests(SynchronousTestCase):
    def check(self, before: str, after: str, *lines: str) -> None:
        self.assertEqual(load(before).planTo(load(after)).lines, list(lines))

    def test_same(self) -> None:
        self.check("<!-- one -->", "<!-- another -->")

    def test_users(self) -> None:
        """
        Who may log in can be changed live. No hash is shown.
        """
        self.check(
            f"<admin>{USER}</admin>",
            f'<admin><user name="bob" password="{ARGON2ID}" access="full"/></admin>',
            "user ann removed",
            "user bob added",
        )
        other = ARGON2ID[:-1] + "X"
        self.check(
            f"<admin>{USER}</admin>",
            f'<admin><user name="ann" password="{other}" access="readonly"/></admin>',
            "user ann: password changed",
            "user ann: access full -> readonly",
        )
        plan = load(f"<admin>{USER}</admin>").planTo(
            load(f"<admin>{USER.replace('ann', 'b')}</admin>")
        )
        self.assertNotIn("argon2", str(plan.asDict()))
        self.assertEqual([change.restart for change in plan.changes], [False, False])

    def test_manager(self) -> None:
        self.check(
            '<manager graceTime="3"/>',
            '<manager graceTime="4"><configCheck enable="1"/><heartbeat/></manager>',
            "manager: configCheck none -> interval=30.0 enable=True",
            "manager: heartbeat none -> interval=60.0",
            "manager: graceTime 3.0 -> 4.0",
        )

    def test_restart(self) -> None:
        """
        What can't be changed live is said to take a restart.
        """
        self.check(
            '<admin><ssh listen="127.0.0.1:2222"/></admin>',
            '<admin><ssh listen="127.0.0.1:2223"/></admin><control socket="/run/c"/>'
            '<logging file="l"/>',
            "control added; this takes a restart",
            "logging added; this takes a restart",
            "ssh: listen 127.0.0.1:2222 -> 127.0.0.1:2223; this takes a restart",
        )
        self.check('<logging file="l"/>', "", "logging removed; this takes a restart")
        self.check(
            '<control socket="/run/c"/>',
            '<control socket="/run/d"/>',
            "control: control /run/c -> /run/d; this takes a restart",
        )

    def test_cluster(self) -> None:
        """
        A balancer joins and leaves a cluster by a restart alone.
        """
        cluster = '<cluster name="c" election="etcd:http://127.0.0.1:1"/>'
        self.check("", cluster, "cluster added; this takes a restart")
        self.check(
            cluster,
            cluster.replace('"c"', '"c" ttl="5s"'),
            "cluster: ttl 3.0 -> 5.0; this takes a restart",
        )

    def test_everything(self) -> None:
        """
        Whatever a configuration says is compared: each of its fields is known
        here, and so would be a new one.
        """
        known = {
            "path",
            "services",
            "admin",
            "manager",
            "control",
            "logging",
            "events",
            "cluster",
            "notes",
            "root",
        }
        names = {each.name for each in dataclasses.fields(Configuration)}
        self.assertEqual(names - known - {"_source"}, set())

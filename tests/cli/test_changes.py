"""
Tests for L{txlb.cli._changes}.
"""

from __future__ import annotations

import argparse
import json
import os

from tests.cli.support import BalancerTests
from txlb.admin import COMMANDS, findCommand
from txlb.cli._changes import CHANGES, groupPath, hostPath, weight


class ChangeTests(BalancerTests):
    def did(self, *words: str) -> str:
        status, out, err = self.run_(*words)
        self.assertEqual((status, err), (0, ""))
        return out

    def test_weight(self) -> None:
        self.open()
        out = self.did("weight", "web/prod/h0", "5")
        self.assertEqual(out, "host-weight web/prod/h0: weight 1 -> 5, by uid:7\n")
        self.assertEqual(self.balancer.manager.getHost("web", "prod", "h0").weight, 5)

    def test_nothing(self) -> None:
        self.open()
        self.assertEqual(
            self.did("weight", "web/prod/h0", "1"), "nothing to change: it is so already\n"
        )

    def test_add(self) -> None:
        self.open()
        self.did("add", "web/prod/new", "127.0.0.1:7009", "--weight", "3")
        host = self.balancer.manager.getHost("web", "prod", "new")
        self.assertEqual((str(host.address), host.weight), ("127.0.0.1:7009", 3))

    def test_remove(self) -> None:
        self.open()
        self.did("remove", "web/prod/h0", "--address", "127.0.0.1:7001")
        self.assertIn("host-gone web/prod/h0", self.did("remove", "web/prod/h1"))

    def test_states(self) -> None:
        self.open()
        self.assertIn("ready -> drain", self.did("drain", "web/prod/h0", "--deadline", "5"))
        self.assertIn("drain -> maintenance", self.did("maintenance", "web/prod/h0"))
        self.assertIn("maintenance -> ready", self.did("ready", "web/prod/h0"))
        self.assertEqual(self.doors[0].asked[0]["deadline"], "5")
        self.assertNotIn("deadline", self.doors[0].asked[1])

    def test_deadlineWithUnit(self) -> None:
        """
        The balancer is told it as it is typed, and understands it.
        """
        self.open()
        self.assertIn("ready -> drain", self.did("drain", "web/prod/h0", "--deadline", "5m"))
        self.assertEqual(self.doors[0].asked[0]["deadline"], "5m")

    def test_file(self) -> None:
        self.open()
        self.assertEqual(self.did("diff"), "")
        self.did("weight", "web/prod/h0", "5")
        change = "host web/prod/h0: weight 1 -> 5\n"
        self.out.truncate(0)
        self.out.seek(0)
        self.assertEqual(self.did("diff", "other.xml"), change)
        self.assertTrue(os.path.isabs(self.doors[0].asked[-1]["file"]))
        self.out.truncate(0)
        self.out.seek(0)
        self.assertEqual(self.did("diff"), f"changed live: {change}")
        self.assertEqual(self.run_("diff", "--exit-code")[0], 5)
        self.out.truncate(0)
        self.out.seek(0)
        (row,) = json.loads(self.did("diff", "--json"))
        self.assertEqual((row["origin"], row["text"] + "\n"), ("live", f"changed live: {change}"))
        self.out.truncate(0)
        self.out.seek(0)
        self.assertEqual(self.did("diff", "--discard"), change)
        self.assertEqual(self.doors[0].asked[-1]["discard"], "True")
        self.assertIn(change, self.did("reload", "--discard"))
        self.assertIn("/etc/txlb.xml was saved", self.did("save", "--overwrite"))
        file = self.balancer.configuration
        assert file is not None
        self.assertEqual(file.calls[-2:], [("reload", True), ("save", True)])

    def test_switchGroup(self) -> None:
        self.open()
        self.did("switch-group", "web/test")
        self.assertEqual(self.balancer.manager.getService("web").enabledGroup.name, "test")

    def test_switchPort(self) -> None:
        self.open()
        self.assertEqual(self.did("switch-port", "web", "9000"), "web listens on 127.0.0.1:9000\n")

    def test_scheduler(self) -> None:
        self.open()
        self.did("scheduler", "web/prod", "leastc")
        self.assertEqual(self.balancer.manager.getGroup("web", "prod").scheduler, "leastc")

    def test_json(self) -> None:
        self.open()
        (row,) = json.loads(self.did("weight", "web/prod/h0", "5", "--json"))
        self.assertEqual((row["kind"], row["by"]), ("host-weight", "uid:7"))

    def test_refused(self) -> None:
        self.open()
        status, out, err = self.run_("weight", "web/prod/h7", "5")
        self.assertEqual((status, out), (1, ""))
        self.assertTrue(err.startswith("txlb weight: no host of group 'prod' is called 'h7'"), err)

    def test_usage(self) -> None:
        """
        What is wrong on the command line is said before anybody is asked.
        """
        for words in (
            ("weight", "web/prod", "5"),
            ("weight", "web/prod/", "5"),
            ("weight", "web/prod/h0", "70000"),
            ("weight", "web/prod/h0", "x"),
            ("add", "web/prod/h0"),
            ("scheduler", "web", "leastc"),
            ("switch-port", "web"),
            ("drain", "web/prod/h0", "--deadline", "x"),
            ("drain", "web/prod/h0", "--deadline", "-1"),
            ("drain", "web/prod/h0", "--deadline", "2d"),
            ("drain", "web/prod/h0", "--deadline", "1w"),
        ):
            self.assertEqual(self.exits(*words), 2)

    def test_arguments(self) -> None:
        self.assertEqual(hostPath("a/b/c"), "a/b/c")
        self.assertEqual(groupPath("a/b"), "a/b")
        self.assertEqual(weight("0"), "0")
        self.assertRaises(argparse.ArgumentTypeError, weight, "²")

    def test_list(self) -> None:
        """
        Each subcommand asks for a command of the list, and everything of the list that
        changes something has one.
        """
        asked = {findCommand(change.asks).name for change in CHANGES} | {"diff", "plan"}
        self.assertEqual(asked, {each.name for each in COMMANDS if each.access == "full"})

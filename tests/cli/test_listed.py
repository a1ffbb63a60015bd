"""
Tests for L{txlb.cli._listed}.
"""

from __future__ import annotations

import argparse
import json
import os

from twisted.trial.unittest import SynchronousTestCase

from tests.admin.targets import FakeClones
from tests.cli.support import BalancerTests
from txlb.admin import COMMANDS, FULL, READONLY, AdminCommand, Target, findCommand
from txlb.admin._arguments import FILE, FLAG, SECONDS, TEXT, Argument
from txlb.admin._cloned import ClonedBalancer
from txlb.cli import COMMANDS as SUBCOMMANDS
from txlb.cli import _main
from txlb.cli._listed import ListedCommand, pathName, readPath


class ListedTests(BalancerTests):
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
        self.did("weight", "web/prod/h0", "1")
        origin = "dns:web.example"
        self.balancer.manager.addHost("web", "prod", "f1", "127.0.0.1:9", origin=origin)
        self.out.truncate(0)
        self.out.seek(0)
        # What a source has found is told, and is no difference.
        status, out, _ = self.run_("diff", "--exit-code")
        self.assertEqual(status, 0)
        self.assertIn("found: host web/prod/f1 added", out)
        self.balancer.manager.delHost("web", "prod", "f1")
        self.did("weight", "web/prod/h0", "5")
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

    def test_addressLeftOut(self) -> None:
        """
        A clone is added without an address, which has its place otherwise.
        """
        self.open()
        status, out, _ = self.run_("add", "web/prod/h9", "127.0.0.1:9", "maxConnections=5")
        self.assertEqual((status, out.count("host-added")), (0, 1))
        host = self.balancer.manager.getHost("web", "prod", "h9")
        self.assertEqual(host.maxConnections, 5)
        status, _, err = self.run_("add", "web/prod/h10")
        self.assertEqual(status, 1)
        self.assertIn("needs address", err)
        clones = FakeClones()
        self.target = Target(ClonedBalancer(clones), None, self.target.history, clones=clones)
        status, out, _ = self.run_("add", "clones/tcp-8080/clone4")
        self.assertEqual((status, clones.changed), (0, [("clone4",)]))
        self.assertIn("clone4 starts: 3 clones are wanted now", out)

    def test_usage(self) -> None:
        """
        What is wrong on the command line is said before anybody is asked.
        """
        for words in (
            ("weight", "web/prod", "5"),
            ("weight", "web/prod/", "5"),
            ("weight", "web/prod/h0", "70000"),
            ("weight", "web/prod/h0", "x"),
            ("add", "web/prod"),
            ("scheduler", "web", "leastc"),
            ("switch-port", "web"),
            ("drain", "web/prod/h0", "--deadline", "x"),
            ("drain", "web/prod/h0", "--deadline", "-1"),
            ("drain", "web/prod/h0", "--deadline", "2d"),
            ("drain", "web/prod/h0", "--deadline", "1w"),
        ):
            self.assertEqual(self.exits(*words), 2)

    def test_list(self) -> None:
        """
        Each entry of the list has its subcommand, with its access, words and arguments; C{diff}
        gives C{plan}.
        """
        words = [each.name for each in SUBCOMMANDS]
        self.assertEqual(
            [each.name for each in COMMANDS if not each.words], ["plan", "reloadCertificates"]
        )
        self.assertEqual(
            [word for word in words if word in {each.words for each in COMMANDS}],
            [each.words for each in COMMANDS if each.words],
        )

    def test_help(self) -> None:
        """
        The help is the list's: the summary, the whole description, and each argument.
        """
        for entry in COMMANDS:
            if entry.words and entry.words != "events":
                self.out.truncate(0)
                self.out.seek(0)
                self.assertEqual(self.exits(*entry.words.split(), "--help"), 0)
                text = " ".join(self.out.getvalue().split())
                self.assertIn(entry.doc, text)
                for argument in entry.arguments:
                    if not argument.kind.secret:
                        self.assertIn(argument.doc, text)

    def test_one(self) -> None:
        """
        The status of one service.
        """
        self.open()
        self.assertIn("service web: ", self.did("status", "web"))
        self.assertEqual(self.doors[0].asked[0]["service"], "web")
        self.assertEqual(self.run_("status", "nosuch")[0], 1)

    def test_settings(self) -> None:
        """
        Settings are pairs, before options and behind them.
        """
        self.open()
        out = self.did("set", "group", "web/prod", "maxQueue=100", "queueTimeout=3s")
        self.assertIn("maxQueue", out)
        group = self.balancer.manager.getGroup("web", "prod")
        self.assertEqual((group.maxQueue, group.queueTimeout), (100, 3.0))
        self.did(
            "add", "web/prod/new", "127.0.0.1:9", "--weight", "2", "maxConnections=5", "backup=yes"
        )
        host = self.balancer.manager.getHost("web", "prod", "new")
        self.assertEqual((host.weight, host.maxConnections, host.backup), (2, 5, True))
        self.did("set", "admission", "web", "deny=192.0.2.0/24,198.51.100.1")
        self.assertEqual(len(self.balancer.manager.getService("web").deny), 2)
        status, _, err = self.run_("set", "host", "web/prod/h0", "maxConnection=5")
        self.assertEqual(status, 1)
        self.assertIn("txlb set host: no setting of a host is called 'maxConnection'", err)
        for words in (
            ("set", "group", "web/prod"),
            ("set", "group", "web/prod", "maxQueue"),
            ("set", "group", "web/prod", "=1"),
            ("set", "group", "web/prod", "maxQueue=1", "--frob=1"),
            ("add", "web/prod/x", "127.0.0.1:9", "--weight", "2", "maxConnections"),
            ("weight", "web/prod/h0", "1", "x=1"),
        ):
            self.assertEqual(self.exits(*words), 2, words)

    def test_explain(self) -> None:
        """
        The choice for a client, as a table; the group may be left out.
        """
        self.open()
        out = self.did("explain", "web", "--client", "192.0.2.1")
        self.assertIn("web/prod (roundr): 192.0.2.1 would get h0\n", out)
        self.assertEqual(
            {key: value for key, value in self.doors[0].asked[0].items() if key[0] != "_"},
            {"service": "web", "clientAddr": "192.0.2.1"},
        )
        self.assertIn("web/test (leastc): no host is ready", self.did("explain", "web/test"))


class PathTests(SynchronousTestCase):
    """
    Names that are one word.
    """

    path = tuple(findCommand("setWeight").arguments[:3])

    def wrong(self, path: tuple[Argument, ...], text: str) -> str:
        return str(self.assertRaises(argparse.ArgumentTypeError, readPath, path, text))

    def test_read(self) -> None:
        self.assertEqual(pathName(self.path), "SERVICE/GROUP/HOST")
        self.assertEqual(readPath(self.path, "a/b/c"), {"service": "a", "group": "b", "host": "c"})
        for text in ("a/b", "a/b/", "a/b/c/d", "", "//"):
            self.assertEqual(
                self.wrong(self.path, text),
                f"{text!r} does not name a host; say SERVICE/GROUP/HOST, as in web/prod/host1",
            )

    def test_partOfIt(self) -> None:
        """
        What has a default may be left out.
        """
        path = tuple(findCommand("explain").arguments[:2])
        self.assertEqual(pathName(path), "SERVICE[/GROUP]")
        self.assertEqual(readPath(path, "a"), {"service": "a"})
        self.assertEqual(readPath(path, "a/b"), {"service": "a", "group": "b"})
        self.assertIn("say SERVICE[/GROUP], as in web/prod", self.wrong(path, "a/b/c"))
        self.assertIn("does not name a group", self.wrong(path, ""))


class MadeTests(BalancerTests):
    """
    Subcommands of entries that a test makes.
    """

    def give(self, entry: AdminCommand, *words: str) -> object:
        """
        Give a command with the list's door open.

        @return: what was sent.
        """
        door = self.open(lambda _: {"_answer": "1", "rows": "[]", "more": "False"})
        self.patch(_main, "COMMANDS", (ListedCommand(entry).command(),))
        self.patch(_main, "FAMILIES", {"certs": "look at certificates"})
        status, _, err = self.run_(*words)
        self.assertEqual((status, err), (0, ""))
        return {key: value for key, value in door.asked[0].items() if key != "_ask"}

    def test_twoWords(self) -> None:
        """
        An entry may have words of two levels. The help of the first one names the second.
        """
        arguments = (
            Argument("name", TEXT, "a name"),
            Argument("maxAge", SECONDS, "an age", 5.0),
            Argument("key", FILE, "a file", ""),
            Argument("all", FLAG, "all of them", False),
        )
        entry = AdminCommand("reloadCerts", "certs reload", FULL, "Reload it.", arguments)
        sent = self.give(
            entry, "certs", "reload", "x", "--max-age", "2m", "--key", "k.pem", "--all"
        )
        self.assertEqual(
            sent,
            {
                "_command": "ReloadCerts",
                "name": "x",
                "maxAge": "2m",
                "key": os.path.abspath("k.pem"),
                "all": "True",
            },
        )
        self.assertEqual(self.out.getvalue(), "nothing to change: it is so already\n")
        self.assertEqual(self.exits("certs", "--help"), 0)
        self.assertIn("    reload    reload it\n", self.out.getvalue())
        self.assertIn("Look at certificates.", self.out.getvalue())
        self.assertEqual(self.exits("certs"), 2)
        self.assertEqual(self.exits("certs", "reload", "x", "--max-age", "soon"), 2)
        self.assertIn("maxAge: 'soon' is not a number of seconds", self.err.getvalue())

    def test_aWordAlone(self) -> None:
        """
        The first of two words may be a command of its own.
        """
        self.open(lambda _: {"_answer": "1", "rows": '[{"text": "x"}]', "more": "False"})
        self.assertEqual(self.run_("sessions"), (0, "x\n", ""))

    def test_itsSecondWord(self) -> None:
        door = self.open(lambda _: {"_answer": "1", "rows": "[]", "more": "False"})
        self.run_("sessions", "end", "7")
        self.assertEqual(door.asked[0]["_command"], "EndSession")
        self.assertEqual(door.asked[0]["session"], "7")
        self.assertEqual(self.exits("sessions", "--help"), 0)
        self.assertIn("    end ", self.out.getvalue())

    def test_refusedOfTwoWords(self) -> None:
        """
        An error names both words.
        """
        entry = AdminCommand("reloadCerts", "certs reload", FULL, "Reload it.")
        self.open(lambda _: {"_error": "1", "_error_code": "X", "_error_description": "no"})
        self.patch(_main, "COMMANDS", (ListedCommand(entry).command(),))
        self.patch(_main, "FAMILIES", {"certs": "look at certificates"})
        self.assertEqual(self.run_("certs", "reload"), (1, "", "txlb certs reload: no\n"))

    def test_nothingToTell(self) -> None:
        """
        An entry that only looks says nothing if there is nothing.
        """
        self.give(AdminCommand("look", "look", READONLY, "Look at it."), "look")
        self.assertEqual(self.out.getvalue(), "")

"""
Tests for L{txlb.admin._help}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.admin.targets import ANNA, FakeBalancer
from txlb.admin._commands import COMMANDS
from txlb.admin._functions import functions
from txlb.admin._help import WIDTH, Help, helpText
from txlb.admin._history import History
from txlb.admin._target import Target


class HelpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shown: list[str] = []
        balancer = FakeBalancer()
        names = {
            "services": balancer,
            "manager": balancer.manager,
            **functions(Target(balancer, None, History()), ANNA),
        }
        self.help = Help(self.shown.append, names)
        self.names = names

    def test_overview(self) -> None:
        """
        Each command is in it, with its arguments and what it does.
        """
        self.help()
        (text,) = self.shown
        self.assertIn("  services\n      the balancer", text)
        self.assertNotIn("  config\n", text)
        self.assertIn("  drain(service, group, host, deadline=None)\n      Let a host", text)
        for command in COMMANDS:
            if command.name != "status" and command.forPrompt:
                self.assertIn(f"  {command.name}(", text)
        self.assertLessEqual(max(map(len, text.splitlines())), WIDTH + 6)
        self.assertIn("help(drain)", repr(self.help))

    def test_one(self) -> None:
        for thing in (self.names["drain"], "drain"):
            self.help(thing)
            text = self.shown.pop()
            self.assertTrue(text.startswith("drain(service, group, host, deadline=None)\n\n"), text)
            self.assertIn("\ndeadline: the time after which", text)

    def test_others(self) -> None:
        """
        Of everything else Python's own help, without what a terminal would need for it.
        """
        self.help(self.names["manager"], "nosuch")
        self.assertIn("class ProxyManager", self.shown[0])
        # Python 3.13 writes each argument of a long list on a line of its own.
        self.assertRegex(self.shown[0], r"setWeight\([\s|]*self,[\s|]*serviceName")
        self.assertEqual(self.shown[1], "nothing is called 'nosuch' here; help() tells what is\n")
        self.assertNotIn("\b", "".join(self.shown))

    def test_builtins(self) -> None:
        """
        Functions that don't tell their arguments.
        """
        self.assertTrue(helpText(min).startswith("min(...)\n\n"))

    def test_withoutWords(self) -> None:
        def silent() -> None:
            pass

        help_ = Help(self.shown.append, {"silent": silent, "help": self.help})
        help_()
        self.assertIn("  silent()\n", self.shown[0])
        self.assertNotIn("  help()", self.shown[0])

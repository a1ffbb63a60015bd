"""
Tests for L{txlb.admin._functions}.
"""

from __future__ import annotations

import inspect

from twisted.internet.defer import Deferred

from tests.admin.test_commands import CommandCase
from txlb.admin._commands import COMMANDS
from txlb.admin._functions import Told, functions
from txlb.errors import UnknownName


class FunctionTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.functions = functions(self.target)

    def test_all(self) -> None:
        """
        Each command of the list is there, with its arguments and its help.
        """
        self.assertEqual(set(self.functions), {each.name for each in COMMANDS} - {"status"})
        for command in COMMANDS:
            if command.name != "status":
                function = self.functions[command.name]
                self.assertEqual(function.__name__, command.name)
                self.assertIn(command.doc, function.__doc__ or "")
                names = list(inspect.signature(function).parameters)
                self.assertEqual(names, [each.name for each in command.arguments])

    def test_call(self) -> None:
        """
        They are called as any other, and show what has happened.
        """
        told = self.functions["setWeight"]("web", "prod", host="h0", weight=4)
        self.assertEqual(repr(told), "host-weight web/prod/h0: weight 1 -> 4")
        self.assertEqual(told[0]["kind"], "host-weight")
        again = self.functions["setWeight"]("web", "prod", "h0", 4)
        self.assertEqual(repr(again), "nothing to change: it is so already")
        self.assertIn("weight 1 -> 4", repr(self.functions["events"]()))

    def test_wrong(self) -> None:
        self.assertRaises(TypeError, self.functions["setWeight"], "web")
        self.assertRaises(UnknownName, self.functions["setWeight"], "web", "prod", "h7", 4)

    def test_later(self) -> None:
        waiting = self.functions["events"](after=0, wait=10)
        assert isinstance(waiting, Deferred)
        self.functions["setWeight"]("web", "prod", "h0", 4)
        self.assertIsInstance(self.successResultOf(waiting), Told)

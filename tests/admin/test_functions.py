"""
Tests for L{txlb.admin._functions}.
"""

from __future__ import annotations

import inspect
import math

from twisted.internet.defer import Deferred, fail

from tests.admin.targets import ANNA
from tests.admin.test_commands import CommandCase
from txlb.admin._access import READONLY, Caller
from txlb.admin._commands import COMMANDS
from txlb.admin._functions import Told, functions
from txlb.errors import AccessDenied, ModelError, UnknownName
from txlb.model import Plan


class FunctionTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.functions = functions(self.target, ANNA)

    def test_all(self) -> None:
        """
        Each command of the list is there, with its arguments and its help.
        """
        wanted = {each.name for each in COMMANDS if each.forPrompt} - {"status"}
        self.assertEqual(set(self.functions), wanted)
        for command in COMMANDS:
            if command.name != "status" and command.forPrompt:
                function = self.functions[command.name]
                self.assertEqual(function.__name__, command.name)
                self.assertIn(command.doc, function.__doc__ or "")
                names = list(inspect.signature(function).parameters)
                self.assertEqual(names, [each.name for each in command.arguments])

    def test_deferred(self) -> None:
        """
        An answer that is there already is returned, and what a command failed with is raised;
        an answer that takes a while comes by a Deferred.
        """
        self.assertEqual(repr(self.functions["plan"]()), "nothing to change: it is so already")
        file = self.balancer.configuration
        assert file is not None
        self.patch(file, "drift", lambda: fail(ModelError("no")))
        self.assertRaises(ModelError, self.functions["diff"])
        waiting: Deferred[Plan] = Deferred()
        self.patch(file, "reload", lambda **_settings: waiting)
        answer = self.functions["reload"]()
        self.assertNoResult(answer)
        waiting.callback(Plan())
        self.assertEqual(tuple(self.successResultOf(answer)), ())

    def test_call(self) -> None:
        """
        They are called as any other, and show what has happened.
        """
        told = self.functions["setWeight"]("web", "prod", host="h0", weight=4)
        self.assertEqual(repr(told), "host-weight web/prod/h0: weight 1 -> 4, by ssh:anna")
        self.assertEqual(told[0]["kind"], "host-weight")
        again = self.functions["setWeight"]("web", "prod", "h0", 4)
        self.assertEqual(repr(again), "nothing to change: it is so already")
        self.assertIn("weight 1 -> 4", repr(self.functions["events"]()))

    def test_wrong(self) -> None:
        for arguments in (("web",), ("web", "prod", "h0", 1, 2)):
            error = self.assertRaises(ModelError, self.functions["setWeight"], *arguments)
            self.assertIn("setWeight(service, group, host, weight): ", str(error))
        self.assertRaises(UnknownName, self.functions["setWeight"], "web", "prod", "h7", 4)

    def test_wrongKinds(self) -> None:
        """
        A value of another kind is named, and does nothing: C{reload(discard='no')}
        would discard.
        """
        path = ("web", "prod", "h0")
        units = "or a time with a unit, as in 500ms, 2s, 5m, 1h or 1d"
        time = f"a number of seconds, 0 or more, {units}"
        deadline = f"a number of seconds from 0 to 86400, {units}"
        for name, arguments, told in (
            ("reload", ("no",), "discard is 'no'; it is True or False"),
            ("save", (1,), "overwrite is 1; it is True or False"),
            ("delHost", (*path, "", "yes"), "force is 'yes'; it is True or False"),
            ("setWeight", (*path, "4"), "weight is '4'; it is a whole number from 0 to 65535"),
            ("setWeight", (*path, True), "weight is True; it is a whole number from 0 to 65535"),
            ("setWeight", (*path, None), "weight is None; it is a whole number from 0 to 65535"),
            ("drain", (*path, "5 s"), f"deadline: '5 s' is not {deadline}"),
            ("drain", (*path, "-1s"), f"deadline: '-1s' is not {deadline}"),
            ("drain", (*path, "2d"), f"deadline: '2d' is not {deadline}"),
            ("drain", (*path, -1), f"deadline is -1; it is {deadline}"),
            ("events", ("x",), "after is 'x'; it is a whole number"),
            ("events", (0, math.nan), f"wait is nan; it is {time}"),
        ):
            error = self.assertRaises(ModelError, self.functions[name], *arguments)
            self.assertEqual(str(error), told)
        file = self.balancer.configuration
        assert file is not None
        self.assertEqual((file.calls, len(self.balancer.manager.events)), ([], 0))
        self.functions["drain"](*path, deadline=5)
        self.functions["drain"](*path, deadline=None)
        self.functions["events"](wait=1.5)

    def test_times(self) -> None:
        """
        A time may be a text with a unit.
        """
        path = ("web", "prod", "h0")
        calls: list[object] = []

        def drain(*_path: object, deadline: object) -> tuple[()]:
            calls.append(deadline)
            return ()

        self.patch(self.balancer.manager, "drain", drain)
        for time in ("1m", "250ms", "5", 7):
            self.functions["drain"](*path, deadline=time)
        self.assertEqual(calls, [60.0, 0.25, 5.0, 7])

    def test_access(self) -> None:
        """
        A function is for callers that have the access of its command.
        """
        found = functions(self.target, Caller("ssh:rita", READONLY))
        error = self.assertRaises(AccessDenied, found["setWeight"], "web", "prod", "h0", 4)
        self.assertEqual(
            str(error), "setWeight needs operator access, and ssh:rita has readonly access"
        )
        self.assertEqual(self.balancer.manager.getHost("web", "prod", "h0").weight, 1)
        self.assertIn("would get h0", repr(found["explain"]("web")))

    def test_noEvents(self) -> None:
        self.assertEqual(repr(self.functions["events"]()), "no events")

    def test_later(self) -> None:
        waiting = self.functions["events"](after=0, wait=10)
        assert isinstance(waiting, Deferred)
        self.functions["setWeight"]("web", "prod", "h0", 4)
        self.assertIsInstance(self.successResultOf(waiting), Told)

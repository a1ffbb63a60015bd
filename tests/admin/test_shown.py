"""
Tests for L{txlb.admin._shown}.
"""

from __future__ import annotations

import json
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import FakeConsole
from tests.admin.targets import ANNA, FakeBalancer
from txlb.admin import _shown
from txlb.admin._console import Interpreter
from txlb.admin._functions import functions
from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.errors import ModelError


class ErrorTests(SynchronousTestCase):
    """
    A mistake is told in a line that says what is wrong, and not in a traceback through our
    modules.
    """

    def setUp(self) -> None:
        self.console = FakeConsole()
        balancer = FakeBalancer()
        names = functions(Target(balancer, None, History()), ANNA)
        self.interpreter = Interpreter(
            self.console, {**names, "manager": balancer.manager, "json": json}
        )

    def push(self, *lines: str) -> str:
        self.console.errors = ""
        for line in lines:
            self.interpreter.push(line.encode())
        return self.console.errors

    def test_names(self) -> None:
        for call in ("setWeight('web', 'prod', 'h7', 1)", "manager.ready('web', 'prod', 'h7')"):
            told = self.push(call)
            self.assertRegex(told, r"^UnknownName: no host .*is called 'h7'; there are: h0, h1\n$")

    def test_values(self) -> None:
        self.assertRegex(
            self.push("manager.setWeight('web', 'prod', 'h0', 70000)"), r"^\w+: .*65535.*\n$"
        )

    def test_arguments(self) -> None:
        told = self.push("setWeight('web')")
        self.assertEqual(
            told,
            "ModelError: setWeight(service, group, host, weight): "
            "missing a required argument: 'group'\n",
        )
        told = self.push("manager.setWeight('web')")
        self.assertRegex(told, r"^TypeError: .*setWeight\(\) missing 3 required.*\n$")

    def test_python(self) -> None:
        self.assertEqual(self.push("nosuch"), "NameError: name 'nosuch' is not defined\n")
        self.assertEqual(self.push("{}['x']"), "KeyError: 'x'\n")
        self.assertEqual(self.push("raise ValueError"), "ValueError\n")
        self.assertEqual(self.push("assert 1 == 2, 'no'"), "AssertionError: no\n")

    def ours(self) -> None:
        """
        Bind a function of one of our modules that calls what it is given.
        """
        code = "def ours(function):\n    return 1 + function()\n"
        exec(compile(code, _shown._OURS + "pool/_odd.py", "exec"), self.interpreter.locals)

    def test_insideOurs(self) -> None:
        """
        What goes wrong in one of our modules is told with the place: it may be a fault of ours.
        """
        self.ours()
        told = self.push("ours(str)")
        self.assertRegex(told, r"^TypeError: unsupported .* \(txlb/pool/_odd\.py, line 2\)\n$")
        told = self.push("if True:", "    ours(str)", "")
        self.assertNotIn("Traceback", told)

    def test_calledFromOurs(self) -> None:
        """
        What was typed, and is called by ours, is told; ours is not.
        """
        self.ours()
        self.push("def bad():", "    1/0", "")
        told = self.push("ours(bad)")
        self.assertIn('File "<console>", line 2, in bad\nZeroDivisionError', told)
        self.assertNotIn("txlb", told)

    def test_functions(self) -> None:
        """
        In functions that were typed the lines are told.
        """
        self.push("def f():", "    return 1/0", "")
        told = self.push("f()")
        self.assertIn('File "<console>", line 1, in <module>\n', told)
        self.assertIn('File "<console>", line 2, in f\n', told)

    def test_otherModules(self) -> None:
        told = self.push("json.loads('x')")
        self.assertIn("Traceback", told)
        self.assertIn("JSONDecodeError: Expecting value", told)

    def test_causes(self) -> None:
        self.push(
            "try:",
            "    manager.plan(7)",
            "except TypeError as e:",
            "    raise KeyError(1) from e",
            "",
        )
        told = self.push("")
        told = self.console.errors or told
        self.push("try:", "    1/0", "except Exception as e:", "    raise KeyError(1) from e", "")
        self.assertIn("ZeroDivisionError", self.console.errors)
        self.assertIn("The above exception was the direct cause", self.console.errors)
        self.ours()
        self.push("try:", "    ours(str)", "except Exception:", "    raise KeyError(1)", "")
        self.assertNotIn(".py", self.console.errors)
        self.assertIn("During handling of the above exception", self.console.errors)

    def test_lastError(self) -> None:
        """
        The debugger's C{pm()} finds it.
        """
        self.push("setWeight('web')")
        self.assertIsInstance(sys.last_value, ModelError)

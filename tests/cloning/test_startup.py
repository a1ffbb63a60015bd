"""
Tests for L{txlb.cloning._startup}.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any
from unittest import mock

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import CloningError
from txlb.cloning._startup import (
    ExitStatus,
    OneLine,
    isTwistd,
    startingUp,
    tellInOneLine,
)

#: Code that calls a function as the start of C{twistd} does.
_STARTS = "def starts(call):\n    call()\n"

#: A C{.tac} that has an error in its second line.
_WRONG = "\nfail()\n"


def asTwistd(call: Any) -> None:
    """
    Call something with Twisted's start on the stack.
    """
    scope: dict[str, Any] = {"__name__": "twisted.application.app"}
    exec(_STARTS, scope)
    scope["starts"](call)


class StartingUpTests(SynchronousTestCase):
    def fail_(self) -> None:
        scope: dict[str, Any] = {"__name__": "txlb.cloning._service", "startingUp": startingUp}
        scope["error"] = self.error
        code = "def fail():\n    with startingUp():\n        raise error\n"
        exec(code, scope)
        exec(compile(_WRONG, "app.tac", "exec"), {"fail": scope["fail"]})

    error: Exception = CloningError("processes is 0: give 1")

    def test_line(self) -> None:
        """
        The message names the line of the application.
        """
        with self.assertRaises(SystemExit) as caught:
            asTwistd(self.fail_)
        self.assertEqual(caught.exception.code, "txlb: app.tac, line 2: processes is 0: give 1")

    def test_elsewhere(self) -> None:
        """
        Programs other than C{twistd} get the error.
        """
        self.assertRaises(CloningError, self.fail_)

    def test_address(self) -> None:
        self.error = CannotListenError("127.0.0.1", 80, OSError(13, "Permission denied"))
        with self.assertRaises(SystemExit) as caught:
            asTwistd(self.fail_)
        self.assertIn("127.0.0.1:80: [Errno 13] Permission denied", str(caught.exception.code))

    def test_others(self) -> None:
        """
        Errors of the application's own code stay as they are.
        """
        self.error = ZeroDivisionError()
        self.assertRaises(ZeroDivisionError, asTwistd, self.fail_)

    def test_isTwistd(self) -> None:
        found: list[bool] = [isTwistd()]
        asTwistd(lambda: found.append(isTwistd()))
        self.assertEqual(found, [False, True])


class ExitStatusTests(SynchronousTestCase):
    def test_status(self) -> None:
        """
        The process ends with status 1 if it has failed.
        """
        ends: list[int] = []
        self.patch(os, "_exit", ends.append)
        status = ExitStatus()
        status.end()
        self.assertEqual(ends, [])
        status.failed = True
        status.end()
        self.assertEqual(ends, [1])
        status.failed = False


class OneLineTests(SynchronousTestCase):
    def test_ends(self) -> None:
        """
        C{twistd} ends with the line and the exit status 1.
        """
        with self.assertRaises(SystemExit) as caught:
            OneLine(traceback).print_exc(file=None)
        self.assertEqual(caught.exception.code, "txlb: NoneType: None")

    def test_other(self) -> None:
        """
        All else is the module's.
        """
        self.assertIs(OneLine(traceback).format_exc, traceback.format_exc)

    def test_installed(self) -> None:
        """
        It stands there only while C{twistd} reads a C{.tac}.
        """
        app = mock.Mock(traceback=traceback)
        with mock.patch.dict(sys.modules, {"twisted.application.app": app}):
            tellInOneLine()
            self.assertIs(app.traceback, traceback)
            asTwistd(tellInOneLine)
            first = app.traceback
            self.assertIsInstance(first, OneLine)
            asTwistd(tellInOneLine)
            self.assertIs(app.traceback, first)

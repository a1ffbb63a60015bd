"""
What the tests of the command line have in common.
"""

from __future__ import annotations

import io
import sys

from twisted.trial.unittest import SynchronousTestCase

from txlb.cli import main


class CommandTests(SynchronousTestCase):
    """
    What is said where, and the exit status.
    """

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        return status, self.out.getvalue(), self.err.getvalue()

    def exits(self, *arguments: str) -> object:
        return self.assertRaises(SystemExit, main, arguments).code

    def file(self, data: bytes) -> str:
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(data)
        return path

"""
Everything that can be wrong with a file, and what is said of it.
"""

from __future__ import annotations

import os
import re
import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import SMALL
from tests.config.wrong import CONTENTS, DOCUMENTS, Wanted, web
from txlb.config import loadConfiguration, parseConfiguration
from txlb.errors import ConfigurationError, Problem


def problemsOf(data: bytes) -> tuple[Problem, ...]:
    try:
        parseConfiguration(data, "c.xml")
    except ConfigurationError as error:
        return error.problems
    return ()


class WrongFileTests(SynchronousTestCase):
    """
    Each is refused with all that is wrong, and nothing else.
    """

    def check(self, data: bytes, wanted: Wanted) -> None:
        found = problemsOf(data)
        text = "\n".join(map(str, found))
        self.assertEqual([problem.line for problem in found], [line for line, _ in wanted], text)
        for problem, (_, pattern) in zip(found, wanted, strict=True):
            self.assertEqual(problem.file, "c.xml")
            self.assertTrue(re.search(pattern, problem.message), problem.message)

    def test_rightOnes(self) -> None:
        """
        What the mistakes are made of is right.
        """
        self.check(SMALL, [])
        self.check(web(), [])

    def test_allAtOnce(self) -> None:
        """
        Every mistake of a file is found in one go, in the order of the lines.
        """
        self.check(
            web(
                '<listen ip="*:0"/>',
                'name="prod" scheduler="x" enable="perhaps" passiveFall="0"',
                '<host name="a/b" ip="nowhere" weight="-1"/>',
                '<group name="prod" colour="red"/>',
                '<manager graceTime="-1"/><adnim/>text',
            ),
            [
                (3, r"port 0"),
                (4, r"scheduler"),
                (4, r"enable"),
                (4, r"passiveFall"),
                (5, r"without a slash"),
                (5, r"has no port"),
                (5, r"weight"),
                (7, r"colour"),
                (7, r"second group"),
                (9, r"text"),
                (9, r"graceTime"),
                (9, r"<admin>"),
            ],
        )

    def test_passwordsAreNotQuoted(self) -> None:
        data, _ = CONTENTS["a plain password"]
        self.assertNotIn("hunter2", "".join(map(str, problemsOf(data))))


def _add(kind: str, name: str, data: bytes, wanted: Wanted) -> None:
    def test(self: WrongFileTests) -> None:
        self.check(data, wanted)

    test.__doc__ = f"A file with {name}."
    word = re.sub(r"\W+", "_", name).strip("_")
    setattr(WrongFileTests, f"test_{kind}_{word}", test)


for _kind, _table in (("document", DOCUMENTS), ("content", CONTENTS)):
    for _name, (_data, _wanted) in _table.items():
        _add(_kind, _name, _data, _wanted)


class UnreadableFileTests(SynchronousTestCase):
    """
    Files that can't even be read.
    """

    def check(self, path: str, pattern: str) -> None:
        error = self.assertRaises(ConfigurationError, loadConfiguration, path)
        (problem,) = error.problems
        self.assertEqual((problem.file, problem.line), (path, 0))
        self.assertTrue(re.search(pattern, problem.message), problem.message)

    def test_missing(self) -> None:
        self.check(self.mktemp(), "it can't be read: No such file")

    def test_folder(self) -> None:
        path = str(self.mktemp())
        os.mkdir(path)
        self.check(path, "this is a folder; give the configuration file itself")

    def test_pipe(self) -> None:
        """
        A pipe that nobody writes to keeps nobody waiting.
        """
        path = str(self.mktemp())
        os.mkfifo(path)
        self.check(path, "this is no regular file")

    def test_socket(self) -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            path = f"/proc/self/fd/{sock.fileno()}"
            self.check(path, "it can't be read")

    def test_device(self) -> None:
        self.check("/dev/zero", "this is no regular file")

    def test_nulInPath(self) -> None:
        self.check("a\0b", "a NUL in the path")

    def test_tooLong(self) -> None:
        """
        Not more of it is read than is needed to know.
        """
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.truncate(1 << 40)
        self.check(path, "longer than 10485760 bytes")

"""
Tests for L{txlb.errors}.
"""

from __future__ import annotations

import difflib
import itertools
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb import errors
from txlb.errors import (
    MOST_TOLD_CHARACTERS,
    ConfigurationError,
    ListenError,
    Problem,
    TxlbError,
    UnknownName,
    firstLines,
    listed,
    nearest,
)


class TreeTests(SynchronousTestCase):
    def test_oneRoot(self) -> None:
        """
        One C{except} catches them all, and those of the model are what Python
        calls such things, too.
        """
        found = [
            each
            for each in vars(errors).values()
            if isinstance(each, type) and issubclass(each, Exception)
        ]
        self.assertGreater(len(found), 8)
        for each in found:
            self.assertTrue(issubclass(each, TxlbError), each)
            self.assertIn(each.__name__, errors.__all__)
        self.assertTrue(issubclass(errors.ModelError, ValueError))
        self.assertTrue(issubclass(errors.AddressError, errors.ModelError))
        self.assertTrue(issubclass(errors.DuplicateName, errors.ModelError))
        self.assertTrue(issubclass(errors.UnknownName, LookupError))
        self.assertTrue(issubclass(errors.LeaseReleased, RuntimeError))


class UnknownNameTests(SynchronousTestCase):
    def test_near(self) -> None:
        error = UnknownName("service", "wbe", iter(["web", "mail"]))
        self.assertEqual(str(error), "no service is called 'wbe'; did you mean 'web'?")
        self.assertEqual((error.kind, error.name, error.known), ("service", "wbe", ("web", "mail")))

    def test_far(self) -> None:
        error = UnknownName("group", "x", ["stable", "canary"])
        self.assertEqual(str(error), "no group is called 'x'; there are: canary, stable")

    def test_noneKnown(self) -> None:
        error = UnknownName("host", "x", [])
        self.assertEqual(str(error), "no host is called 'x'; there is none yet")

    def test_noText(self) -> None:
        """
        At a prompt one may well ask for a number.
        """
        name: object = 7
        error = UnknownName("service", name, ["web"])  # type: ignore[arg-type]  # that is the point
        self.assertEqual(str(error), "no service is called 7; there are: web")

    def test_manyKnown(self) -> None:
        """
        Of thousands of names a message lists the first ones and counts the others.
        """
        error = UnknownName("host", "x", (f"host{number:05}" for number in range(20_000)))
        self.assertEqual(
            str(error),
            "no host is called 'x'; there are: "
            + ", ".join(f"host{number:05}" for number in range(20))
            + " and 19980 more",
        )
        self.assertEqual(len(error.known), 20_000)

    def test_longNames(self) -> None:
        """
        Names are cut, those that are known as well as the one that is not.
        """
        error = UnknownName("host", "x" * 60_000, ["h" * 255])
        self.assertEqual(str(error), f"no host is called '{'x' * 60}…'; there are: {'h' * 60}…")


class ListedTests(SynchronousTestCase):
    def test_few(self) -> None:
        self.assertEqual(listed(["b", "a"]), "b, a")
        self.assertEqual(listed(iter(["b", "a"]), " or "), "b or a")
        self.assertEqual(listed([]), "")

    def test_bound(self) -> None:
        """
        The bound itself needs no count.
        """
        names = [f"{number:02}" for number in range(22)]
        self.assertTrue(listed(names[:20]).endswith(", 19"))
        self.assertTrue(listed(names[:21]).endswith(", 19 and 1 more"))


class NearestTests(SynchronousTestCase):
    names = tuple(f"host{number:05}" for number in range(20_000))

    def test_nearest(self) -> None:
        self.assertEqual(nearest("lsiten", ["listen", "group"]), "listen")
        self.assertIsNone(nearest("zzz", ["listen", "group"]))
        self.assertIsNone(nearest("zzz", []))

    def test_ofThousands(self) -> None:
        """
        One slip of the finger is understood among thousands of names that look alike: a
        letter too many, too few, another one, or two the wrong way round.
        """
        for wrong in ("hsot00042", "hostt00042", "hos00042", "h0st00042"):
            self.assertEqual(nearest(wrong, self.names), "host00042", wrong)

    def test_boundedWork(self) -> None:
        """
        However many names there are, few are compared letter by letter: that takes up to
        a millisecond for each, in which no connection is served.
        """
        compared: list[int] = []
        original = difflib.get_close_matches

        def watched(word: str, possibilities: list[str], **settings: Any) -> list[str]:
            compared.append(len(possibilities))
            return original(word, possibilities, **settings)

        self.patch(difflib, "get_close_matches", watched)
        nearest("hsot00042", self.names)
        nearest("x", self.names)
        nearest("x" * 60_000, self.names)
        self.assertEqual(compared, [30, 0])

    def test_endless(self) -> None:
        """
        No more names than that are asked for.
        """
        self.assertIsNone(nearest("zzz", map(str, itertools.count())))


class MessageTests(SynchronousTestCase):
    def test_listen(self) -> None:
        error = ListenError("127.0.0.1:80", "permission denied")
        self.assertEqual(str(error), "can't listen on 127.0.0.1:80: permission denied")
        self.assertEqual((error.address, error.reason), ("127.0.0.1:80", "permission denied"))

    def test_problem(self) -> None:
        """
        A problem says where it is, the line only where there is one.
        """
        problem = Problem("c.xml", 7, "no port")
        self.assertEqual(str(problem), "c.xml:7: no port")
        self.assertEqual(repr(problem), "<Problem c.xml:7: no port>")
        self.assertEqual(str(Problem("c.xml", 0, "empty")), "c.xml: empty")

    def test_configuration(self) -> None:
        """
        All the problems, a line each, in their order.
        """
        problems = [Problem("c.xml", 7, "no port"), Problem("c.xml", 3, "no name")]
        error = ConfigurationError(problems)
        self.assertEqual(str(error), "c.xml:7: no port\nc.xml:3: no name")
        self.assertEqual(error.problems, tuple(problems))
        self.assertEqual(error.more, 0)

    def test_moreProblems(self) -> None:
        """
        Those that are not told are counted.
        """
        problems = [Problem("c.xml", 7, "no port")]
        self.assertEqual(
            str(ConfigurationError(problems, 1)), "c.xml:7: no port\nc.xml: and 1 more problem"
        )
        self.assertIn("\nc.xml: and 79951 more problems", str(ConfigurationError(problems, 79951)))

    def test_longProblems(self) -> None:
        """
        Many long problems are counted, too, so that the message fits into an answer of the
        control socket with its last line.
        """
        problems = [Problem("c.xml", line, "x" * 1000) for line in range(1, 51)]
        error = ConfigurationError(problems, 7)
        lines = str(error).split("\n")
        self.assertLess(len(str(error)), MOST_TOLD_CHARACTERS + 100)
        told = len(lines) - 1
        self.assertEqual(lines[:told], [str(problem) for problem in problems[:told]])
        self.assertEqual(lines[told], f"c.xml: and {57 - told} more problems")
        self.assertEqual((error.problems, error.more), (tuple(problems[:told]), 57 - told))
        # The first is told in any case.
        path = "p" * 100_000
        self.assertEqual(len(ConfigurationError([Problem(path, 0, "no name")]).problems), 1)

    def test_firstLines(self) -> None:
        """
        A list of lines without a bound is told by its first lines and the number of the
        others.
        """
        lines = [str(number) for number in range(52)]
        self.assertEqual(firstLines(lines[:50]), lines[:50])
        self.assertEqual(firstLines(lines), [*lines[:50], "and 2 more lines"])
        self.assertEqual(firstLines(lines[:51], "a.txt: "), [*lines[:50], "a.txt: and 1 more line"])
        self.assertEqual(firstLines(["x" * 600] * 50), [*["x" * 600] * 39, "and 11 more lines"])
        self.assertEqual(firstLines(["x" * 100_000]), ["x" * 100_000])

    def test_longProblem(self) -> None:
        self.assertEqual(Problem("c.xml", 7, "x" * 100_000).message, "x" * 1000 + "…")

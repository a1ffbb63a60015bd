"""
Tests for L{txlb.errors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb import errors
from txlb.errors import ConfigurationError, ListenError, Problem, TxlbError, UnknownName, nearest


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


class NearestTests(SynchronousTestCase):
    def test_nearest(self) -> None:
        self.assertEqual(nearest("lsiten", ["listen", "group"]), "listen")
        self.assertIsNone(nearest("zzz", ["listen", "group"]))
        self.assertIsNone(nearest("zzz", []))


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

"""
Tests for L{txlb.admin._completion} and L{txlb.admin._choices}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.admin.targets import ANNA, FakeBalancer
from txlb.admin._completion import Completer, beginning
from txlb.admin._functions import functions
from txlb.admin._history import History
from txlb.admin._target import Target


class Thing:
    """
    Something with attributes.
    """

    value = 1

    def __init__(self) -> None:
        self.inner = [1]
        self._hidden = 2

    @property
    def broken(self) -> int:
        raise ValueError("no")

    def method(self) -> None:
        pass


class NameTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.completer = Completer({"thing": Thing(), "thick": 3, "Thing": Thing, "_own": 1})

    def choices(self, line: str) -> list[str]:
        return self.completer.complete(line)[1]

    def test_names(self) -> None:
        self.assertEqual(self.completer.complete("x = thi"), ("thi", ["thick", "thing"]))
        self.assertEqual(self.choices("(Thin"), ["Thing"])
        self.assertEqual(self.choices("_o"), ["_own"])
        self.assertEqual(self.choices("print"), ["print("])
        self.assertEqual(self.choices("whil"), ["while"])
        self.assertEqual(self.choices("nosuch"), [])

    def test_hidden(self) -> None:
        """
        What begins with an underscore is offered when that is typed.
        """
        self.assertNotIn("_own", self.completer.complete("")[1])
        self.assertNotIn("thing._hidden", self.choices("thing."))
        self.assertEqual(self.choices("thing._h"), ["thing._hidden"])

    def test_attributes(self) -> None:
        self.assertEqual(
            self.choices("f(thing."),
            ["thing.broken", "thing.inner", "thing.method(", "thing.value"],
        )
        self.assertEqual(self.choices("thing.inner.ap"), ["thing.inner.append("])

    def test_nothing(self) -> None:
        for line in ("1 +", "thing.broken.", "nosuch.x", "thing.no.x", "''."):
            self.assertEqual(self.choices(line), [], line)

    def test_beginning(self) -> None:
        for words, found in (
            ([], ""),
            (["abc"], "abc"),
            (["abc", "abd", "ab"], "ab"),
            (["abc", "xyz"], ""),
            (["ab", "abc"], "ab"),
        ):
            self.assertEqual(beginning(words), found)


class ArgumentTests(SynchronousTestCase):
    """
    Of a command's arguments what there is.
    """

    def setUp(self) -> None:
        names = functions(Target(FakeBalancer(), None, History()), ANNA)
        self.completer = Completer({**names, "x": 1})

    def choices(self, line: str) -> list[str]:
        return self.completer.complete(line)[1]

    def test_inTurn(self) -> None:
        self.assertEqual(self.completer.complete("drain('w"), ("w", ["web'"]))
        self.assertEqual(self.choices('drain("'), ['web"'])
        self.assertEqual(self.choices("drain('web', '"), ["prod'", "test'"])
        self.assertEqual(self.choices("drain('web', 'prod', 'h"), ["h0'", "h1'"])
        self.assertEqual(self.choices("drain('web', 'test', '"), [])
        self.assertEqual(self.choices("drain('nosuch', '"), [])
        self.assertEqual(self.choices("switchPort('"), ["web'"])

    def test_byName(self) -> None:
        self.assertEqual(self.choices("drain(service='web', group='p"), ["prod'"])
        self.assertEqual(self.choices("drain('web', host='h0', group='t"), ["test'"])

    def test_schedulers(self) -> None:
        self.assertIn("roundr'", self.choices("setScheduler('web', 'prod', 'r"))

    def test_checks(self) -> None:
        self.assertIn("http'", self.choices("setCheck('web', 'prod', 'h"))
        self.assertEqual(self.choices("setCheck('web', 'prod', 'http', 'h0"), ["h0'"])

    def test_others(self) -> None:
        """
        What is no name of anything, and calls of what is no command.
        """
        self.assertEqual(self.choices("addHost('web', 'prod', 'h2', '"), [])
        self.assertEqual(self.choices("drain('web', 'prod', 'h0', 5, '"), [])
        self.assertEqual(self.choices("print('w"), [])
        self.assertEqual(self.choices("x('w"), [])
        self.assertEqual(self.choices("drain(x, '"), [])

"""
Tests for L{txlb.config._problems} and L{txlb.model.looks}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import SMALL
from tests.registries import keepRegistries
from txlb.config import _nodes, parseConfiguration
from txlb.config._problems import MOST_PROBLEMS, Problems
from txlb.errors import ConfigurationError
from txlb.model import looks
from txlb.model.registries import CHECKS, PROBES
from txlb.schedulers import SCHEDULERS


class ProblemsTests(SynchronousTestCase):
    """
    The first problems are kept, and the others are counted.
    """

    @given(st.lists(st.integers(0, 60), max_size=200))
    def test_first(self, lines: list[int]) -> None:
        """
        Whatever the order of the reports, those of the first lines are kept, in the order
        of the lines, and of the reports for one line.
        """
        problems = Problems("c.xml")
        for number, line in enumerate(lines):
            problems.report(line, str(number))
        wanted = sorted(enumerate(lines), key=lambda each: each[1])[:MOST_PROBLEMS]
        found = [(int(each.message), each.line) for each in problems.first()]
        self.assertEqual(found, wanted)
        self.assertEqual(len(problems), len(lines))

    def test_messagesThatAreNotKept(self) -> None:
        """
        They are not made.
        """
        problems, made = Problems("c.xml"), []

        def message() -> str:
            made.append(1)
            return "wrong"

        for line in range(1000):
            problems.report(line, message)
        self.assertEqual(len(made), MOST_PROBLEMS)

    def test_check(self) -> None:
        problems = Problems("c.xml")
        problems.check()
        for line in range(MOST_PROBLEMS + 2):
            problems.report(line, "wrong")
        error = self.assertRaises(ConfigurationError, problems.check)
        self.assertEqual((len(error.problems), error.more), (MOST_PROBLEMS, 2))

    def test_all(self) -> None:
        problems = Problems("c.xml")
        self.assertEqual(problems.all(), [])
        for line in range(MOST_PROBLEMS):
            problems.report(line, "wrong")
        self.assertEqual(len(problems.all()), MOST_PROBLEMS)
        problems.report(7, "wrong")
        self.assertEqual(str(problems.all()[-1]), "c.xml: and 1 more")


class ManyMistakesTests(SynchronousTestCase):
    """
    A file with thousands of mistakes costs little, and says little.
    """

    def wrong(self, data: bytes) -> ConfigurationError:
        try:
            parseConfiguration(data, "c.xml")
        except ConfigurationError as error:
            return error
        raise AssertionError("nothing is wrong")

    def test_services(self) -> None:
        """
        20,000 services that say nothing have three mistakes each. The first 50 are told.
        """
        error = self.wrong(b"<config>\n" + b"<service/>\n" * 20_000 + b"</config>")
        lines = str(error).splitlines()
        self.assertEqual(len(lines), 51)
        self.assertTrue(lines[0].startswith("c.xml:2: <service> has no attribute name"), lines[0])
        self.assertTrue(lines[49].startswith("c.xml:18: "), lines[49])
        self.assertEqual(lines[50], "c.xml: and 59950 more problems")

    def test_attributes(self) -> None:
        """
        Names that were meant are looked for as often as one is told, not 40,000 times.
        """
        looked = []

        self.patch(_nodes, "nearest", lambda name, _known: looked.append(name))
        names = b" ".join(b'conect%d="1"' % number for number in range(40_000))
        error = self.wrong(SMALL.replace(b"<service ", b"<service " + names + b" "))
        self.assertEqual((len(error.problems), error.more), (50, 39_950))
        self.assertEqual(len(looked), 100)

    def test_notes(self) -> None:
        """
        What should be known is told as far, and no file is refused for it.
        """
        hostless = b'    <group name="%d"/>\n'
        groups = b"".join(hostless % number for number in range(100))
        data = SMALL.replace(b"  </service>", groups + b"  </service>")
        notes = parseConfiguration(data, "c.xml").notes
        self.assertEqual(len(notes), 51)
        self.assertIn("has no host", notes[0].message)
        self.assertEqual(str(notes[-1]), "c.xml: and 50 more")

    def test_names(self) -> None:
        """
        A message lists few names.
        """
        service = b'<service name="s"><listen ip=":1"/>%s</service>'
        groups = b"".join(b'<group name="g%05d"/>' % number for number in range(5000))
        for more in (b"", b'<enable group="zzz"/>'):
            error = self.wrong(b"<config>" + service % (groups + more) + b"</config>")
            (problem,) = error.problems
            self.assertIn("g00019' and 4980 more" if not more else "g00019 and 4980", str(problem))
            self.assertLess(len(str(problem)), 600)

    def test_plugins(self) -> None:
        """
        Plugins are looked for a few times for all unknown words of a file: each time all
        their folders are read. The next file may have them looked for again.
        """
        looked: list[int] = []

        def find() -> tuple[str, ...]:
            looked.append(0)
            return ()

        registries = (SCHEDULERS, CHECKS, PROBES)
        keepRegistries(self, *registries)
        for registry in registries:
            registry.findBy(find)
        groups = b"".join(
            b'<group name="%d" scheduler="a%d"><check type="b%d"/><resource probe="c%d"/></group>'
            % ((number,) * 4)
            for number in range(100)
        )
        data = SMALL.replace(b"  </service>", groups + b"  </service>")
        for times in (1, 2):
            error = self.wrong(data)
            self.assertEqual(len(error.problems) + error.more, 300)
            self.assertEqual(len(looked), times * looks.MOST_LOOKS)

    def test_looksOutside(self) -> None:
        """
        A program may look as often as it likes.
        """
        self.assertEqual({looks.mayLook() for _ in range(100)}, {True})

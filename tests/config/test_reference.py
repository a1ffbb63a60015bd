"""
Tests for L{txlb.config._reference}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.config import _reference, parseConfiguration, referencePage
from txlb.config import _schema as schema
from txlb.config._element import walk


class ReferencePageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.page = referencePage()

    def section(self, tag: str) -> str:
        _, _, rest = self.page.partition(f".. _config-{tag}:")
        return rest.partition(".. _config-")[0]

    def test_everything(self) -> None:
        """
        Each element has a section, each attribute in it a row.
        """
        for element, parent in walk(schema.CONFIG):
            section = self.section(element.tag)
            self.assertIn(element.doc, section)
            for attribute in element.attributes:
                self.assertIn(f"   * - ``{attribute.name}``\n     - {attribute.doc}", section)
            if parent is not None:
                self.assertRegex(section, rf":Stands in: .*:ref:`\\<{parent.tag}\\>")
            for child in element.children:
                self.assertIn(f"config-{child.element.tag}>`", section)
        self.assertIn("It may stand in any element", self.section("note"))

    def test_rows(self) -> None:
        """
        A row says what there is to know.
        """
        self.assertIn(
            """\
   * - ``ip``
     - Where it is reached.

       An address: host:port, [::1]:port or unix:/path.
     - *required*
     - 1.1.0
   * - ``weight``
""",
            self.section("host"),
        )
        self.assertIn(
            """\

       A whole number from 0 to 65535.
     - ``1``
     - 1.1.0
""",
            self.section("host"),
        )
        self.assertIn("     - *required*\n", self.section("listen"))
        self.assertIn("     - no limit\n     - 2.0\n", self.section("host"))
        self.assertIn("It is read and has no effect.", self.section("admin"))
        self.assertIn("PythonDirector", self.section("enable"))

    def test_occurrences(self) -> None:
        section = self.section("config")
        self.assertIn("<config-service>` (one or more)", section)
        self.assertIn("<config-admin>` (at most one)", section)
        self.assertIn("<config-host>` (any number)", self.section("group"))

    def test_example(self) -> None:
        """
        What the page shows is right.
        """
        found = parseConfiguration(_reference._EXAMPLE.encode(), "example.xml")
        self.assertEqual(found.notes, ())
        for line in _reference._EXAMPLE.splitlines():
            self.assertIn(f"    {line}\n", self.page)

"""
Tests for L{txlb.config._shown}.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import SMALL
from txlb.config import _shown, shownDifference
from txlb.config._shown import shownLines
from txlb.errors import ConfigurationError

#: What must not be seen.
SECRET = "hunter2"

FILE = f"""\
<!-- ours -->
<config>
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="prod" enable="true"/>
  </service>
  <admin>
    <user name="ann" password="{SECRET}" access="full"/>
  </admin>
</config>
<!-- end -->
"""

USER = f'<user name="ann" password="{SECRET}" access="full"/>'

#: Each a way in which a secret may stand in a file, in the place of the user.
WAYS = {
    "the attribute": USER,
    "two lines": f'<user name="ann"\n  password="{SECRET[:3]}\n{SECRET[3:]}"\n  access="full"/>',
    "after the equals sign": f'<user name="ann" password=\n"{SECRET}" access="full"/>',
    "other quotes": f"<user password = '{SECRET}' access='full' name='ann'/>",
    "quotes inside": f"<user password='\"{SECRET}' access='full' name='ann'/>",
    "references": f'<user name="ann" password="&#104;{SECRET}" access="full"/>',
    "a wrong name": f'<user name="ann" pasword="{SECRET}" access="full"/>',
    "another case": f'<user name="ann" PASSWORD="{SECRET}" access="full"/>',
    "an unknown element": f'<users><user name="ann" password="{SECRET}"/></users>',
    "an unknown element's text": f"<password>{SECRET}</password>",
    "text": f'<user name="ann" access="full">{SECRET}</user>',
    "text behind": f'<user name="ann" access="full"/>{SECRET}',
    "CDATA": f'<user name="ann" access="full"><![CDATA[{SECRET}]]></user>',
    "a prefix": f'<user xmlns:x="urn:x" name="ann" x:password="{SECRET}"/>',
    "a comment": f"<!-- {USER} -->",
    "a comment of two lines": f'<!-- <user password=\n  "{SECRET[:3]}\n{SECRET[3:]}" -->',
    "a comment that ends early": f'<!-- <user name="ann" password="{SECRET} x -->',
    "words in a comment": f"<!-- the password: {SECRET} -->",
    "another password in a comment": f"<!-- adminPassword2={SECRET} -->",
    "a hash in a comment": f"<!-- it was $6$salt${SECRET} -->",
    "an instruction": f'<?old password="{SECRET}"?>',
    "a note": f"<note>{USER}</note>",
    "a note's text": f"<note>password: {SECRET}</note>",
    "CDATA of a note": f"<note><![CDATA[{USER}]]></note>",
    "a note's attribute": f'<note password="{SECRET}"/>',
}


class LinesTests(SynchronousTestCase):
    def lines(self, text: str) -> str:
        """
        The lines of a file as they are shown, which are as many as it has.
        """
        lines, shown = shownLines(text.encode(), "c.xml")
        self.assertEqual("\n".join(lines), text)
        self.assertEqual(len(shown), len(lines))
        return "\n".join(shown)

    def test_secrets(self) -> None:
        """
        None is seen, wherever and however it is written. What is around it is.
        """
        for name, way in WAYS.items():
            text = FILE.replace(USER, way)
            self.assertIn(SECRET[3:], text)
            shown = self.lines(text)
            self.assertNotIn(SECRET[3:], shown, name)
            self.assertIn('<listen ip="127.0.0.1:8080"/>', shown, name)

    def test_outside(self) -> None:
        """
        Comments outside of the outermost element are looked through as well.
        """
        for word in ("ours", "end"):
            shown = self.lines(FILE.replace(word, f'{word} password="{SECRET}"'))
            self.assertNotIn(SECRET, shown)
            self.assertIn(f"{word} password=(not shown)", shown)

    @given(st.sampled_from(sorted(WAYS)), st.sampled_from(sorted(WAYS)))
    def test_several(self, one: str, other: str) -> None:
        text = FILE.replace(USER, f"{WAYS[one]}\n{WAYS[other]}")
        try:
            shown = self.lines(text)
        except ConfigurationError:
            return
        self.assertNotIn(SECRET, shown)
        self.assertNotIn(SECRET[3:], shown)

    def test_nothingElse(self) -> None:
        """
        What the schema knows is shown, a remark too.
        """
        for text in (SMALL.decode(), FILE.replace(f' password="{SECRET}"', "")):
            self.assertEqual(self.lines(text), text)

    def test_noXML(self) -> None:
        """
        Of what is no XML nobody can tell what a secret is.
        """
        self.assertRaises(ConfigurationError, shownLines, b"<config", "c.xml")


class DifferenceTests(SynchronousTestCase):
    def difference(self, before: str, after: str) -> list[str]:
        return shownDifference(before.encode(), after.encode(), "one", "other")

    def test_lines(self) -> None:
        """
        It is what C{diff -U0} says.
        """
        self.assertEqual(
            self.difference(FILE, FILE.replace("ours", "theirs").replace("8080", "8081\n")),
            [
                "--- one",
                "+++ other",
                "@@ -1 +1 @@",
                "-<!-- ours -->",
                "+<!-- theirs -->",
                "@@ -4 +4,2 @@",
                '-    <listen ip="127.0.0.1:8080"/>',
                '+    <listen ip="127.0.0.1:8081',
                '+"/>',
            ],
        )
        self.assertEqual(
            self.difference("<config>\n\n</config>", "<config>\n</config>")[2:],
            ["@@ -2 +1,0 @@", "-"],
        )
        self.assertEqual(
            self.difference("<config>\n</config>", "<config>\n\n\n</config>")[2:],
            ["@@ -1,0 +2,2 @@", "+", "+"],
        )

    def test_onlyASecret(self) -> None:
        """
        That it differs is seen, and where.
        """
        for way in ("the attribute", "two lines", "a comment", "text"):
            text = FILE.replace(USER, WAYS[way])
            lines = self.difference(text, text.replace(SECRET[3:], "other"))
            self.assertGreater(len(lines), 4, way)
            for line in lines:
                self.assertNotIn(SECRET[3:], line)
                self.assertNotIn("other", line.removeprefix("+++ other"))

    def test_noXML(self) -> None:
        for pair in (("<config", FILE), (FILE, "<config")):
            (line,) = self.difference(*pair)
            self.assertRegex(line, r"what differs is not shown: (one|other):1: the file ends")

    def test_endsOfLines(self) -> None:
        (line,) = self.difference(FILE, FILE.replace("\n", "\r\n"))
        self.assertIn("in the ends of their lines only", line)

    def test_encodings(self) -> None:
        """
        Files in any encoding can be compared.
        """
        latin = '<?xml version="1.0" encoding="iso-8859-1"?>\n<config>ä</config>'
        data = latin.encode("iso-8859-1")
        lines = shownDifference(
            data, latin.replace("ä", "<!-- é -->").encode("iso-8859-1"), "a", "b"
        )
        self.assertEqual(
            lines[3:], ["-<config>(not shown)</config>", "+<config><!-- é --></config>"]
        )

    def test_bounds(self) -> None:
        """
        A difference has few lines, and those have few characters, none of which a terminal
        might obey.
        """
        many = FILE.replace("ours", "\n" * 500)
        lines = self.difference(FILE, many)
        self.assertEqual(len(lines), 201)
        self.assertEqual(lines[-1], "… and 305 lines more")
        lines = self.difference(FILE, FILE.replace("ours", "x" * 100_000))
        self.assertLess(max(map(len, lines)), 600)
        lines = self.difference(FILE, FILE.replace("ours", "\x9b31m\u202e\tours"))
        self.assertEqual(lines[-1], "+<!-- \ufffd31m\ufffd\tours -->")

    def test_boundedWork(self) -> None:
        """
        What is long is not compared line by line, except for what both begin and end with.
        """
        compared: list[int] = []

        def matcher(_: None, one: list[str], other: list[str]) -> object:
            compared.append(max(len(one), len(other)))
            return original(None, one, other)

        original: Callable[..., object] = difflib.SequenceMatcher
        self.patch(_shown, "SequenceMatcher", matcher)
        hosts = [f'<host name="{number}" ip="h:1"/>\n' for number in range(5000)]
        one = FILE.replace('enable="true"/>\n', f'enable="true">\n{"".join(hosts)}</group>\n')
        self.assertEqual(
            self.difference(one, one.replace('"77"', '"x"'))[2:],
            ["@@ -83 +83 @@", '-<host name="77" ip="h:1"/>', '+<host name="x" ip="h:1"/>'],
        )
        lines = self.difference(one, one.replace("h:1", "h:2"))
        self.assertEqual(lines[2], "@@ -6,5000 +6,5000 @@")
        self.assertEqual(compared, [1])

"""
Tests for L{txlb.config._source}.
"""

from __future__ import annotations

import codecs

from hypothesis import given
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from tests import fewer
from tests.config.documents import PYTHON_DIRECTOR, SAMPLE_1_1_0, SMALL, documents
from txlb.config import _source, parseConfiguration
from txlb.config._source import Source
from txlb.errors import ConfigurationError
from txlb.model import ProxyService

#: A document with everything that a parser does not tell.
EVERYTHING = (
    """\
<?xml version = '1.0' encoding="{}" standalone='yes' ?>\r
<!-- <config> < & -- ä -->\t<?pi <config>?>\r
<config xmlns:x = "urn:x"\r
  a='1"&#10;&#x41;'\tb = "2'
"\t>\r
 <x:b x:c='<!-- --> >' /><c/ ><![CDATA[ <d> ]]><!---->\r
 text &amp;<b ></b\r
></config >\r
<!-- > --> \r
""".replace("<c/ >", "<c />")
    .replace("'<!-- --> >'", "'&lt;!-- --> >'")
    .replace("-- ä", "- ä")
)


def parsed(data: bytes) -> etree._Element:
    root: etree._Element = etree.fromstring(data)
    return root


class SourceTests(SynchronousTestCase):
    def same(self, data: bytes) -> Source:
        """
        A file that is not changed is the same, to the last byte.
        """
        source = Source(data, parsed(data), "c.xml")
        self.assertEqual(source.encode(), data)
        return source

    def wrong(self, data: bytes, root: etree._Element) -> str:
        error = self.assertRaises(ConfigurationError, Source, data, root, "c.xml")
        return str(error)

    def test_everything(self) -> None:
        source = self.same(EVERYTHING.format("utf-8").encode())
        names = [each.name for each in source.root.elements()]
        self.assertEqual(names, ["config", "x:b", "c", "b"])
        self.assertEqual(
            [(each.name, each.quote, each.raw) for each in source.root.attributes],
            [("xmlns:x", '"', "urn:x"), ("a", "'", '1"&#10;&#x41;'), ("b", '"', "2'\n")],
        )

    def test_files(self) -> None:
        for data in (SMALL, SAMPLE_1_1_0, PYTHON_DIRECTOR):
            self.same(data)

    @fewer(0.5)
    @given(documents())
    def test_any(self, each: tuple[bytes, list[ProxyService]]) -> None:
        self.same(each[0])

    def test_encodings(self) -> None:
        """
        Whatever the encoding is, declared or by its first bytes.
        """
        for encoding in (
            "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso-8859-1", "windows-1252",
            "gb18030", "euc-jp",
        ):  # fmt: skip
            text = EVERYTHING.format(encoding.removesuffix("-le").removesuffix("-be"))
            if encoding in {"gb18030", "euc-jp"}:
                text = text.replace("ä", "語")
            source = self.same(text.encode(encoding))
            source.root.set("a", "ä\u20ac")
            found = source.encode()
            self.assertEqual(parsed(found).get("a"), "ä\u20ac", encoding)
            self.assertEqual(
                found.decode(encoding).replace("&#8364;", "\u20ac").replace("&#228;", "ä"),
                text.replace('1"&#10;&#x41;', "ä\u20ac"),
            )

    def test_byteOrderMarks(self) -> None:
        """
        They decide, whatever is declared, as for the parser.
        """
        for mark, encoding in (
            (codecs.BOM_UTF8, "utf-8"),
            (codecs.BOM_UTF16_LE, "utf-16-le"),
            (codecs.BOM_UTF16_BE, "utf-16-be"),
        ):
            for declaration in ("", '<?xml version="1.0" encoding="iso-8859-1"?>'):
                data = mark + f'{declaration}<config a="ä"/>'.encode(encoding)
                source = self.same(data)
                self.assertEqual(source.root.attributes[0].raw, "ä")

    def test_charactersOutsideOfTheEncoding(self) -> None:
        """
        They are written as references.
        """
        source = self.same(b'<?xml version="1.0" encoding="us-ascii"?><config/>')
        source.root.set("a", "ä")
        self.assertIn(b'<config a="&#228;"/>', source.encode())

    def test_encodingOfTheParserAlone(self) -> None:
        """
        libxml2 knows some that Python doesn't. Such a file is not saved in another one,
        which would change all of it, and a note says so from the start.
        """
        data = b'<?xml version="1.0" encoding="EUC-TW"?>' + SMALL
        self.assertIn("its encoding EUC-TW can be read, but not", self.wrong(data, parsed(data)))
        configuration = parseConfiguration(data, "c.xml")
        (note,) = configuration.notes
        self.assertEqual(note.line, 1)
        self.assertIn("can't be saved to this file: its encoding EUC-TW", note.message)

    def test_bytesThatComeBackAsOthers(self) -> None:
        """
        UTF-7 has several ways to write a character, of which Python writes one.
        """
        data = b'<?xml version="1.0" encoding="UTF-7"?><config a="+AGE-"/>'
        self.assertEqual(parsed(data).get("a"), "a")
        self.assertIn("its encoding UTF-7 can be read, but not", self.wrong(data, parsed(data)))

    def test_anotherTree(self) -> None:
        """
        What the two ways of reading don't agree upon is not edited.
        """
        data = b"<config><a b='1'/></config>"
        for other in (
            b"<config/>",
            b"<config><a b='1'/><c/></config>",
            b"<config><a c='1'/></config>",
            b"<config><b b='1'/></config>",
        ):
            self.assertIn("two ways of reading", self.wrong(data, parsed(other)))

    def test_noDocument(self) -> None:
        """
        Nor is what was not read before. It takes no endless time.
        """
        root = parsed(b"<config/>")
        for data in (
            b"",
            b"text",
            b"</config>",
            b"<config>",
            b"<config",
            b"<config a=1/>",
            b"<!--",
        ):
            self.assertIn("can't be found", self.wrong(data, root))

    def test_depthAndNumber(self) -> None:
        """
        As many elements as a file may have, and as deep.
        """
        data = b"<config>" * 32 + b"<a/>" * 1000 + b"</config>" * 32
        self.assertEqual(len(list(self.same(data).root.elements())), 1032)

    def test_message(self) -> None:
        data = b'<?xml version="1.0" encoding="EUC-TW"?><config/>'
        self.assertTrue(self.wrong(data, parsed(data)).startswith("c.xml: it can't be edited: "))

    def test_patterns(self) -> None:
        """
        White space is XML's, not Python's: a no-break space is a letter.
        """
        self.assertIsNone(_source._ATTRIBUTE.match("\xa0a='1'"))

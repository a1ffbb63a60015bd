"""
A file as text that can be edited: from bytes to a tree of what is written, and back.

A parser has read and checked the file before. So it has no DOCTYPE and is well-formed, and a
few patterns are enough to find its elements. The two trees are compared; nothing is edited if
they differ.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import zip_longest

from lxml import etree

from txlb.config._writtenattribute import WrittenAttribute
from txlb.config._writtenelement import WrittenElement
from txlb.config._writtenmarkup import WrittenMarkup
from txlb.errors import ConfigurationError, Problem

_SPACE = "[ \t\r\n]"

#: The markup between two pieces of text. The two patterns below read on in a start tag.
_MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|</[^>]*>|<(?P<name>[^ \t\r\n/>!?]+)", re.DOTALL
)
_ATTRIBUTE = re.compile(
    rf"(?P<before>{_SPACE}+)(?P<name>[^ \t\r\n=/>]+)(?P<equals>{_SPACE}*={_SPACE}*)"
    "(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)')"
)
_TAG_END = re.compile(rf"{_SPACE}*/?>")

#: The beginnings of files with their encodings: byte order marks, then the first characters of
#: encodings whose characters have several bytes.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BEGINNINGS = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


class _Unreadable(ValueError):
    """
    The text differs from the tree that a parser has read.
    """


class Source:
    """
    A file whose text can be edited.

    @ivar before: the text before the outermost element.
    @ivar root: the outermost element.
    @ivar after: the text behind it.
    """

    def __init__(self, data: bytes, root: etree._Element, name: str) -> None:
        """
        @param data: the bytes of the file.
        @param root: the outermost element as a parser has read it.
        @param name: the file's name, for messages.
        @raise ConfigurationError: it can't be edited so that the rest of it stays the same.
        """
        try:
            self._mark, self._encoding, text = decoded(data, root.getroottree().docinfo.encoding)
            self.before, self.root, self.after = _read(text)
            self._twins = dict(_pairs(root, self.root))
        except ValueError as error:
            raise ConfigurationError([Problem(name, 0, f"it can't be edited: {error}")]) from None

    def of(self, element: etree._Element) -> WrittenElement:
        """
        Find an element as it is written.
        """
        return self._twins[element]

    @property
    def text(self) -> str:
        """
        The text as it is now.
        """
        parts = [self.before]
        self.root.write(parts)
        return "".join([*parts, self.after])

    def encode(self) -> bytes:
        """
        Return the bytes of the file with this text.
        """
        return self._mark + self.text.encode(self._encoding, "xmlcharrefreplace")


def decoded(data: bytes, declared: str | None) -> tuple[bytes, str, str]:
    """
    Decode a file.

    @param declared: the encoding that it declares, as the parser has it.
    @return: its byte order mark, its encoding and its text.
    @raise ValueError: the text can't be had, or does not give back the same bytes.
    """
    mark, encoding = b"", declared or "utf-8"
    for beginning, found in _MARKS:
        if data.startswith(beginning):
            mark, encoding = beginning, found
            break
    else:
        for beginning, found in _BEGINNINGS:
            if data.startswith(beginning):
                encoding = found
                break
    try:
        text = data[len(mark) :].decode(encoding)
        same = mark + text.encode(encoding) == data
    except (LookupError, UnicodeError):
        same = False
    if not same:
        raise ValueError(f"its encoding {encoding} can be read, but not written; use utf-8")
    return mark, encoding, text


def _read(text: str) -> tuple[str, WrittenElement, str]:
    """
    Read a text up to the end of its outermost element.

    @return: the text before it, the element, and the text behind it.
    """
    parents: list[WrittenElement] = []
    root: WrittenElement | None = None
    begin = place = 0
    while (found := _MARKUP.search(text, place)) is not None:
        leading, place = text[begin : found.start()], found.end()
        if found["name"] is not None:
            element, place = _readTag(text, found["name"], place)
            if parents:
                element.leading = leading
                parents[-1].insert(element)
            else:
                root, before = element, leading
            if not element.end.endswith("/>"):
                parents.append(element)
        elif found[0].startswith("</"):
            if not parents:
                break
            parents[-1].inner, parents[-1].close = leading, found[0]
            parents.pop()
        elif parents:
            node = WrittenMarkup(found[0])
            node.leading = leading
            parents[-1].insert(node)
        else:
            # It stands before the outermost element, and nothing is edited there.
            continue
        begin = place
        if root is not None and not parents:
            return before, root, text[place:]
    raise _Unreadable("where its elements begin and end can't be found")


def _readTag(text: str, name: str, place: int) -> tuple[WrittenElement, int]:
    """
    Read an opening tag on from behind its name.

    @return: the element, and where the tag ends.
    """
    element = WrittenElement(name)
    while (found := _ATTRIBUTE.match(text, place)) is not None:
        quote, raw = (
            ('"', found["double"]) if found["double"] is not None else ("'", found["single"])
        )
        element.attributes.append(
            WrittenAttribute(found["before"], found["name"], found["equals"], quote, raw)
        )
        place = found.end()
    end = _TAG_END.match(text, place)
    if end is None:
        raise _Unreadable(f"where the tag of <{name}> ends can't be found")
    element.end = end[0]
    return element, end.end()


def _pairs(
    root: etree._Element, written: WrittenElement
) -> Iterator[tuple[etree._Element, WrittenElement]]:
    """
    Pair each element that was read with the one that is written.
    """
    for one, other in zip_longest(root.iter(etree.Element), written.elements()):
        if one is None or other is None or _names(one) != _writtenNames(other):
            raise _Unreadable("it is not the same to two ways of reading it")
        yield one, other


def _names(element: etree._Element) -> list[str]:
    return [
        str(element.tag).rpartition("}")[2],
        *(k for k in map(str, element.attrib) if k[0] != "{"),
    ]


def _writtenNames(element: WrittenElement) -> list[str]:
    """
    Return the same of an element that is written. Names with a prefix are of namespaces,
    which stand in no element that is ever edited.
    """
    names = (each.name for each in element.attributes)
    return [
        element.name.rpartition(":")[2],
        *(name for name in names if ":" not in name and name != "xmlns"),
    ]

"""
The text of a configuration file as people may see it: without its secrets.

The schema tells the secrets. An attribute is shown if the schema knows it at its place
and it is no secret; an attribute that the schema does not know may be a secret with a wrong
name. A comment may be an element that is disabled for now; text in it that resembles a
secret is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import partial

from lxml import etree

from txlb.config._document import parseTree
from txlb.config._element import Element, walk
from txlb.config._schema import CONFIG, NOTE
from txlb.config._source import Source
from txlb.config._writtenmarkup import WrittenMarkup
from txlb.config._writtennode import NEWLINE
from txlb.errors import ConfigurationError, shortened
from txlb.model.kinds import HASH, HIDDEN

#: Lines of a difference that are shown, and characters of each.
MOST_LINES = 200
MOST_CHARACTERS = 500

#: How many lines of each file are compared one by one, between those that both begin and
#: end with. The time grows with their product.
MOST_COMPARED = 1000


def shownLines(data: bytes, name: str) -> tuple[list[str], list[str]]:
    """
    Split a file into its lines, and into its lines as people may see them.

    @param name: the file's name, for messages.
    @raise ConfigurationError: it is no XML, so that its secrets can't be found.
    """
    root = parseTree(data, name)
    source = Source(data, root, name)
    lines = NEWLINE.split(source.text)
    _hide(root, source)
    return lines, NEWLINE.split(source.text)


def shownDifference(before: bytes, after: bytes, one: str, other: str) -> list[str]:
    """
    Show the differences between two files as C{diff -U0} does, without secrets: lines that
    differ in a secret only look the same.

    @param one: the name of the first file.
    @param other: the name of the second file.
    @return: at most 200 lines, and one that tells the number of the others; or one that
        tells why nothing can be shown.
    """
    try:
        (old, oldShown), (new, newShown) = shownLines(before, one), shownLines(after, other)
    except ConfigurationError as error:
        return [f"what differs is not shown: {error.problems[0]}"]
    if old == new:
        return ["they differ in their encoding or in the ends of their lines only"]
    lines = [f"--- {one}", f"+++ {other}"]
    for olds, news in _differences(old, new):
        lines.append(f"@@ -{_range(olds)} +{_range(news)} @@")
        lines += [f"-{line}" for line in oldShown[olds]]
        lines += [f"+{line}" for line in newShown[news]]
    more = len(lines) - MOST_LINES
    return [
        *map(_printable, lines[:MOST_LINES]),
        *([f"… and {more} lines more"] if more > 0 else []),
    ]


def _differences(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[slice, slice]]:
    """
    Find the places at which two files differ.
    """
    shorter = min(len(old), len(new))
    first = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    same = next((n for n in range(shorter - first) if old[-1 - n] != new[-1 - n]), shorter - first)
    olds, news = slice(first, len(old) - same), slice(first, len(new) - same)
    if max(olds.stop, news.stop) - first > MOST_COMPARED:
        yield olds, news
        return
    for tag, *ends in SequenceMatcher(None, old[olds], new[news]).get_opcodes():
        if tag != "equal":
            begin, end, newBegin, newEnd = (first + each for each in ends)
            yield slice(begin, end), slice(newBegin, newEnd)


def _range(lines: slice) -> str:
    """
    Name some lines as C{diff} does. For none it names the line before.
    """
    count = lines.stop - lines.start
    if count == 1:
        return str(lines.start + 1)
    return f"{lines.start + 1 if count else lines.start},{count}"


def _printable(line: str) -> str:
    line = shortened(line, MOST_CHARACTERS)
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)


def _hide(root: etree._Element, source: Source) -> None:
    """
    Replace secrets, and texts that may be secrets. The lines keep their places.
    """
    remark = partial(_remarkPattern().sub, _hiddenRemark)
    source.before, source.after = remark(source.before), remark(source.after)
    specs: dict[etree._Element, Element | None] = {}
    for element in root.iter(etree.Element):
        parent = element.getparent()
        outer = CONFIG if parent is None else specs[parent]
        spec = CONFIG if parent is None else _specOf(element, outer)
        specs[element] = spec
        known = {} if spec is None else {each.name: each for each in spec.attributesOf(element)}
        written = source.of(element)
        for attribute in written.attributes:
            found = known.get(attribute.name)
            if found is None or found.secret:
                attribute.raw = _hidden(attribute.raw)
        # In a note there is text, as in a comment. Elsewhere text is a mistake.
        text = remark if spec is NOTE else _hiddenText
        written.inner = text(written.inner)
        for node in written:
            node.leading = text(node.leading)
            if isinstance(node, WrittenMarkup):
                isText = node.text.startswith("<![CDATA[") and spec is not NOTE
                node.text = _hidden(node.text) if isText else remark(node.text)


def _specOf(element: etree._Element, outer: Element | None) -> Element | None:
    """
    Find an element in the schema; L{None} if it does not know it there.
    """
    if element.tag == NOTE.tag:
        return NOTE
    child = None if outer is None else outer.getChild(str(element.tag))
    return None if child is None else child.element


def _hidden(text: str) -> str:
    return HIDDEN + "".join(NEWLINE.findall(text))


def _hiddenText(text: str) -> str:
    return _hidden(text) if text.strip() else text


def _remarkPattern() -> re.Pattern[str]:
    """
    Make the pattern of texts that resemble secrets: the name of a secret attribute with a
    value, or the hash of a password.
    """
    names = {
        attribute.name
        for element, _ in walk(CONFIG)
        for attribute in (
            *element.attributes,
            *(
                attribute
                for variant in (element.variants() if element.variants else {}).values()
                for attribute in variant.attributes
            ),
        )
        if attribute.secret
    }
    words = "|".join(map(re.escape, sorted(names)))
    return re.compile(
        rf"(?P<name>(?:{words})[\w.-]*\s*[=:]\s*)"
        r"(?:\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z)|[^\s\"'<>]+)"
        rf"|{HASH.pattern}",
        re.IGNORECASE,
    )


def _hiddenRemark(found: re.Match[str]) -> str:
    name = found["name"] or ""
    return name + _hidden(found[0][len(name) :])

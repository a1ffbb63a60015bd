"""
From bytes to a tree, without trusting them.

Nothing is fetched, no entity is expanded, and a file that is too long or too
deep is refused before it costs anything.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any

from lxml import etree

from txlb.errors import ConfigurationError, Problem

#: The longest file that is read, in bytes.
MAX_LENGTH = 10 * 1024 * 1024

#: The deepest level of elements, the outermost being the first.
MAX_DEPTH = 32

#: How many elements there can be: more than fit into a file of this length if each says
#: something.
MAX_ELEMENTS = 250_000

_DEEP = f"elements are more than {MAX_DEPTH} levels deep; this is no configuration file"

_PREMATURE_END = 77

#: Errors that say enough, also where they are at the end of a file: no XML, a
#: character, a tag that does not match, bytes.
_NOT_TRUNCATED = {4, 9, 76, 81}

#: libxml2's errors that can be said better, by the number that it gives them.
#: Its header C{xmlerror.h} lists them.
_SAID_BETTER = {
    4: "this is no XML; a configuration file begins with <config>",
    5: "there is something after the end of the outermost element; a file has only one",
    9: "there is a character that XML does not allow, such as NUL",
    26: "no entities are read; write the character itself, or one of &amp; &lt; &gt; &quot; &apos;",
    32: "the encoding that the first line names is not known; use utf-8",
    38: "a < stands in the value of an attribute; write &lt; there",
    39: "the value of an attribute stands in quotes",
    64: "the XML declaration has to be the very first thing in the file",
    _PREMATURE_END: "the file ends before its elements do; is a part of it missing?",
    81: "there are bytes that are no text in the file's encoding; save it as utf-8",
    114: _DEEP,
    201: "a name has a prefix; namespaces are not used here",
}

#: The same, for errors that name something.
_SAID_BETTER_WITH_NAMES = (
    (
        re.compile(r"Opening and ending tag mismatch: (\S+) line (\d+) and (\S+)"),
        r"<\1> of line \2 is closed by </\3>; each element is closed by its own name",
    ),
    (re.compile("xmlParseEntityRef: no name"), "a & stands alone; write &amp; there"),
    (re.compile(r"Attribute (\S+) redefined"), r"the attribute \1 is there twice"),
)

#: It never goes back, so that it needs no memory for each character.
_BEFORE = r"(?>[^<]++|<\?.*?\?>|<!--.*?-->)*+"

# pydoctor can't show possessive quantifiers inside re.compile().
_BEFORE_DOCTYPE = re.compile(_BEFORE, re.DOTALL)


class _Doctype(Exception):
    """
    The prologue has a DOCTYPE.
    """


class _Root(Exception):
    """
    The prologue is over.
    """


class _Prologue:
    """
    A parser's target that reads up to the first element only.
    """

    def doctype(self, *_declaration: object) -> None:
        """
        Stop. Entities would be declared here.
        """
        raise _Doctype

    def start(self, *_element: object) -> None:
        """
        Stop. The outermost element begins.
        """
        raise _Root

    def close(self) -> None:
        """
        Do nothing. The parser wants a target that can be closed.
        """


def readFile(path: str) -> bytes:
    """
    Read the bytes of a configuration file.

    @raise ConfigurationError: it can't be read, is no regular file, or is
        longer than 10 MiB.
    """
    try:
        # A plain open of a pipe without a writer would never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
                raise _error(path, 0, f"this is {what}; give the configuration file itself")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_LENGTH + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _error(path, 0, f"it can't be read: {error.strerror}") from None
    except ValueError:
        raise _error(path, 0, "there is a NUL in the path, so it can't exist") from None


def parseTree(data: bytes, name: str) -> etree._Element:
    """
    Parse a document.

    @return: the outermost element.
    @param name: the file's name, for messages.
    @raise ConfigurationError: it is no XML, has a DOCTYPE, or is too long or too
        deep, or has too many elements.
    """
    if len(data) > MAX_LENGTH:
        raise _error(name, 0, f"it is longer than {MAX_LENGTH} bytes; this is no configuration")
    if not data.strip():
        raise _error(name, 1, "the file is empty; a configuration file begins with <config>")
    parser: etree.XMLParser[etree._Element] = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        _checkPrologue(data, name)
        root: etree._Element = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise _error(name, error.lineno or 1, _explain(error, data)) from None
    _checkSize(root, name)
    return root


def _checkPrologue(data: bytes, name: str) -> None:
    # lxml calls what a target has; its stubs want a target to have everything.
    target: Any = _Prologue()
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, target=target
    )
    try:
        etree.fromstring(data, parser)
    except _Root:
        pass
    except _Doctype:
        raise _error(
            name,
            _doctypeLine(data),
            "a DOCTYPE is not read, nor are the entities that it may declare; remove it",
        ) from None


def _doctypeLine(data: bytes) -> int:
    """
    Find the line of a DOCTYPE, which the parser does not tell.
    """
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "latin-1"
    text = data.decode(encoding, "replace")
    found = _BEFORE_DOCTYPE.match(text)
    return text.count("\n", 0, found.end() if found else 0) + 1


def _checkSize(root: etree._Element, name: str) -> None:
    """
    Count elements and levels. libxml2 itself stops at 256 levels, so that the tree is
    never deeper.
    """
    depth = number = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        depth += 1
        number += 1
        if depth > MAX_DEPTH:
            raise _error(name, element.sourceline or 0, _DEEP)
        if number > MAX_ELEMENTS:
            raise _error(
                name,
                element.sourceline or 0,
                f"there are more than {MAX_ELEMENTS} elements; this is no configuration file",
            )


def _explain(error: etree.XMLSyntaxError, data: bytes) -> str:
    line, column = error.position
    if error.code not in _NOT_TRUNCATED and _isAtEnd(data, line, column):
        return _SAID_BETTER[_PREMATURE_END]
    if error.code in _SAID_BETTER:
        return _SAID_BETTER[error.code]
    message = re.sub(r", line \d+, column \d+\Z", "", error.msg or "it can't be parsed").strip()
    for pattern, text in _SAID_BETTER_WITH_NAMES:
        found = pattern.match(message)
        if found:
            return found.expand(text)
    if data.startswith(b"<?xml") and line == 1 and column <= data.find(b"?>") + 2:
        return (
            f"the XML declaration is wrong or does not fit the file ({message}); "
            'write <?xml version="1.0" encoding="utf-8"?>'
        )
    return f"this is not well-formed XML: {message}"


def _isAtEnd(data: bytes, line: int, column: int) -> bool:
    """
    Tell whether nothing but white space comes after the place of an error.
    """
    end = len(data.rstrip())
    lastLine = data.count(b"\n", 0, end) + 1
    # The column behind the last character, from 1.
    lastColumn = end - data.rfind(b"\n", 0, end)
    return (line, column) >= (lastLine, lastColumn)


def _error(name: str, line: int, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(name, line, message)])

"""
A document as it is written, to the last character.

A parser drops what it needs no more: the quotes of attributes, the white space between them,
the way in which a character is escaped. This tree keeps it. Each character of the source is in
exactly one place of the tree, so that the tree writes the source again, and a change of one
place changes nothing else.

Source: the trees of editors and of tools that change source code, which are called
lossless or concrete syntax trees. Rust's toml_edit does the same for TOML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: How XML ends a line.
NEWLINE = re.compile(r"\r\n|\n|\r")

#: What XML takes as a character (XML 1.0, production 2).
_NO_CHARACTER = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_QUOTES = {'"': "&quot;", "'": "&apos;"}


def escaped(value: str, quote: str) -> str:
    """
    Escape a value as it stands between quotes.

    @param quote: the quotes: C{"} or C{'}.
    @raise ValueError: there is a character in it that XML does not allow.
    """
    wrong = _NO_CHARACTER.search(value)
    if wrong is not None:
        raise ValueError(f"there is a character {wrong[0]!r}, which XML does not allow")
    escapes = {**_ESCAPES, quote: _QUOTES[quote]}
    return "".join(escapes.get(letter, letter) for letter in value)


@dataclass(slots=True)
class WrittenAttribute:
    """
    One attribute of an element.

    @ivar before: the white space before its name.
    @ivar name: its name.
    @ivar equals: the equals sign, with the white space around it.
    @ivar quote: the quotes: C{"} or C{'}.
    @ivar raw: the text between them.
    """

    before: str
    name: str
    equals: str
    quote: str
    raw: str

    def __str__(self) -> str:
        return f"{self.before}{self.name}{self.equals}{self.quote}{self.raw}{self.quote}"


class WrittenNode:
    """
    Something inside an element.

    @ivar leading: the text between the previous node, or the opening tag, and this.
    @ivar parent: the element that it is inside; L{None} for the outermost element, and for a
        node that is in no tree.
    @ivar previous: the node before it inside the same element.
    @ivar next: the node behind it.
    """

    __slots__ = ("leading", "next", "parent", "previous")

    def __init__(self) -> None:
        self.leading = ""
        self.parent: WrittenElement | None = None
        self.previous: WrittenNode | None = None
        self.next: WrittenNode | None = None

    def write(self, parts: list[str]) -> None:
        """
        Add the text of this to a list, without the text that leads to it.
        """
        raise NotImplementedError


class WrittenMarkup(WrittenNode):
    """
    A comment, a processing instruction or a CDATA section.

    @ivar text: all of it.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def write(self, parts: list[str]) -> None:
        parts.append(self.text)


class WrittenElement(WrittenNode):
    """
    An element.

    @ivar name: its name.
    @ivar attributes: in their order.
    @ivar end: the end of its opening tag: C{>} or C{/>}, with the white space before it.
    @ivar first: the first node inside.
    @ivar last: the last one.
    @ivar inner: the text behind the last one.
    @ivar close: its closing tag; empty for an element that has none, as it ends with C{/>}.
    @ivar like: an element that shows how the attributes of a new one are written; L{None}
        if there is none.
    """

    __slots__ = ("attributes", "close", "end", "first", "inner", "last", "like", "name")

    def __init__(self, name: str, end: str = "/>") -> None:
        super().__init__()
        self.name = name
        self.attributes: list[WrittenAttribute] = []
        self.end = end
        self.first: WrittenNode | None = None
        self.last: WrittenNode | None = None
        self.inner = ""
        self.close = ""
        self.like: WrittenElement | None = None

    def __iter__(self) -> Iterator[WrittenNode]:
        node = self.first
        while node is not None:
            yield node
            node = node.next

    def elements(self) -> Iterator[WrittenElement]:
        """
        Go through this element and all inside it, in the order of their opening tags.
        """
        yield self
        for node in self:
            if isinstance(node, WrittenElement):
                yield from node.elements()

    def write(self, parts: list[str]) -> None:
        parts += [f"<{self.name}", *map(str, self.attributes), self.end]
        for node in self:
            parts.append(node.leading)
            node.write(parts)
        parts += [self.inner, self.close]

    # Attributes

    def set(self, name: str, value: str) -> None:
        """
        Give an attribute a value. One that is there keeps its place and its quotes.

        @raise ValueError: there is a character in it that XML does not allow.
        """
        for attribute in self.attributes:
            if attribute.name == name:
                attribute.raw = escaped(value, attribute.quote)
                return
        quote, before = self._style()
        self.attributes.append(WrittenAttribute(before, name, "=", quote, escaped(value, quote)))

    def _style(self) -> tuple[str, str]:
        """
        Find the quotes and the white space for one attribute more.
        """
        number = len(self.attributes)
        like = self.like.attributes if self.like is not None else []
        outer = self.parent.attributes if self.parent is not None else []
        quotes = [each.quote for each in (self.attributes or like or outer)[-1:]]
        # An attribute on a line of its own shows that each has its line.
        shown = [*like[number : number + 1], *self.attributes[-1:]]
        spaces = [each.before for each in shown if NEWLINE.search(each.before)]
        return (*quotes, '"')[0], (*spaces, " ")[0]

    def unset(self, name: str) -> None:
        """
        Take an attribute away, and the white space before it; nothing if it is not there.
        """
        self.attributes = [each for each in self.attributes if each.name != name]

    # Nodes inside

    def insert(self, node: WrittenNode, before: WrittenNode | None = None) -> None:
        """
        Put a node inside that is in no tree. Texts stay as they are.

        @param before: a node that is inside already; L{None} to put it at the end.
        """
        previous = self.last if before is None else before.previous
        node.parent, node.previous, node.next = self, previous, before
        if previous is None:
            self.first = node
        else:
            previous.next = node
        if before is None:
            self.last = node
        else:
            before.previous = node

    def remove(self, node: WrittenNode) -> None:
        """
        Take a node out that is inside. Texts stay as they are.
        """
        if node.previous is None:
            self.first = node.next
        else:
            node.previous.next = node.next
        if node.next is None:
            self.last = node.previous
        else:
            node.next.previous = node.previous
        node.parent = node.previous = node.next = None

    def open(self) -> None:
        """
        Give it a closing tag, if it has none.
        """
        if not self.close:
            space = self.end.removesuffix("/>")
            self.end = f"{space if NEWLINE.search(space) else ''}>"
            self.close = f"</{self.name}>"

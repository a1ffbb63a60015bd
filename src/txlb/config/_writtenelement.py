"""
An element as it is written in a document.
"""

from __future__ import annotations

from collections.abc import Iterator

from txlb.config._writtenattribute import WrittenAttribute, escaped
from txlb.config._writtennode import NEWLINE, WrittenNode


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

    parent: WrittenElement | None

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

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

#: How XML ends a line.
NEWLINE = re.compile(r"\r\n|\n|\r")


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
        self.parent: WrittenNode | None = None
        self.previous: WrittenNode | None = None
        self.next: WrittenNode | None = None

    def write(self, parts: list[str]) -> None:
        """
        Add the text of this to a list, without the text that leads to it.
        """
        raise NotImplementedError

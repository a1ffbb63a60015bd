"""
Elements of the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from txlb.config._attribute import Attribute
from txlb.config._child import Child
from txlb.config._variant import Variant
from txlb.model.settings import Since


class Written(Protocol):
    """
    The attributes of an element as a file has them.
    """

    def get(self, key: str, /) -> str | None:
        """
        Return the text of an attribute; L{None} if it is not written.
        """


@dataclass(frozen=True, slots=True)
class Element:
    """
    One element.

    @ivar tag: its name in the file.
    @ivar doc: its purpose, in a sentence or two of reStructuredText.
    @ivar attributes: its attributes, in the order of the reference page.
    @ivar children: the elements that can be inside.
    @ivar since: where it comes from.
    @ivar always: whether its defaults are in effect if it is not written.
    @ivar aliases: other tags for the same.
    @ivar by: the attribute whose value says which of the variants it is.
    @ivar variants: gives the variants by that value; L{None} if there are none.
    """

    tag: str
    doc: str
    attributes: tuple[Attribute, ...] = ()
    children: tuple[Child[Element], ...] = ()
    since: Since = Since.OLD
    always: bool = False
    aliases: tuple[str, ...] = ()
    by: str = ""
    variants: Callable[[], Mapping[str, Variant]] | None = None

    def attributesOf(self, written: Written) -> tuple[Attribute, ...]:
        """
        Return the attributes that an element can have, those of its variant included.

        @param written: its attributes as a file has them.
        """
        if self.variants is None:
            return self.attributes
        by = self.getAttribute(self.by)
        word = written.get(self.by)
        if word is None and by is not None:
            word = by.default
        variant = self.variants().get(str(word))
        return self.attributes if variant is None else self.attributes + variant.attributes

    def getAttribute(self, name: str) -> Attribute | None:
        """
        Return the attribute of this name; L{None} if it has none.
        """
        return next((each for each in self.attributes if each.name == name), None)

    def getChild(self, tag: str) -> Child[Element] | None:
        """
        Return the child of this tag; L{None} if it takes none.
        """
        return next((each for each in self.children if each.element.tag == tag), None)


def walk(root: Element, parent: Element | None = None) -> Iterator[tuple[Element, Element | None]]:
    """
    Go through an element and all inside it, from the outside in, each with the element that
    it stands in.
    """
    yield root, parent
    for child in root.children:
        yield from walk(child.element, root)

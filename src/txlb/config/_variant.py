"""
Variants of elements in the schema.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.config._attribute import Attribute


@dataclass(frozen=True, slots=True)
class Variant:
    """
    One of several things that an element can stand for.

    @ivar doc: describes it in a sentence or two of reStructuredText.
    @ivar attributes: its attributes beside those of the element.
    """

    doc: str
    attributes: tuple[Attribute, ...] = ()

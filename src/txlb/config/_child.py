"""
Children of elements in the schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

#: The kind of elements: L{txlb.config._element.Element}, which has children itself.
Inside = TypeVar("Inside")


@dataclass(frozen=True, slots=True)
class Child(Generic[Inside]):
    """
    An element inside another.

    @ivar element: the element.
    @ivar least: the least number of them.
    @ivar most: the greatest number of them; L{None} for any.
    """

    element: Inside
    least: int = 0
    most: int | None = None

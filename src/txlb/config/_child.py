"""
Children of elements in the schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txlb.config._element import Element


@dataclass(frozen=True, slots=True)
class Child:
    """
    An element inside another.

    @ivar element: the element.
    @ivar least: the least number of them.
    @ivar most: the greatest number of them; L{None} for any.
    """

    element: Element
    least: int = 0
    most: int | None = None

"""
Whole numbers.
"""

from __future__ import annotations

import re

from txlb.model.kinds._range import Range


class Whole(Range):
    """
    A whole number in a range.
    """

    __slots__ = ()

    noun = "a whole number"
    types = (int,)
    pattern = re.compile(r"\s*[+-]?[0-9]{1,18}\s*\Z")
    make = int

"""
Numbers.
"""

from __future__ import annotations

import re

from txlb.model.kinds._numerals import DIGITS
from txlb.model.kinds._range import Range


class Number(Range):
    """
    A number in a range.
    """

    __slots__ = ()

    noun = "a number"
    types = (int, float)
    pattern = re.compile(rf"\s*{DIGITS}\s*\Z")
    make = float

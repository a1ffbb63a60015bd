"""
The bytes of long answers. A byte depends on its place, so that a part that is missing, comes
twice or is of another answer is seen.
"""

from __future__ import annotations

import random

#: A prime number, so that parts of usual sizes begin everywhere in a period.
PERIOD = 262_147

_PERIODS = random.Random(14).randbytes(PERIOD) * 2


def part(begin: int, count: int) -> bytes:
    """
    Make a part of an answer.

    @param begin: bytes before it.
    @param count: bytes of it, L{PERIOD} at most.
    """
    begin %= PERIOD
    return _PERIODS[begin : begin + count]

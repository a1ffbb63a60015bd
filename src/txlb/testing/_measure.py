"""
Statistics for testing shares, and a count of held objects for finding leaks.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, ModuleType

#: One in 1,000 values of the standard normal distribution is greater.
QUANTILE = 3.0902

#: Types that a count of held objects does not follow, because they belong to the whole
#: program.
SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)


def chiSquare(counts: Iterable[int], weights: Iterable[float]) -> float:
    """
    Return the distance of counts from their weights: the sum of the squared
    differences, each divided by the expected count.
    """
    found, wanted = list(counts), list(weights)
    unit = sum(found) / sum(wanted)
    return sum(
        (count - unit * weight) ** 2 / (unit * weight)
        for count, weight in zip(found, wanted, strict=True)
    )


def chiSquareLimit(freedom: int) -> float:
    """
    Return the value that L{chiSquare} exceeds once in 1,000 times if the shares are
    right.

    Source: E. B. Wilson and M. M. Hilferty, "The Distribution of Chi-Square",
    PNAS 17, 1931.

    @param freedom: degrees of freedom, one less than the number of counts.
    """
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + QUANTILE * math.sqrt(part)) ** 3)


def countHeld(root: object, most: int = 1_000_000) -> int:
    """
    Count the objects that can be reached from one, itself included; objects of the
    whole program, such as classes and modules, don't count.

    @param most: the count at which to stop.
    """
    seen = {id(root)}
    # Objects that were seen are kept here, so that their ids are not used again.
    reached = [root]
    for each in reached:
        for other in gc.get_referents(each):
            if id(other) not in seen and not isinstance(other, SHARED):
                seen.add(id(other))
                reached.append(other)
        if len(reached) >= most:
            break
    return len(reached)

"""
Measures by which a test tells shares that are true from such as are not, and
what is kept from what is piled up.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, ModuleType

#: One in 1,000 values of the standard normal distribution is greater.
QUANTILE = 3.0902

#: What is not followed when things held are counted: it is everybody's.
SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)


def chiSquare(counts: Iterable[int], weights: Iterable[float]) -> float:
    """
    How far counts are from being as the weights say, as the sum of the squared
    differences, each divided by what was to be expected.
    """
    found, wanted = list(counts), list(weights)
    unit = sum(found) / sum(wanted)
    return sum(
        (count - unit * weight) ** 2 / (unit * weight)
        for count, weight in zip(found, wanted, strict=True)
    )


def chiSquareLimit(freedom: int) -> float:
    """
    What L{chiSquare} exceeds once in 1,000 times where the shares are true.

    Source: E. B. Wilson and M. M. Hilferty, "The Distribution of Chi-Square",
    PNAS 17, 1931.

    @param freedom: degrees of freedom, one less than there are counts.
    """
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + QUANTILE * math.sqrt(part)) ** 3)


def countHeld(root: object, most: int = 1_000_000) -> int:
    """
    How many objects can be reached from one, itself included; what belongs to
    everybody, such as classes and modules, is left out.

    @param most: to stop counting at.
    """
    seen = {id(root)}
    # What is seen is kept here, so that no number of it is given out again.
    reached = [root]
    for each in reached:
        for other in gc.get_referents(each):
            if id(other) not in seen and not isinstance(other, SHARED):
                seen.add(id(other))
                reached.append(other)
        if len(reached) >= most:
            break
    return len(reached)

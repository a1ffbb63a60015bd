"""
How numbers are written.
"""

from __future__ import annotations

from decimal import Decimal

#: The digits of a number, without an exponent, as a pattern.
DIGITS = r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})"


def decimal(value: float) -> str:
    """
    Write a number without an exponent, and without a fraction of zero.
    """
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def withZero(text: str, value: float, zero: str) -> str:
    """
    Add the meaning of 0 to the text of a value, if the value is 0 and 0 has a meaning.
    """
    return f"{text} ({zero})" if zero and not value else text

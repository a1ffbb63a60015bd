"""
The kinds of values that an attribute can have. They are the model's, as what
adds attributes of its own, such as a kind of health check, needs them too.
"""

from __future__ import annotations

from txlb.model.kinds import (
    BOOLEAN_PAIRS,
    HASH,
    HIDDEN,
    MAX_QUOTED,
    UNITS_SHOWN,
    Boolean,
    Factor,
    Kind,
    Number,
    PlainKind,
    Seconds,
    SecretKind,
    SecretText,
    Whole,
    Word,
    quoted,
)

__all__ = [
    "BOOLEAN_PAIRS",
    "HASH",
    "HIDDEN",
    "MAX_QUOTED",
    "UNITS_SHOWN",
    "Boolean",
    "Factor",
    "Kind",
    "Number",
    "PlainKind",
    "Seconds",
    "SecretKind",
    "SecretText",
    "Whole",
    "Word",
    "quoted",
]

"""
A listener with options, as long as none of the listeners has any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from txlb.model import AddressLike, Listener


@dataclass(frozen=True)
class OptionalListener(Listener):
    """
    A listener with options more than listeners have.
    """

    limit: int = 0
    token: str = field(default="", repr=False)

    if TYPE_CHECKING:

        def __init__(self, address: AddressLike, limit: int = ..., token: str = ...) -> None: ...

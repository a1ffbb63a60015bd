"""
The base class of kinds of checks and of probes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from txlb.model.options import Option

Tools = TypeVar("Tools")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class PollingKind(Generic[Tools, Made]):
    """
    A kind of asking hosts again and again.

    @ivar word: its word in the configuration file.
    @ivar doc: its effect, in a sentence or two of reStructuredText.
    @ivar make: makes one for a host from the values of all its options and from what its
        package gives it; raises L{ModelError} if they don't go together.
    @ivar options: the options of this kind alone.
    """

    word: str
    doc: str
    make: Callable[[Mapping[str, Any], Tools], Made]
    options: tuple[Option, ...] = ()

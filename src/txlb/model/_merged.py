"""
Two changes of one configuration in one.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.model._conflict import Conflict
from txlb.model._services import ProxyService


@dataclass(frozen=True, slots=True)
class Merged:
    """
    Both changes in one.

    @ivar services: empty if there are conflicts.
    @ivar conflicts: the settings and things that can't be merged.
    """

    services: tuple[ProxyService, ...]
    conflicts: tuple[Conflict, ...] = ()

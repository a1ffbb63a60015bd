"""
What differs between a balancer and its configuration file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.model import Plan


@dataclass(frozen=True, slots=True)
class Drift:
    """
    How a balancer and its file have gone apart since the file was loaded. It is true
    if they have.

    @ivar inFile: what was changed in the file; a reload takes it up.
    @ivar live: what was changed live; it is not in the file until it is saved.
    @ivar found: the hosts that sources have found. They are never saved, and make no
        difference between the balancer and its file.
    """

    inFile: Plan
    live: Plan
    found: Plan = field(default_factory=Plan)

    def __bool__(self) -> bool:
        return bool(self.inFile or self.live)

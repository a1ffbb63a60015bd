"""
The differences between a balancer and its configuration file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.model import Plan


@dataclass(frozen=True, slots=True)
class Drift:
    """
    How a balancer and its file have gone apart since the file was loaded. It is true
    if they have.

    @ivar inFile: the changes of the file; a reload applies them.
    @ivar live: the live changes; they are not in the file until they are saved.
    @ivar found: the hosts that sources have found. They are never saved, and make no
        difference between the balancer and its file.
    """

    inFile: Plan
    live: Plan
    found: Plan = field(default_factory=Plan)

    def __bool__(self) -> bool:
        return bool(self.inFile or self.live)

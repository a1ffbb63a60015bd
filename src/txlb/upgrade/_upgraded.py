"""
The result of an upgrade.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upgraded:
    """
    An upgrade that is done.

    @ivar pid: the process that serves now.
    @ivar moved: how many connections it has taken over.
    @ivar stays: how many are still served here, by the reason.
    """

    pid: int
    moved: int
    stays: dict[str, int]

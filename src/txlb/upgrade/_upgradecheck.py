"""
What an upgrade would do.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpgradeCheck:
    """
    What an upgrade would do now.

    @ivar listeners: the addresses whose listening sockets move, if the file still has them.
    @ivar moves: how many connections, and clients without a host, move.
    @ivar stays: how many can't, by the reason. They have the grace time to end.
    """

    listeners: list[str]
    moves: int
    stays: dict[str, int]

"""
The clones as hosts, as far as their manager uses them.
"""

from __future__ import annotations

from typing import Protocol

from txlb.manager import ProxyManager
from txlb.pool import HostPool


class IHosts(Protocol):
    """
    The clones as hosts.

    @ivar pools: the manager that has them.
    """

    pools: ProxyManager

    def poolOf(self, number: int) -> HostPool:
        """
        Return the pool of a listener.
        """

    def add(self, name: str) -> None:
        """
        Add a clone, if it is not there.

        @raise txlb.errors.ChangeUnderWay: another change is under way; try again later.
        """

    def drain(self, name: str) -> None:
        """
        Let a clone get nothing new.
        """

    def remove(self, name: str) -> None:
        """
        Remove a clone that is gone.
        """

    def advance(self, now: float) -> None:
        """
        Do what is due.
        """

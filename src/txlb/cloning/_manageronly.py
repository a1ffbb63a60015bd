"""
A service that runs once in a cloned application.
"""

from __future__ import annotations

from txlb.cloning._group import CloneGroup
from txlb.cloning._only import Only


class ManagerOnly(Only):
    """
    Runs another service in the manager alone, such as a job that is to be done once, or a
    manhole. A manager that ends stops it, and the next one starts it; if a manager is
    killed, it runs nowhere until the heir manages, about a second later.
    """

    def isWanted(self, group: CloneGroup) -> bool:
        return group.manages

"""
A service that runs in the clones.
"""

from __future__ import annotations

from txlb.cloning._group import CloneGroup
from txlb.cloning._only import Only


class ClonesOnly(Only):
    """
    Runs another service in each clone, and not in the manager, such as the connections to
    a database.
    """

    def isWanted(self, group: CloneGroup) -> bool:
        return group.serves

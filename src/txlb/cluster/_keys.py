"""
The keys of a cluster in etcd.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """
    The keys of one cluster.

    @ivar prefix: what all of them begin with.
    """

    prefix: str

    @classmethod
    def of(cls, prefix: str, name: str) -> Keys:
        """
        Return the keys of the cluster of a name.
        """
        return cls(f"{prefix.rstrip('/')}/{name}/")

    @property
    def leader(self) -> str:
        """
        The key that the leader has.
        """
        return f"{self.prefix}leader"

    @property
    def members(self) -> str:
        """
        What the keys of members begin with.
        """
        return f"{self.prefix}members/"

    def member(self, name: str) -> str:
        """
        Return the key of a member.
        """
        return self.members + name

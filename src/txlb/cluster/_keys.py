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
    def beat(self) -> str:
        """
        The key that the leader writes again and again.
        """
        return f"{self.prefix}beat"

    @property
    def members(self) -> str:
        """
        What the keys of members begin with.
        """
        return f"{self.prefix}members/"

    @property
    def head(self) -> str:
        """
        The key that has the number of the last shared change.
        """
        return f"{self.prefix}head"

    @property
    def state(self) -> str:
        """
        The key that has what the oldest shared changes amount to.
        """
        return f"{self.prefix}state"

    @property
    def log(self) -> str:
        """
        What the keys of shared changes begin with.
        """
        return f"{self.prefix}log/"

    def entry(self, number: int) -> str:
        """
        Return the key of a shared change. In the order of keys they are in the order of numbers.
        """
        return f"{self.log}{number:015d}"

    def member(self, name: str) -> str:
        """
        Return the key of a member.
        """
        return self.members + name

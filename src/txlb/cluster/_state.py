"""
What a member knows of its cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.cluster._records import MemberRecord


@dataclass(frozen=True, slots=True)
class ClusterState:
    """
    A cluster as one of its members knows it.

    @ivar name: the name of the cluster.
    @ivar mode: see L{txlb.model.Cluster}.
    @ivar member: the name of this member.
    @ivar connected: whether it is in the cluster for sure: etcd has answered within the lease.
    @ivar left: whether it has left the cluster on demand.
    @ivar leads: whether it is the leader for sure.
    @ivar leader: the name of the leader that it knows; empty for none.
    @ivar since: when that one was elected, in seconds since 1970.
    @ivar term: the revision at which that one was elected, which is the fencing token; 0 for none.
    @ivar head: the number of the last shared change that it knows of.
    @ivar applied: the number of the last shared change that it has made.
    @ivar members: what the members say of themselves, by their names.
    @ivar trouble: why it is not connected, in words; empty if it is.
    @ivar shared: how many values the members share on top of their files.
    """

    name: str
    mode: str
    member: str
    connected: bool
    left: bool
    leads: bool
    leader: str
    since: float
    term: int
    head: int
    applied: int
    members: tuple[MemberRecord, ...]
    trouble: str
    shared: int = 0

    @property
    def differing(self) -> list[str]:
        """
        The names of the members whose services are not the same as those of this one.
        """
        digests = {each.name: each.digest for each in self.members}
        own = digests.get(self.member, "")
        # A member tells it a moment after it has joined.
        return [name for name, digest in digests.items() if own and digest not in {own, ""}]

    @property
    def lag(self) -> int:
        """
        How many shared changes it knows of and has not made.
        """
        return max(self.head - self.applied, 0)

"""
Fewest connections; among equals the one that was used the longest ago.

The hosts stand in buckets, one for each number of connections that occurs, and
the buckets in a chain from the fewest up. In a bucket the hosts stand in the
order in which they came into it. As a host moves whenever a connection of its
begins or ends, the first of a bucket is the one least recently used, without
any clock, and every step is O(1).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._kind import SchedulerKind


class Bucket:
    """
    The hosts that have C{count} connections, least recently used first.
    """

    __slots__ = ("count", "fewer", "hosts", "more")

    def __init__(self, count: int) -> None:
        self.count = count
        self.hosts: OrderedDict[IHost, None] = OrderedDict()
        self.fewer: Bucket = self
        self.more: Bucket = self

    def insertAfter(self, fewer: Bucket) -> None:
        """
        Take the place in the chain that follows C{fewer}.
        """
        self.fewer, self.more = fewer, fewer.more
        fewer.more.fewer = self
        fewer.more = self

    def unlink(self) -> None:
        """
        Leave the chain.
        """
        self.fewer.more, self.more.fewer = self.more, self.fewer


class LeastConnections(Scheduler):
    """
    Fewest connections, ties to the least recently used; weights aside. As
    HAProxy's C{leastconn}, but for its weights. A whole cycle of pick, acquire
    and release is O(1).
    """

    name = "leastc"
    scoreMeans = "connections, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        # The chain is a ring; this bucket, of no host, is where it closes.
        self._ends = Bucket(-1)
        # By the hosts themselves: to hash a key of three names takes longer.
        self._bucketOf: dict[IHost, Bucket] = {}
        # Buckets come and go all the time; the last one that went is the next.
        self._spare: Bucket | None = None

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self._enter(host, self._ends)

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        bucket = self._bucketOf.pop(host)
        del bucket.hosts[host]
        if not bucket.hosts:
            self._drop(bucket)

    def hostChanged(self, host: IHost) -> None:
        count = host.active
        bucket = self._bucketOf[host]
        before = bucket.count
        if before == count:
            return
        hosts = bucket.hosts
        # Hosts are balanced, and so the next bucket is nearly always its new one.
        near = bucket.more if count > before else bucket.fewer
        if near.count != count and len(hosts) == 1 and -1 <= count - before <= 1:
            # It is alone, with nobody in between: the bucket comes along.
            bucket.count = count
            return
        del hosts[host]
        if near.count == count:
            near.hosts[host] = None
            self._bucketOf[host] = near
        else:
            self._enter(host, near if count < before else bucket)
        if not hosts:
            self._drop(bucket)

    def _enter(self, host: IHost, near: Bucket) -> None:
        """
        Put a host into the bucket of its count, which is looked for from C{near}.
        """
        count, ends = host.active, self._ends
        while near.count > count:
            near = near.fewer
        while near.more is not ends and near.more.count <= count:
            near = near.more
        if near.count != count:
            bucket, self._spare = self._spare or Bucket(count), None
            bucket.count = count
            bucket.insertAfter(near)
            near = bucket
        near.hosts[host] = None
        self._bucketOf[host] = near

    def _drop(self, bucket: Bucket) -> None:
        """
        No host stands in a bucket any more.
        """
        bucket.unlink()
        self._spare = bucket

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        bucket = self._ends.more
        if not excluded:
            return next(iter(bucket.hosts), None)
        while bucket is not self._ends:
            for host in bucket.hosts:
                if host.key not in excluded:
                    return host
            bucket = bucket.more
        return None

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        See L{IScheduler.explain}: fewer connections score higher.
        """
        scores: dict[Key, float] = {}
        bucket = self._ends.more
        while bucket is not self._ends:
            scores.update((host.key, -float(bucket.count)) for host in bucket.hosts)
            bucket = bucket.more
        return scores


LEASTC = SchedulerKind(
    LeastConnections.name,
    LeastConnections,
    summary="the one with the fewest connections; among equals the one least recently used",
    chooseWhen="connections last for different times, and hosts are alike: a good default",
)

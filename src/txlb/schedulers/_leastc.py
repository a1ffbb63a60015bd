"""
Fewest connections; among equals the host that was used the longest ago.

The hosts are in buckets, one for each number of connections that occurs. The buckets are a
chain in the order of that number. In a bucket the hosts are in the order in which they
came into it. A host changes its bucket when one of its connections begins or ends, so the
first host of a bucket is the least recently used one. No clock is needed, and every step is
O(1).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from random import Random as RandomSource

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IHost, IKeptScheduler
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
        Insert this bucket into the chain after C{fewer}.
        """
        self.fewer, self.more = fewer, fewer.more
        fewer.more.fewer = self
        fewer.more = self

    def unlink(self) -> None:
        """
        Remove this bucket from the chain.
        """
        self.fewer.more, self.more.fewer = self.more, self.fewer


@implementer(IKeptScheduler)
class LeastConnections(Scheduler):
    """
    Fewest connections; among equals the least recently used host. Weights have no effect;
    apart from that it is HAProxy's C{leastconn}. A cycle of pick, acquire and release is O(1).
    """

    name = "leastc"
    scoreMeans = "connections, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        # The chain is a ring. This bucket has no host, and is its beginning and its end.
        self._ends = Bucket(-1)
        # The keys are the hosts, whose hash is quicker than that of three names.
        self._bucketOf: dict[IHost, Bucket] = {}
        # The bucket that was removed last, to be used again: the next one is needed soon.
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
        # A connection more or less moves the host to the next bucket in nearly all cases.
        near = bucket.more if count > before else bucket.fewer
        if near.count != count and len(hosts) == 1 and -1 <= count - before <= 1:
            # The host is alone in its bucket, and no other bucket is between the old
            # number and the new one: the bucket can change its number.
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
        Put a host into the bucket of its number of connections. The search begins at
        C{near}.
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
        Remove an empty bucket.
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

    def state(self) -> Mapping[str, object]:
        """
        Return the hosts from the one with the fewest connections on, and among equals from the
        one least recently used on.
        """
        order: list[str] = []
        bucket = self._ends.more
        while bucket is not self._ends:
            order.extend(host.key[2] for host in bucket.hosts)
            bucket = bucket.more
        return {"order": order}

    def restoring(self, state: Mapping[str, object]) -> Callable[[], None]:
        order = Facts(state, f"scheduler {self.name}").texts("order")

        def take() -> None:
            held = {host.key[2]: host for host in self._bucketOf}
            for name in order:
                host = held.get(name)
                if host is not None:
                    self._bucketOf[host].hosts.move_to_end(host)

        return take

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the negated number of connections of each host.
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

"""
Signs that a leader lives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from txlb.clients import EtcdClient, KeyValue, Transaction
from txlb.cluster._keys import Keys
from txlb.cluster._session import SURE

_VALUE = re.compile(rb"([0-9]{1,20}) ([0-9]{1,6})")


class Beats:
    """
    The signs that the leader lives: each is a write of one key, with the lease of the leader and
    its seconds as its value.

    If the leader of etcd dies with the machine of the cluster's leader, etcd lets all leases begin
    anew. What was written stays as old as it is. So a member that has seen no write for the time of
    a lease may remove the key of the leader before etcd does: the leader counts its last write as
    it counts its lease, and knows by then that it leads no more.

    Owned by a L{txlb.cluster.ClusterMember}.

    @param client: the client of etcd.
    @param keys: the keys of the cluster.
    @param ttl: seconds of the lease.
    @param seconds: a monotonic clock.

    @ivar until: the time up to which the last own write counts.
    """

    def __init__(
        self, client: EtcdClient, keys: Keys, ttl: int, seconds: Callable[[], float]
    ) -> None:
        self._client = client
        self._keys = keys
        self._ttl = ttl
        self._seconds = seconds
        # The lease that the last own write has.
        self._lease = 0
        self.until = -math.inf
        # The last write that is known, of which leader ever, and when it was seen first.
        self._last: KeyValue | None = None
        self._seen = -math.inf

    def isGood(self, lease: int) -> bool:
        """
        Tell whether the last own write is good.

        @param lease: the own lease.
        """
        return lease == self._lease and self._seconds() < self.until

    async def write(self, compared: Transaction, lease: int) -> bool:
        """
        Write one.

        @param compared: a transaction that is done only if this is the leader or becomes it.
        @param lease: the own lease.
        @return: whether it was written.
        @raise EtcdError: etcd has not answered. It may be written nevertheless.
        """
        asked = self._seconds()
        value = f"{lease} {self._ttl}".encode()
        done = await self._client.commit(compared.put(self._keys.beat, value))
        if done.succeeded:
            self._lease, self.until = lease, asked + self._ttl * SURE
        return done.succeeded

    def saw(self, found: KeyValue) -> None:
        """
        Take note of what etcd has.
        """
        if self._last is None or found.modified != self._last.modified:
            self._seen = self._seconds()
        self._last = found

    def silentAt(self, leader: KeyValue) -> float:
        """
        Return the time at which a leader is no more for sure, if it writes nothing; infinity if it
        has never written.
        """
        found = None if self._last is None else _VALUE.fullmatch(self._last.value)
        if found is None or int(found[1]) != leader.lease:
            return math.inf
        return self._seen + float(found[2])

    async def end(self, leader: KeyValue) -> None:
        """
        Remove the key of a leader, unless it writes meanwhile.

        @raise EtcdError: etcd has not answered.
        """
        if self._last is not None:
            await self._client.commit(
                Transaction()
                .ifCreatedAt(self._keys.leader, leader.created)
                .ifModifiedAt(self._keys.beat, self._last.modified)
                .delete(self._keys.leader)
            )

"""
A lease of etcd, by the own clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from txlb.clients import EtcdClient

#: The share of a lease for which it counts. A clock may go wrong by the rest.
SURE = 0.9


class Session:
    """
    A lease, and for how long it is there for sure: from the moment before it was asked for, by the
    own clock. So a process that was paused knows that its lease may be gone before it asks.

    @param client: the client of etcd.
    @param ttl: seconds that the lease lasts after it was renewed.
    @param seconds: a monotonic clock.

    @ivar lease: the number of the lease; 0 for none.
    @ivar until: the time up to which the lease is there for sure.
    """

    def __init__(self, client: EtcdClient, ttl: float, seconds: Callable[[], float]) -> None:
        self._client = client
        self.ttl = math.ceil(ttl)
        self._seconds = seconds
        self.lease = 0
        self.until = -math.inf

    @property
    def alive(self) -> bool:
        """
        Whether the lease is there for sure.
        """
        return self._seconds() < self.until

    async def renew(self) -> None:
        """
        Renew the lease, or make another one if it is gone.

        @raise EtcdError: etcd has not done it.
        """
        asked = self._seconds()
        if self.lease and not await self._client.renew(self.lease):
            self.lease, self.until = 0, -math.inf
        if not self.lease:
            asked = self._seconds()
            self.lease = await self._client.grant(self.ttl)
        self.until = asked + self.ttl * SURE

    async def end(self) -> None:
        """
        End the lease, and with it its keys.

        @raise EtcdError: etcd has not done it.
        """
        lease, self.lease, self.until = self.lease, 0, -math.inf
        if lease:
            await self._client.revoke(lease)

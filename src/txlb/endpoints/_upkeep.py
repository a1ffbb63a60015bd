"""
The upkeep of a pool in a program that has no balancer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from txlb.deadlines import Deadline, Deadlines
from txlb.pool import Host, HostPool, Outcome

#: The upkeep of each pool that has one.
_upkeeps: WeakKeyDictionary[HostPool, PoolUpkeep] = WeakKeyDictionary()


class PoolUpkeep:
    """
    Advances a pool when something is due, and ends connections of hosts that have to be
    left. All searches and connections in one pool share it: L{of} makes it for the first,
    and L{release} ends it with the last. L{of} does what is due at that time.

    The pool of a balancer is advanced by the balancer already. Its connections that are
    made here are ended as well, beside those of the balancer.

    @param reactor: the reactor of the first user, which wakes it up.

    @ivar deadlines: the queue of deadlines, on the pool's clock.
    """

    def __init__(self, pool: HostPool, reactor: Any) -> None:
        self.deadlines = Deadlines(reactor, pool.seconds)
        self._pool = pool
        self._users = 0
        self._next: Deadline | None = None
        self._drives = pool.wakeBy is None
        self._formerCut = pool.cut
        # In the order in which they were made; for each what ends it.
        self._connections: dict[object, tuple[Host, Callable[[Outcome], object]]] = {}
        if self._drives:
            pool.wakeBy = self._wakeBy
        pool.cut = self._cut

    @classmethod
    def of(cls, pool: HostPool, reactor: Any) -> PoolUpkeep:
        """
        Return the upkeep of a pool, for one user more. It is made for the first one.
        """
        upkeep = _upkeeps.get(pool)
        if upkeep is None:
            upkeep = _upkeeps[pool] = cls(pool, reactor)
        upkeep._users += 1
        if upkeep._drives:
            upkeep._advance()
        return upkeep

    def release(self) -> None:
        """
        End one user's use. After the last one the pool is as it was before, and no
        delayed call is left.
        """
        self._users -= 1
        if self._users:
            return
        # While the interpreter ends, the pool may be forgotten already.
        _upkeeps.pop(self._pool, None)
        if self._drives:
            self._pool.wakeBy = None
        self._pool.cut = self._formerCut
        self._forgetNext()
        self.deadlines.stop()

    def add(self, connection: object, host: Host, end: Callable[[Outcome], object]) -> None:
        """
        Remember a connection to a host, which is a user until L{remove}.

        @param end: is called with an outcome to reset the connection, if the host has to
            be left: it was removed by force, or its time to drain is over. It must not
            raise.
        """
        self._users += 1
        self._connections[connection] = (host, end)

    def remove(self, connection: object) -> None:
        """
        Forget a connection that has ended.
        """
        del self._connections[connection]
        self.release()

    def _cut(self, host: Host, outcome: Outcome) -> None:
        if self._formerCut is not None:
            self._formerCut(host, outcome)
        ends = [end for of, end in self._connections.values() if of is host]
        for end in ends:
            end(outcome)

    def _wakeBy(self, when: float) -> None:
        if self._next is None or when < self._next.when:
            self._forgetNext()
            self._next = self.deadlines.at(when, self._advance)

    def _advance(self) -> None:
        self._forgetNext()
        self._pool.advance(self._pool.seconds())
        when = self._pool.nextDeadline()
        if when is not None:
            self._wakeBy(when)

    def _forgetNext(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

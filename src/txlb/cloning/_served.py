"""
The clones of one listening socket, as hosts of its pool.
"""

from __future__ import annotations

from txlb.cloning._record import Account, Record
from txlb.pool import CheckResult, HostPool, Outcome
from txlb.schedulers import resource

#: Seconds by which a clone's reactor is late if the clone has half left, as with the agent of an
#: application on another host.
HALF_LEFT = 0.05


class ServedBy:
    """
    The clones that serve the connections of one listening socket, and what the pool counts of
    them. A L{Granter} or a L{Counting} owns it.

    @param number: the listener's number in messages.
    @param pool: its hosts are the clones.
    @ivar records: the clones, by their names.
    """

    def __init__(self, number: int, pool: HostPool) -> None:
        self.number = number
        self.pool = pool
        self.records: dict[str, Record] = {}

    def account(self, record: Record) -> Account:
        """
        Return what a clone has on this socket.
        """
        return record.accounts[self.number]

    def has(self, record: Record) -> bool:
        """
        Tell whether a clone serves them.
        """
        return self.records.get(record.name) is record

    def add(self, record: Record, active: int) -> None:
        """
        Take in a clone.

        @param active: connections that it has already.
        """
        self.records[record.name] = record
        self.account(record).leases.extend(self.pool.adopt(record.name, active))
        # A clone on a busy CPU is late now and then. It is not held down for that, as all of
        # them might be, and clients would wait.
        self.pool.watch(record.name, rise=1, fall=1, damped=False)
        self.check(record, True, "it has joined")

    def remove(self, record: Record, outcome: Outcome) -> None:
        """
        Count nothing of a clone that is gone.
        """
        del self.records[record.name]
        self._release(record, outcome)
        self.check(record, False, "it has ended")

    def letGo(self, record: Record) -> None:
        """
        Count what a clone has no longer, as this process manages nothing more.
        """
        self.records.pop(record.name, None)
        self._release(record, Outcome.DONE)

    def _release(self, record: Record, outcome: Outcome) -> None:
        leases = self.account(record).leases
        while leases:
            leases.pop().release(outcome)

    def settle(self, record: Record, wanted: int) -> None:
        """
        Have as many leases as a clone has connections and permits.
        """
        leases = self.account(record).leases
        surplus = len(leases) - wanted
        if surplus < 0:
            leases.extend(self.pool.adopt(record.name, -surplus))
        for _ in range(surplus):
            leases.pop().release(Outcome.DONE)

    def loaded(self, record: Record) -> None:
        """
        Tell the pool what a clone has left, by how late its reactor was, if the scheduler
        shares by that: all of it if it was not, a half for L{HALF_LEFT}, a fifth for four
        times as much.
        """
        if self.pool.scheduler.name == resource:
            self.pool.reportLoad(record.name, HALF_LEFT / (HALF_LEFT + record.lag))

    def check(self, record: Record, passed: bool, detail: str, seconds: float = 0.0) -> None:
        """
        Tell the pool whether a clone is up.

        @param detail: why, for people.
        @param seconds: how long it took to find that.
        """
        self.pool.reportCheck(record.name, CheckResult(passed, detail, seconds))

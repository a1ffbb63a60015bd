"""
Counts the connections that clones accept by themselves.
"""

from __future__ import annotations

from txlb.cloning._granter import TakeConnection
from txlb.cloning._listener import SharedListener
from txlb.cloning._record import Record
from txlb.cloning._served import ServedBy
from txlb.pool import HostPool, Outcome
from txlb.wire import Grant, Status


class Counting:
    """
    Counts the connections of one listening address whose clones accept by themselves, so that
    administrators see them, and tells a clone that they have taken out to accept nothing. It
    stands for a L{Granter<txlb.cloning._granter.Granter>} where there are no grants. The
    L{CloneManager} owns it.

    Clones have L{Grant} messages of another meaning then: a count of 0 says that they accept
    nothing from now on, another one that they accept again.

    @param number: the listener's number in messages.
    @param listener: the socket.
    @param pool: its hosts are the clones.
    @ivar outstanding: 0, as there are no permits.
    """

    passing = None
    whyPassed = ""
    outstanding = 0

    def __init__(self, number: int, listener: SharedListener, pool: HostPool) -> None:
        self.number = number
        self.listener = listener
        self.pool = pool
        self._served = ServedBy(number, pool)
        # The clones that have been told to accept nothing.
        self._resting: set[Record] = set()

    def start(self) -> None:
        """
        Do nothing: clones accept by themselves.
        """

    def relayBy(self, take: TakeConnection) -> None:
        """
        Do nothing: hosts beside the clones get no connections.
        """

    def give(self, record: Record) -> None:
        """
        Do nothing: a clone needs nothing to begin.
        """

    def add(self, record: Record, active: int) -> None:
        """
        Count what a clone has from now on.
        """
        self._served.add(record, active)
        self.dispatch()

    def remove(self, record: Record, outcome: Outcome) -> None:
        """
        Count nothing of a clone any more, which is gone.
        """
        if self._served.has(record):
            self._resting.discard(record)
            self._served.remove(record, outcome)

    def letGo(self, record: Record) -> None:
        """
        Count what a clone has no longer, as this process manages nothing more.
        """
        self._resting.discard(record)
        self._served.letGo(record)

    def reported(self, record: Record, status: Status) -> None:
        """
        Count what a clone reports. It counts as used what it has accepted.
        """
        if self._served.has(record):
            account = self._served.account(record)
            used = max(status.used, account.used)
            # Those that have come and gone since the last report; the pool counts the others.
            short = used - account.used - max(0, status.active - len(account.leases))
            self.pool.getHost(record.name).counters.connections += max(0, short)
            account.used = account.sent = used
            self._served.settle(record, status.active)

    def cameBack(self, record: Record, number: int) -> None:
        """
        Do nothing: no connection was passed.
        """

    def answered(self, record: Record) -> None:
        """
        Do nothing: there are no permits that a clone might be late with.
        """

    def dispatch(self) -> None:
        """
        Tell the clones that administrators have taken out or brought back.
        """
        for record in self._served.records.values():
            host = self.pool.getHost(record.name)
            rests = host.configured.state != "ready" or not host.configured.weight
            if rests != (record in self._resting):
                (self._resting.add if rests else self._resting.discard)(record)
                record.link.send(Grant(self.number, 0 if rests else 1))

    def stop(self) -> None:
        """
        Do nothing: nothing is watched.
        """

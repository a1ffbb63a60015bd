"""
Grants the connections that wait on one listening socket to the clones.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.cloning._lateclones import EXHAUSTED, GOES_ON, READS_NOTHING, UNUSED
from txlb.cloning._listener import SharedListener
from txlb.cloning._passing import PassedClient, Passing
from txlb.cloning._permits import PermitEvent
from txlb.cloning._record import Account, Record
from txlb.cloning._served import ServedBy
from txlb.pool import HostPool, Lease, Outcome
from txlb.schedulers import Key
from txlb.wire import MAX_GRANT, Grant, Status

#: Seconds after which a permit that was not used is void, and another clone gets one.
LATE = 0.05

#: The least time between two looks for such permits, in seconds.
LATE_TICK = 0.005

#: Permits that are granted in one turn of the reactor.
BATCH = 256

#: Connections that are accepted and passed in one turn of the reactor: at about 45 µs each.
PASSED_BATCH = 64

#: Seconds after which accepting is tried again, if the process has no descriptors.
PAUSE = 0.1


#: Takes an accepted connection and the lease on its host: it is called with the number of the
#: listener, the connection's descriptor, the address of its client as C{accept} gives it, and
#: the lease. All of them are the callee's.
TakeConnection = Callable[[int, int, Any, Lease], object]

#: Why a balancer passes the connections of a listener that reads what clients send first.
READS_FIRST = "the balancer reads what clients send first (PROXY header, name of the server)"

_NONE_EXCLUDED: frozenset[Key] = frozenset()


@implementer(IReadDescriptor)
class Granter:
    """
    Watches the accept queue of a listening socket, lets the pool choose a clone for each
    connection in it, and sends the clone a permit. No connection passes through this
    process, unless the choice needs the client: then it has a L{Passing}. The
    L{CloneManager} owns it.

    The queue is watched by an edge-triggered epoll of its own, whose descriptor the
    reactor watches: so each new connection wakes the manager once, under any reactor, and
    connections that wait on purpose don't keep it awake.

    @param number: the listener's number in messages.
    @param listener: the socket.
    @param pool: its hosts are the clones.
    @param reactor: watches it.
    @param seconds: a monotonic clock.
    @param passing: accepts the connections and passes them; L{None} if permits are enough.
    @param take: takes the connections of hosts that are no clones; L{None} if there are none.
    @ivar whyPassed: why it has a L{Passing}; empty if permits are enough.
    @ivar outstanding: permits that clones may still use.
    """

    def __init__(
        self,
        number: int,
        listener: SharedListener,
        pool: HostPool,
        reactor: Any,
        seconds: Callable[[], float],
        passing: Passing | None = None,
        take: TakeConnection | None = None,
    ) -> None:
        self.passing = passing
        # The settings of the listener may change before its connections come in another way.
        self.whyPassed = ""
        if passing is not None:
            self.whyPassed = READS_FIRST if passing.isFed else listener.settings.whyPassed
        self._take = take
        # The hosts that get nothing from this process.
        self._excluded = _NONE_EXCLUDED
        self.number = number
        self.listener = listener
        self.pool = pool
        self.outstanding = 0
        self._reactor = reactor
        self._seconds = seconds
        self._served = ServedBy(number, pool)
        self._records = self._served.records
        self._lateCall: Any = None
        self._again: Any = None
        self._epoll = select.epoll()
        if passing is None or not passing.isFed:
            self._epoll.register(listener.sock.fileno(), select.EPOLLIN | select.EPOLLET)

    def start(self) -> None:
        """
        Watch the queue.
        """
        self._reactor.addReader(self)
        self.dispatch()

    def relayBy(self, take: TakeConnection) -> None:
        """
        Let the connections of hosts that are no clones be taken from now on.
        """
        self._take = take
        self._excluded = _NONE_EXCLUDED
        self.dispatch()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        return "txlb.cloning"

    def doRead(self) -> None:
        """
        Grant what has come.
        """
        self._epoll.poll(0)
        self.dispatch()

    def doWrite(self) -> None:
        """
        Do nothing: this is an event for the former owner of the descriptor.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Watch on: this is an event for the former owner of the descriptor.
        """
        if not self._epoll.closed:
            self._reactor.addReader(self)

    # The clones

    def give(self, record: Record) -> None:
        """
        Give a clone that is about to join what it needs.
        """
        if self.passing is not None:
            self.passing.give(record.accounts[self.number])

    def add(self, record: Record, active: int) -> None:
        """
        Grant to a clone from now on.

        @param active: connections that it has already.
        """
        self._served.add(record, active)
        self.dispatch()

    def remove(self, record: Record, outcome: Outcome) -> None:
        """
        Grant nothing to a clone any more, which is gone.
        """
        if not self._served.has(record):
            return
        account = record.accounts[self.number]
        self.outstanding -= account.unused
        if self.passing is not None:
            self.passing.forget(account)
        self._served.remove(record, outcome)
        self.dispatch()

    def letGo(self, record: Record) -> None:
        """
        Count what a clone has no longer, as this process grants nothing more.
        """
        self._served.letGo(record)

    def reported(self, record: Record, status: Status) -> None:
        """
        Count what a clone reports.
        """
        if record.name not in self._records:
            return
        account = record.accounts[self.number]
        used = min(max(status.used, account.used), account.sent)
        if used != account.used:
            account.granted = self._seconds()
            if self.passing is not None:
                self.passing.confirmed(account, used - account.used)
        if account.late:
            if used == account.sent:
                account.happened(PermitEvent.GOES_ON)
                self._served.check(record, True, GOES_ON)
        else:
            self.outstanding -= used - account.used
            if used == account.sent:
                account.happened(PermitEvent.USED)
        account.used = used
        self._served.settle(record, status.active + account.unused)
        self.dispatch()

    def cameBack(self, record: Record, number: int) -> None:
        """
        Take back a connection that a clone could not take, and give the clone nothing until
        it reports again.

        @param number: how many permits and connections the clone had used before it.
        """
        passing = self.passing
        if passing is None or record.name not in self._records:
            return
        account = record.accounts[self.number]
        passing.couldNotRead(account, number - account.used)
        if not account.late and not record.draining:
            self._void(record, account, EXHAUSTED)
        self.dispatch()

    def answered(self, record: Record) -> None:
        """
        Note that a clone is alive, and how loaded it is. One that has used all its permits and
        read nothing for a while has nothing to report.
        """
        if not self._served.has(record):
            return
        self._served.loaded(record)
        account = record.accounts[self.number]
        if account.late and account.used == account.sent:
            account.happened(PermitEvent.GOES_ON)
            self._served.check(record, True, GOES_ON)
            self.dispatch()

    # Granting

    def dispatch(self) -> None:
        """
        Grant the connections that wait and have no permit yet.
        """
        if self._epoll.closed:
            return
        if self._take is None:
            known = self._records
            others = [host.key for host in self.pool.hosts if host.name not in known]
            self._excluded = frozenset(others) if others else _NONE_EXCLUDED
        if self.passing is not None:
            self._passOn(self.passing)
        else:
            self._grantAll()

    def _grantAll(self) -> None:
        waiting = self.listener.queued
        if self.listener.countsQueue:
            waiting -= self.outstanding
        elif self.outstanding:
            # The queue's length is not known: one permit at a time.
            return
        if waiting <= 0:
            return
        now = self._seconds()
        batch: dict[str, int] = {}
        for _ in range(min(waiting, BATCH)):
            lease = self._claim(None, now)
            if lease is None:
                self._tellThatTheyWait()
                break
            name = lease.host.name
            record = self._records.get(name)
            if record is None:
                if not self._relay(lease):
                    break
                continue
            lease.host.counters.connections += 1
            record.accounts[self.number].leases.append(lease)
            batch[name] = batch.get(name, 0) + 1
        for name, count in batch.items():
            self._grant(self._records[name], min(count, MAX_GRANT), now)
        if waiting > BATCH and self._again is None:
            self._again = self._reactor.callLater(0, self._goOn)

    def _claim(self, clientAddr: object, now: float) -> Lease | None:
        if not self.pool.readyCount:
            return None
        lease = self.pool.claim(clientAddr, self._excluded, now)
        record = None if lease is None else self._records.get(lease.host.name)
        if lease is None or record is None or not record.accounts[self.number].late:
            return lease
        # The group says that hosts that are down are tried. Clones that are down are not.
        lease.release(Outcome.NOT_CONNECTED)
        return None

    def _relay(self, lease: Lease) -> bool:
        """
        Accept a connection for a host that is no clone.

        @return: whether there was one.
        """
        found = None if self._take is None else self.listener.take()
        if found is None or self._take is None:
            lease.release(Outcome.NOT_CONNECTED)
            return False
        sock, peer = found
        self._take(self.number, sock.detach(), peer, lease)
        return True

    def _goOn(self) -> None:
        self._again = None
        self.dispatch()

    def _dispatchAgain(self, delay: float) -> None:
        if self._again is None:
            self._again = self._reactor.callLater(delay, self._goOn)

    def _passOn(self, passing: Passing) -> None:
        """
        Accept connections, and pass them. None is accepted that no clone has room for.
        """
        now = self._seconds()
        for _ in range(PASSED_BATCH):
            if not self._hasRoom(passing):
                if passing.waits or (not passing.isFed and self.listener.queued):
                    self._tellThatTheyWait()
                return
            client = passing.next()
            if client is None:
                if self.listener.isExhausted:
                    self._dispatchAgain(PAUSE)
                return
            lease = self._claim(client.address, now)
            if lease is None or not self._passOne(passing, client, lease, now):
                passing.putBack(client)
                return
        self._dispatchAgain(0)

    def passOn(self, client: PassedClient) -> bool:
        """
        Pass on a connection that a balancer has accepted, as soon as a clone has room.

        @return: whether it is taken. If not, it is still the balancer's.
        """
        if self.passing is None or self._epoll.closed or not self.passing.add(client):
            return False
        self.dispatch()
        return True

    def _hasRoom(self, passing: Passing) -> bool:
        return self.pool.readyCount > 0 and not any(
            passing.isBehind(each.accounts[self.number]) for each in self._records.values()
        )

    def _passOne(self, passing: Passing, client: PassedClient, lease: Lease, now: float) -> bool:
        record = self._records.get(lease.host.name)
        if record is None:
            if client.relay is not None:
                client.relay(lease)
                return True
            if self._take is None:
                lease.release(Outcome.NOT_CONNECTED)
                return False
            self._take(self.number, client.fd, client.peer, lease)
            return True
        account = record.accounts[self.number]
        if not passing.send(record, client):
            lease.release(Outcome.NOT_CONNECTED)
            self._void(record, account, READS_NOTHING)
            self._dispatchAgain(0)
            return False
        lease.host.counters.connections += 1
        account.leases.append(lease)
        self._sent(account, 1, now)
        return True

    def _tellThatTheyWait(self) -> None:
        """
        Tell the clones that the manager has seen the queue, or they would serve it as
        that of a manager that hangs. If all of them are late, they are to serve it: they
        know better if they can.
        """
        if all(each.accounts[self.number].late for each in self._records.values()):
            return
        for record in self._records.values():
            record.link.send(Grant(self.number, 0))

    def _grant(self, record: Record, count: int, now: float) -> None:
        account = record.accounts[self.number]
        if record.link.send(Grant(self.number, count)):
            self._sent(account, count, now)
            return
        # Its socket's buffer is full: it hangs, or it is about to be lost.
        for _ in range(count):
            account.leases.pop().release(Outcome.NOT_CONNECTED)
        self._served.check(record, False, READS_NOTHING)
        account.happened(PermitEvent.UNREAD)
        self.outstanding -= account.sent - account.used

    def _sent(self, account: Account, count: int, now: float) -> None:
        if account.sent == account.used:
            account.granted = now
        account.sent += count
        account.happened(PermitEvent.SENT)
        self.outstanding += count
        if self._lateCall is None:
            self._lateCall = self._reactor.callLater(LATE, self._lookForLate)

    def _lookForLate(self) -> None:
        """
        Declare permits void that were not used in time.
        """
        self._lateCall = None
        now = self._seconds()
        latest = now - LATE
        found = False
        for record in tuple(self._records.values()):
            account = record.accounts[self.number]
            if account.unused and account.granted <= latest:
                # It may be this process that was held: what the clone has said comes first.
                record.link.doRead()
            if self._records.get(record.name) is not record:
                continue
            if account.unused and account.granted <= latest:
                self._void(record, account, UNUSED)
                found = True
        accounts = (each.accounts[self.number] for each in self._records.values())
        oldest = min((each.granted for each in accounts if each.unused), default=None)
        if oldest is not None:
            # When it is late, and not some time after that.
            delay = max(LATE_TICK, oldest + LATE - now)
            self._lateCall = self._reactor.callLater(delay, self._lookForLate)
        if found:
            self.dispatch()

    def _void(self, record: Record, account: Account, detail: str) -> None:
        unused = account.unused
        self.outstanding -= unused
        account.happened(PermitEvent.VOID)
        if self.passing is not None:
            # Those that it has taken are its own, though it has not said so yet.
            unused = self.passing.takeBack(account)
        for _ in range(min(unused, len(account.leases))):
            account.leases.pop().release(Outcome.NOT_CONNECTED)
        self._served.check(record, False, detail, LATE)

    def stop(self) -> None:
        """
        Grant nothing more.
        """
        self._reactor.removeReader(self)
        for call in (self._lateCall, self._again):
            if call is not None:
                call.cancel()
        self._lateCall = self._again = None
        self._epoll.close()
        if self.passing is not None:
            for record in self._records.values():
                self.passing.letGo(record.accounts[self.number])
            self.passing.close()

"""
The manager of an application's clones.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from txlb.cloning._admitting import Admitting
from txlb.cloning._counting import Counting
from txlb.cloning._entrance import Entrance
from txlb.cloning._granter import Granter, TakeConnection
from txlb.cloning._hosts import IHosts
from txlb.cloning._identity import NOTHING_TOLD, Told
from txlb.cloning._kept import Kept
from txlb.cloning._lateclones import LateClones, leftOut
from txlb.cloning._link import Link, closeAll
from txlb.cloning._listener import SharedListener
from txlb.cloning._ownhosts import OwnHosts
from txlb.cloning._passing import PassedClient, Passing
from txlb.cloning._record import Account, Record, hostName
from txlb.cloning._rendezvous import CloningError, Rendezvous
from txlb.cloning._rolling import RollingRestart
from txlb.cloning._settings import MOST_PROCESSES, CloneSettings
from txlb.cloning._spawner import Spawner
from txlb.cloning._starts import Starts
from txlb.cloning._tellinghow import tellHow
from txlb.cloning._wanted import Wanted
from txlb.errors import ChangeUnderWay
from txlb.model import CLONES
from txlb.pool import Event, EventKind, Outcome
from txlb.wire import (
    GRANTS_VERSION,
    Back,
    Bye,
    Drain,
    Hello,
    Message,
    Ping,
    Pong,
    Quit,
    Refused,
    Status,
    Take,
    Welcome,
)

#: Seconds between two questions to each clone whether it is alive.
HEARTBEAT = 0.25

#: Seconds for which a process that has connected may say nothing before it is dropped.
PATIENCE = 30.0

#: Seconds after which a clone is taken in that could not be, as another change of the hosts
#: was under way.
AGAIN = 0.05

#: The events that are kept for administrators that connect later.
PAST = 100

_log = Logger()


class CloneManager:
    """
    Starts the clones of an application, and grants them the connections that come. It
    accepts none itself: if it is killed, no connection dies with it.

    A L{CloneGroup} or a L{Fleet<txlb.cloning.Fleet>} owns it.

    @param rendezvous: where clones come to.
    @param listeners: the sockets, in the order of their numbers.
    @param settings: how many clones there are to be, and so on.
    @param spawner: starts processes.
    @param generation: the release of the application that it starts clones with.
    @param reactor: watches its sockets.
    @param seconds: a monotonic clock.
    @param hosts: the clones as hosts; by default of pools of its own, see L{OwnHosts}.
    @param take: takes the connections of hosts that are no clones, see L{Granter}.
    @param told: what the processes that it starts are told beside their places.
    @ivar pools: the manager of the clones as hosts.
    @ivar records: the processes that have come to it.
    @ivar wanted: what administrators have changed.
    @ivar starts: starts processes.
    @ivar past: the last events, each with its time in seconds since 1970.
    @ivar rolling: the rolling restart that is under way.
    @ivar lag: the longest time that its reactor was held lately, in seconds.
    @ivar ownSlot: the place among the clones of this process, if it serves clients as well;
        else -1.
    @ivar standby: the process that is to manage if this one ends.
    @ivar whenHeir: is called with the L{Link} of an heir that has come.
    @ivar whenJoined: is called if a clone has joined.
    @ivar whenAlone: is called if the last clone is gone.
    """

    def __init__(
        self,
        rendezvous: Rendezvous,
        listeners: list[SharedListener],
        settings: CloneSettings,
        spawner: Spawner,
        generation: int,
        reactor: Any,
        seconds: Callable[[], float],
        hosts: IHosts | None = None,
        take: TakeConnection | None = None,
        told: Told = NOTHING_TOLD,
    ) -> None:
        self.generation = generation
        self.records: dict[Link, Record] = {}
        self.quitting = False
        self.ownSlot = -1
        self.standby: Record | None = None
        self.whenHeir: Callable[[Link], object] = Link.close
        self.whenJoined: Callable[[], object] = _nothing
        self.whenAlone: Callable[[], object] = _nothing
        self._rendezvous = rendezvous
        self._listeners = listeners
        self._settings = settings
        self._reactor = reactor
        self._seconds = seconds
        self._entrance = Entrance(rendezvous, reactor, self._hasRoom, self._came)
        self.past: deque[tuple[float, Event]] = deque(maxlen=PAST)
        self.lag = 0.0
        self._number = 0
        self._looked = 0.0
        self.rolling: RollingRestart | None = None
        # What administrators change in pools of a balancer is the balancer's to keep.
        self._own: OwnHosts | None = None
        if hosts is None:
            hosts = self._own = OwnHosts(listeners, seconds)
        self._hosts = hosts
        self.pools = self._hosts.pools
        self.wanted = Wanted(self, self._own, settings.processes, reactor)
        self.starts = Starts(
            self,
            rendezvous.path,
            rendezvous.starts,
            listeners,
            spawner,
            reactor,
            seconds,
            told,
            self._own,
        )
        if self._own is not None:
            self.pools.subscribe(self._tell)
        self._late = LateClones(reactor.callLater, _say)
        self._granters = [
            Granter(
                number,
                each,
                self._hosts.poolOf(number),
                reactor,
                seconds,
                _passingOf(number, each, seconds),
                take,
            )
            if each.isGranted or (each.isPassed and take is not None)
            else Counting(number, each, self._hosts.poolOf(number))
            for number, each in enumerate(listeners)
        ]
        self._beat = LoopingCall(self._heartbeat)
        self._beat.clock = reactor

    def _tell(self, event: Event) -> None:
        self.past.append((time.time(), event))
        if event.kind not in _OF_RELAYS and not self._late.takes(event):
            _say(event, 0)
        if self._entrance.isOpen:
            self.wanted.changed()

    @property
    def addresses(self) -> dict[str, str]:
        """
        The address of each listener, by its name.
        """
        return {each.name: each.address for each in self._listeners}

    @property
    def passed(self) -> dict[str, str]:
        """
        Why this process accepts the connections of listeners and passes them to clones, by
        the names of these listeners. Of the others clones accept by permits.
        """
        found = (each for each in self._granters if each.passing is not None)
        return {each.listener.name: each.whyPassed for each in found}

    @property
    def remoteHosts(self) -> set[str]:
        """
        The names of the hosts beside the clones.
        """
        return remoteHosts(self._listeners)

    def relayBy(self, take: TakeConnection) -> None:
        """
        Let the connections of the hosts beside the clones be taken from now on, see
        L{Granter}. Until then the clones get all connections.
        """
        for granter in self._granters:
            granter.relayBy(take)

    def passOn(self, number: int, client: PassedClient) -> bool:
        """
        Pass on a connection of a listener that a balancer accepts for, see L{Granter.passOn}.
        """
        granter = self._granters[number]
        return isinstance(granter, Granter) and granter.passOn(client)

    def takeWaiting(self) -> list[tuple[int, PassedClient]]:
        """
        Give up the connections that wait for a clone to be passed to.

        @return: each with the number of its listener.
        """
        return [
            (granter.number, client)
            for granter in self._granters
            if granter.passing is not None
            for client in granter.passing.takeAll()
        ]

    # Life

    def start(self, patience: float) -> None:
        """
        Listen for clones, and start those that are missing.

        @param patience: seconds in which clones of a former manager may come before
            others are started.
        @raise OSError: the socket in the folder can't be made.
        """
        self._entrance.open()
        for granter in self._granters:
            granter.start()
            tellHow(granter)
        self._looked = self._seconds()
        self._beat.start(HEARTBEAT, now=False)
        self.starts.begin(patience)

    def stop(self) -> None:
        """
        Grant nothing more, and listen for clones no longer. Connections to clones stay,
        see L{quit}, L{handOver} and L{close}.
        """
        if self._beat.running:
            self._beat.stop()
        self.starts.stop()
        if self.rolling is not None:
            self.rolling.stop("the manager stops")
        self.wanted.stop()
        for granter in self._granters:
            granter.stop()
        self._late.flush()
        self._entrance.close()

    def quit(self) -> None:
        """
        Let all clones finish what they have, and end.
        """
        self.quitting = True
        self.stop()
        self._rendezvous.remove()
        self.starts.forget()
        for link in tuple(self.records):
            link.send(Quit())

    def handOver(self, heir: Link, taken: Callable[[], object]) -> None:
        """
        Let an heir manage.

        @param taken: is called if it does, or has ended.
        """
        self.stop()
        if self.standby is not None:
            # The heir starts one of its own release.
            self.standby.link.send(Quit())
        heir.whenLost(taken)
        self.records.pop(heir, None)
        self._rendezvous.unlock()
        heir.send(Take())

    def close(self) -> None:
        """
        Close the connections to all clones, which look for the next manager.
        """
        for link in tuple(self.records):
            link.close()
        self.records.clear()

    def signalAll(self, number: int) -> None:
        """
        Send a signal to all clones, and to the process that stands by.
        """
        for record in (*self.clones, *([self.standby] if self.standby is not None else [])):
            # While the connection is open the process runs, and its PID is no other one's.
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.link.pid, number)

    def forget(self) -> None:
        """
        Count the connections of the clones no longer.
        """
        for record in self.clones:
            for granter in self._granters:
                granter.letGo(record)

    def killAll(self) -> None:
        """
        Kill the processes that have not ended.
        """
        for record in tuple(self.records.values()):
            # While the connection is open the process runs, and its PID is no other one's.
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.link.pid, signal.SIGKILL)

    # Clones come and go

    def _hasRoom(self) -> bool:
        return len(self.records) < MOST_PROCESSES

    def _came(self, link: Link) -> None:
        record = self.records[link] = Record(link, heard=self._seconds())
        link.start(partial(self._received, record), partial(self._lost, record))

    def _received(self, record: Record, message: Message, descriptors: list[int]) -> None:
        closeAll(descriptors)
        record.heard = self._seconds()
        if isinstance(message, Status):
            if record.joined and message.listener < len(self._granters):
                self._granters[message.listener].reported(record, message)
        elif isinstance(message, Back):
            if record.joined and message.listener < len(self._granters):
                self._granters[message.listener].cameBack(record, message.number)
        elif isinstance(message, Pong):
            record.lag, record.memory = message.lag / 1e6, message.memory
            for granter in self._granters:
                granter.answered(record)
        elif isinstance(message, Hello):
            self._introduced(record, message)
        elif isinstance(message, Bye):
            self._drains(record)

    def _introduced(self, record: Record, hello: Hello) -> None:
        if record.joined:
            return
        reason = self._objection(hello)
        if reason:
            _log.error("process {pid} is refused: {reason}", pid=record.link.pid, reason=reason)
            record.link.send(Refused(reason))
            self.records.pop(record.link, None)
            record.link.close()
            return
        if hello.needsSockets:
            # It introduces itself again when it can serve.
            self._sendSockets(record)
            return
        record.generation, record.draining = hello.generation, hello.draining
        if self.rolling is None:
            # A former manager may have begun a rolling restart.
            self.generation = max(self.generation, hello.generation)
        if hello.heir:
            self._heirCame(record)
            return
        if hello.spawned and not any(hello.active) and self._isSurplus():
            _log.info("process {pid} is one too many, and ends", pid=record.link.pid)
            record.start = self.starts.came(hello.slot)
            _dismiss(record)
            record.link.send(Drain())
            return
        # Managers that came one after the other may have given the same place twice.
        taken = hello.slot == self.ownSlot or hello.slot in {each.slot for each in self.clones}
        slot = self.freeSlot() if taken or hello.slot < 0 else hello.slot
        try:
            self._hosts.add(hostName(slot))
        except ChangeUnderWay:
            # Until then the clone accepts by itself.
            self._reactor.callLater(AGAIN, self._introducedAgain, record, hello)
            return
        record.slot = slot
        if hello.slot >= 0:
            record.start = self.starts.came(hello.slot)
        record.accounts = [Account() for _ in self._listeners]
        record.joined = True
        self._takeIn(record, hello)
        self.whenJoined()
        if self.rolling is not None:
            self.rolling.joined(record.slot)

    def _introducedAgain(self, record: Record, hello: Hello) -> None:
        if record.link.isOpen and not self.quitting:
            self._introduced(record, hello)

    def _heirCame(self, record: Record) -> None:
        self.starts.came(-1)
        before = self.standby
        if self.quitting:
            record.link.send(Quit())
        elif self.starts.wantsHeir:
            self.starts.wantsHeir = False
            self.whenHeir(record.link)
        elif not self._settings.standby or (before and before.generation >= record.generation):
            # A former manager had started it.
            record.link.send(Quit())
        else:
            self.standby = record
            _log.info("process {pid} stands by to manage", pid=record.link.pid)
            if before is not None:
                before.link.send(Quit())

    def follow(self, settings: CloneSettings) -> None:
        """
        Have as many clones as these settings say from now on. Those of the highest places
        are drained if there are too many.
        """
        self._settings = settings
        self.wanted.configured(settings.processes)
        self.starts.fillSoon(0.0)
        serving = [each for each in self.clones if not each.draining]
        for record in serving[settings.processes :]:
            self.drain(record)

    def _isSurplus(self) -> bool:
        """
        Whether there are enough clones. That one more comes happens if a manager dies
        while clones that it has started are on their way. One that has connections stays
        nevertheless.
        """
        return self.quitting or (self.rolling is None and self.isComplete)

    @property
    def isComplete(self) -> bool:
        """
        Whether all clones serve that there are to be.
        """
        return self.serving >= self.processes

    @property
    def serving(self) -> int:
        """
        The clones that serve.
        """
        return sum(not each.draining for each in self.clones) + (self.ownSlot >= 0)

    def _sendSockets(self, record: Record) -> None:
        if self._own is None:
            record.link.send(Refused("it is a balancer that runs"))
            return
        names = tuple(each.name for each in self._listeners)
        sockets = tuple(each.sock.fileno() for each in self._listeners)
        record.link.send(Welcome(GRANTS_VERSION, -1, self.generation, names), sockets)

    def _objection(self, hello: Hello) -> str:
        if hello.version != GRANTS_VERSION:
            return (
                f"it speaks version {hello.version} of the protocol, the manager version "
                f"{GRANTS_VERSION}: replace the manager first (SIGUSR2)"
            )
        names = tuple(each.name for each in self._listeners)
        if hello.listeners and hello.listeners != names:
            return (
                f"it has the listeners {', '.join(hello.listeners)}, the manager has "
                f"{', '.join(names)}: one folder is for one application"
            )
        return ""

    def _takeIn(self, record: Record, hello: Hello) -> None:
        self.wanted.know(Kept.read(hello.kept))
        for granter in self._granters:
            granter.give(record)
        passed = tuple(each.number for each in self._granters if each.passing is not None)
        tokens = tuple(record.accounts[number].token for number in passed)
        welcome = Welcome(GRANTS_VERSION, record.slot, self.generation, passed=passed)
        record.link.send(welcome, tokens)
        self.wanted.tell(record.link)
        if record.draining:
            self._hosts.drain(record.name)
        for granter in self._granters:
            active = hello.active[granter.number] if len(hello.active) > granter.number else 0
            granter.add(record, active)
        _log.info("{name} has joined: process {pid}", name=record.name, pid=record.link.pid)

    def _drains(self, record: Record) -> None:
        record.draining = True
        if record.joined and not self.quitting:
            self._hosts.drain(record.name)

    def drain(self, record: Record) -> None:
        """
        Let a clone finish what it has, and end.
        """
        self._drains(record)
        _dismiss(record)
        record.link.send(Drain())

    def _lost(self, record: Record) -> None:
        self.records.pop(record.link, None)
        if record is self.standby:
            self.standby = None
        self.wanted.forget(record)
        if record.joined:
            outcome = Outcome.DONE if record.draining else Outcome.HOST_RESET
            for granter in self._granters:
                if self.quitting:
                    granter.letGo(record)
                else:
                    granter.remove(record, outcome)
            if record.draining and not self.quitting:
                self._hosts.remove(record.name)
            if not record.draining and not self.quitting:
                _log.warn(
                    "{name} is lost, with {active} connections: process {pid}",
                    name=record.name,
                    active=record.active,
                    pid=record.link.pid,
                )
        if not self.clones:
            self.whenAlone()
        if not self.quitting:
            self.starts.fillSoon(0.0)

    # The clones that are there

    @property
    def clones(self) -> list[Record]:
        """
        The clones that have joined, by slot.
        """
        return sorted(
            (each for each in self.records.values() if each.joined), key=lambda each: each.slot
        )

    def hostStates(self, name: str) -> set[str]:
        """
        Return the configured states of a clone as a host, of which each listener has one.
        """
        pools = [each.pool for each in self._granters]
        return {host.state for pool in pools for host in pool.hosts if host.name == name}

    def usedSlots(self) -> set[int]:
        """
        Collect the places that processes have, those that start included.
        """
        slots = {each.slot for each in self.records.values()} | self.starts.starting.keys()
        return slots | {self.ownSlot}

    def freeSlot(self) -> int:
        """
        Find a place for a clone.
        """
        used = self.usedSlots()
        return next(slot for slot in range(MOST_PROCESSES + len(used) + 1) if slot not in used)

    @property
    def processes(self) -> int:
        """
        How many clones there are to be.
        """
        return self.wanted.processes

    def spawn(self, slot: int) -> None:
        """
        Start a clone in a place, or an heir in that of -1.
        """
        self.starts.spawn(slot)

    @property
    def isListening(self) -> bool:
        """
        Whether it manages: it has begun, and has not stopped.
        """
        return self._entrance.isOpen

    @property
    def wantsStandby(self) -> bool:
        """
        Whether a process should stand by, and there is none, or one of a former release.
        """
        if not self._settings.standby or self.rolling is not None:
            return False
        return self.standby is None or self.standby.generation != self.generation

    def refuseIfStopped(self) -> None:
        """
        Refuse what administrators want if this process is about to manage no more.

        @raise CloningError: it is.
        """
        if self.quitting or not self._entrance.isOpen:
            raise CloningError("the application stops, or another process is about to manage")

    # Rolling restart

    @property
    def isRolling(self) -> bool:
        """
        Whether a rolling restart is under way.
        """
        return self.rolling is not None

    def roll(self) -> RollingRestart:
        """
        Replace all clones, one by one, by ones that run what the application's files say
        now. See L{RollingRestart}.

        @raise CloningError: that is under way already, another process is about to manage, or
            the application stops.
        """
        self.refuseIfStopped()
        if self.starts.wantsHeir:
            raise CloningError("a new manager is on its way; try it again when it manages")
        if self.rolling is not None:
            raise CloningError(
                f"a rolling restart to generation {self.generation} is under way; wait for its end"
            )
        self.generation += 1
        self.rolling = rolling = RollingRestart(
            self.generation,
            [each for each in self.clones if not each.draining],
            self.freeSlot,
            self.spawn,
            self.drain,
            self._reactor,
        )
        rolling.whenOver = self._rolled
        rolling.begin()
        return rolling

    def _rolled(self, why: str) -> None:
        self.rolling = None
        if why:
            self.generation -= 1
        self.starts.fillSoon(0.0)

    # Time

    def _heartbeat(self) -> None:
        self._number = (self._number + 1) % 2**64
        now = self._seconds()
        self.lag, self._looked = max(0.0, now - self._looked - HEARTBEAT), now
        self._hosts.advance(now)
        self.starts.lookForLate(now)
        for granter in self._granters:
            granter.dispatch()
        for record in tuple(self.records.values()):
            if record.joined or record is self.standby:
                record.link.send(Ping(self._number))
            if not record.joined and now - record.heard > PATIENCE:
                record.link.close()
                self._lost(record)
        self.starts.keepHeir()


#: Events of pools that say what happens to clients of a relay: clients of clones wait in
#: the accept queue.
_OF_RELAYS = frozenset({EventKind.GROUP_DOWN, EventKind.GROUP_UP})


def _passingOf(
    number: int, listener: SharedListener, seconds: Callable[[], float]
) -> Passing | None:
    settings = listener.settings
    if not settings.whyPassed and not listener.isPassed:
        return None
    return Passing(number, listener, Admitting(settings.service, seconds))


def _say(event: Event, before: int) -> None:
    _log.info("{event}{before}", event=event, before=leftOut(before))


def remoteHosts(listeners: Iterable[SharedListener]) -> set[str]:
    """
    Collect the names of the hosts beside the clones.
    """
    hosts = (host for each in listeners for host in each.settings.group.hosts)
    # In a balancer's group are the clones as well.
    return {host.name for host in hosts if host.origin != CLONES}


def _dismiss(record: Record) -> None:
    """
    Note that a process is told to end, so that its end is no fault.
    """
    if record.start is not None:
        record.start.dismissed = True


def _nothing() -> None:
    pass

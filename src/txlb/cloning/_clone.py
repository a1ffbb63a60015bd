"""
What a clone does: it accepts what the manager grants it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from txlb.cloning._admitting import Admitting
from txlb.cloning._beginning import Beginning
from txlb.cloning._identity import Identity
from txlb.cloning._kept import Kept
from txlb.cloning._link import Link, closeAll
from txlb.cloning._listener import SharedListener
from txlb.cloning._usage import residentMemory
from txlb.wire import (
    GRANTS_VERSION,
    Back,
    Bye,
    Drain,
    Grant,
    Hello,
    Keep,
    Message,
    Passed,
    Ping,
    Pong,
    Quit,
    Refused,
    Status,
    Take,
    Welcome,
)

#: Seconds between two looks at the accept queues. A queue that has connections at two looks,
#: with no permit used between them, is not served: the manager hangs.
IMPATIENCE = 0.05

#: Seconds for which a manager that says nothing is believed to leave a queue alone on
#: purpose: two of its heartbeats, and a little.
BELIEVED = 0.6

#: Seconds for which ends of connections are collected into one message.
COLLECTED = 0.002

#: A message of L{Status} counts permits modulo this.
_MODULUS = 1 << 64

_log = Logger()


class Clone:
    """
    Serves the clients that the manager grants, and all that come if there is no manager.
    A L{CloneGroup} owns it.

    @param identity: which process this is.
    @param listeners: the sockets that it shares, in the order that all processes have.
    @param processes: the clones that there are to be: how many others may see the same
        queue.
    @param reactor: has the timers.
    @param seconds: a monotonic clock.
    @ivar draining: whether it accepts nothing more.
    @ivar serves: whether it is to serve clients; an heir does not.
    @ivar started: whether it does.
    @ivar spawned: whether a manager has started this process.
    @ivar kept: what administrators have changed, for the next manager.
    @ivar whenLost: is called if the manager has gone.
    @ivar whenTold: is called if the manager wants this process to end: with L{True} if
        the whole application stops.
    @ivar whenWelcome: is called if the manager has taken it in.
    @ivar whenRefused: is called with the reason if the manager does not take it in.
    @ivar whenTaking: is called if this process is to manage.
    """

    def __init__(
        self,
        identity: Identity,
        listeners: list[SharedListener],
        processes: int,
        reactor: Any,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.listeners = listeners
        # The numbers of those on which the manager wants this process to accept nothing, as an
        # administrator has taken it out. They have no grants.
        self._taken: set[int] = set()
        self.draining = False
        self.serves = True
        self.started = False
        self.spawned = False
        self.kept = Kept()
        self.whenLost: Callable[[], object] = _nothing
        self.whenTold: Callable[[bool], object] = _ignore
        self.whenRefused: Callable[[str], object] = _ignore
        self.whenWelcome: Callable[[], object] = _nothing
        self.whenTaking: Callable[[Link], object] = _ignore
        self._processes = processes
        self._reactor = reactor
        self._seconds = seconds
        self._link: Link | None = None
        self._used = [0] * len(listeners)
        self._base = [0] * len(listeners)
        # What the manager was told last of each listener.
        self._told: list[Status | None] = [None] * len(listeners)
        # The semaphores of the listeners whose connections are passed, by their numbers.
        self._tokens: dict[int, int] = {}
        self._unserved = [-1] * len(listeners)
        # Queues that the manager leaves alone, as no clone had room for more.
        self._deliberate = [False] * len(listeners)
        # Whether it accepts all that comes.
        self._isFree = False
        # When the manager said something last.
        self._heard = 0.0
        self._call: Any = None
        self._soonest = False
        self._lag = 0.0
        self._looked = 0.0
        self._watch = LoopingCall(self._look)
        self._watch.clock = reactor

    @property
    def active(self) -> int:
        """
        The connections of this process.
        """
        return sum(len(each.connections) for each in self.listeners)

    @property
    def joined(self) -> bool:
        """
        Whether a manager grants it connections.
        """
        return self._link is not None

    def start(self) -> None:
        """
        Serve: all that comes, until a manager is joined.
        """
        self.started = True
        for listener in self.listeners:
            listener.changed = self._changed
            listener.admits = Admitting(listener.settings.service, self._seconds)
            listener.serve()
        self.serveFreely(True)
        self._looked = self._seconds()
        self._watch.start(IMPATIENCE, now=False)

    def serveFreely(self, free: bool) -> None:
        """
        Accept all connections that come, or only what a manager grants. Without a manager,
        a clone that administrators have taken out accepts nothing either.
        """
        if self.serves:
            self._isFree = free
            for number, listener in enumerate(self.listeners):
                byItself = free or not (listener.isGranted or number in self._taken)
                try:
                    listener.acceptFreely(
                        byItself and not self.draining and not self._rests(listener)
                    )
                except OSError as problem:
                    self.whenRefused(
                        f"{listener.name}: this process can't have an accept queue of its own: "
                        f"{problem.strerror}; leave out sharing='reuseport', or give its user the "
                        "right to listen there"
                    )
                    return

    def _rests(self, listener: SharedListener) -> bool:
        return self.kept.rests(listener.name, self.identity.name)

    def join(self, link: Link, heir: bool = False) -> None:
        """
        Work for a manager.

        @param link: is connected to it, and this object's from here.
        @param heir: whether this process is to become the manager, and serves no clients.
        """
        self._link = link
        self.serves = not heir
        self._used = [0] * len(self.listeners)
        # What it had accepted before it joined, where it accepts by itself.
        self._base = [each.accepted for each in self.listeners]
        self._told = [None] * len(self.listeners)
        self._forgetQueues()
        link.start(self._received, self._lost)
        link.send(
            Hello(
                GRANTS_VERSION,
                self.identity.slot,
                self.identity.generation,
                heir,
                self.draining,
                tuple(each.name for each in self.listeners),
                tuple(len(each.connections) for each in self.listeners),
                spawned=self.spawned,
                kept=self.kept.write() if self.kept.number else "",
            )
        )

    def _forgetQueues(self) -> None:
        """
        Forget what a former manager said of the queues, and the permits of its.
        """
        self._deliberate = [False] * len(self.listeners)
        self._unserved = [-1] * len(self.listeners)
        self._taken.clear()
        self._heard = self._seconds()

    def _lost(self) -> None:
        self._link = None
        self._forgetQueues()
        # Clients don't wait for another manager.
        self.serveFreely(True)
        self.whenLost()

    def _received(self, message: Message, descriptors: list[int]) -> None:
        self._heard = self._seconds()
        if isinstance(message, Passed):
            self._passed(message, descriptors)
            return
        if isinstance(message, Welcome):
            self._welcomed(message, descriptors)
            return
        closeAll(descriptors)
        if isinstance(message, Grant):
            self._granted(message)
        elif isinstance(message, Ping):
            self._pinged(message)
        elif isinstance(message, Keep):
            self.kept = Kept.read(message.text)
        elif isinstance(message, Refused):
            self.whenRefused(message.reason)
        elif isinstance(message, (Drain, Quit)):
            self.whenTold(isinstance(message, Quit))
        elif isinstance(message, Take) and self._link is not None:
            link, self._link = self._link, None
            self.whenTaking(link)

    def _welcomed(self, welcome: Welcome, descriptors: list[int]) -> None:
        self._forgetTokens()
        if len(descriptors) == len(welcome.passed):
            self._tokens = dict(zip(welcome.passed, descriptors, strict=True))
        else:
            closeAll(descriptors)
        self.identity.slot = welcome.slot
        self.serveFreely(False)
        self.whenWelcome()

    def _forgetTokens(self) -> None:
        closeAll(list(self._tokens.values()))
        self._tokens.clear()

    def _passed(self, passed: Passed, descriptors: list[int]) -> None:
        """
        Serve a connection that the manager has accepted, unless the manager has taken it
        back.
        """
        number = passed.listener
        token = self._tokens.get(number)
        if token is None:
            closeAll(descriptors)
            return
        before = self._used[number]
        self._used[number] = (before + 1) % _MODULUS
        self._deliberate[number] = False
        self._report(0.0)
        try:
            os.eventfd_read(token)
        except BlockingIOError:
            closeAll(descriptors)
            return
        if len(descriptors) == 1 and not self.draining:
            beginning = Beginning(passed.client, passed.server, passed.first)
            self.listeners[number].adopt(descriptors[0], beginning)
            return
        closeAll(descriptors)
        if self._link is not None:
            self._link.send(Back(number, before))
        if not descriptors:
            self.listeners[number].exhausted(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))

    def _granted(self, grant: Grant) -> None:
        if grant.listener >= len(self.listeners):
            return
        if not self.listeners[grant.listener].isGranted:
            (self._taken.discard if grant.count else self._taken.add)(grant.listener)
            self.serveFreely(self._isFree)
            return
        self._deliberate[grant.listener] = not grant.count
        if not grant.count:
            return
        if not self.draining:
            self.listeners[grant.listener].accept(grant.count)
        # A permit that found no client is used as well: another process was quicker.
        self._used[grant.listener] = (self._used[grant.listener] + grant.count) % _MODULUS
        self._report(0.0)

    def _pinged(self, ping: Ping) -> None:
        link = self._link
        if link is not None:
            memory = residentMemory()
            lag, self._lag = self._lag, 0.0
            link.send(Pong(ping.number, min(int(lag * 1e6), 2**32 - 1), min(memory, 2**32 - 1)))
            if self.serves and None in self._told:
                # A report was not sent, as the manager had not read for a while.
                self._report(0.0)

    def _changed(self) -> None:
        self._report(COLLECTED)

    def _report(self, delay: float) -> None:
        if self._call is not None:
            if delay or self._soonest:
                return
            self._call.cancel()
        self._soonest = not delay
        self._call = self._reactor.callLater(delay, self._send)

    def _send(self) -> None:
        self._call = None
        link = self._link
        if link is None:
            return
        for number, listener in enumerate(self.listeners):
            used = (
                self._used[number] if listener.isGranted else listener.accepted - self._base[number]
            )
            status = Status(number, used, len(listener.connections))
            # A process without descriptors says nothing: its permits go to others.
            if status == self._told[number] or listener.isExhausted:
                continue
            # If there is room now, a manager that is alive grants something.
            self._deliberate[number] = False
            self._told[number] = status if link.send(status) else None

    def _look(self) -> None:
        """
        Look for queues that the manager does not serve, and measure how late that is.
        """
        now = self._seconds()
        self._lag = max(self._lag, now - self._looked - IMPATIENCE)
        self._looked = now
        if self._isFree or self.draining or not self.serves:
            return
        isBelieved = now - self._heard < BELIEVED
        for number, listener in enumerate(self.listeners):
            if not listener.isGranted:
                continue
            queued = listener.queued
            if self._rests(listener) or (self._deliberate[number] and isBelieved):
                continue
            if queued and self._unserved[number] == self._used[number]:
                # The others see the same queue: each takes its share.
                listener.accept(min(listener.room, max(1, queued // self._processes)))
                self._report(0.0)
            self._unserved[number] = self._used[number] if queued else -1

    def stop(self) -> None:
        """
        Use no permits any more. Connections go on, and the manager is told of them, so that
        it knows how long this process runs. The L{CloneGroup} stops the listeners.
        """
        self.draining = True
        if self._link is not None:
            self._link.send(Bye())
        if self._watch.running:
            self._watch.stop()

    def close(self) -> None:
        """
        Leave the manager.
        """
        link, self._link = self._link, None
        if link is not None:
            link.close()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._forgetTokens()
        for listener in self.listeners:
            listener.changed = _nothing


def _nothing() -> None:
    pass


def _ignore(value: object) -> None:
    pass

"""
The processes of one application, seen from one of them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from txlb.cloning._clone import Clone
from txlb.cloning._draining import drainProtocol
from txlb.cloning._identity import Birth, Identity, Role, whoAmI
from txlb.cloning._inherited import Inherited, MakeSocket
from txlb.cloning._link import Link
from txlb.cloning._listener import SharedListener
from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._manager import CloneManager
from txlb.cloning._rendezvous import CloningError, Rendezvous
from txlb.cloning._settings import CloneSettings
from txlb.cloning._spawner import Spawner
from txlb.cloning._startup import exitStatus
from txlb.wire import MAX_LISTENERS

#: Seconds between two tries to find the manager, if there is one and it has no socket yet.
RETRY = 0.002

#: Seconds in which clones of a manager that died may come to the new one, before others are
#: started in their place. On a machine that is busy they need a while, and clones that are
#: too many cost more than one that is missing.
REUNION = 2.0

#: Seconds before the manager is looked for again, if another user's process has its place.
STRANGER = 0.5

#: Seconds after which a clone that manages starts an heir.
HEIR_AFTER = 0.02

#: Seconds between two looks whether the last connection has ended.
LOOK = 0.02

#: Seconds more than the grace time after which clones that do not end are killed.
LAST = 1.0

_log = Logger()


class CloneGroup:
    """
    The processes of one application, which share a folder. Whichever has the folder's lock
    manages; the others are its clones. If the manager dies, the kernel frees the lock, and
    a clone takes it: it serves and manages until an heir, a fresh process that serves
    nothing, takes over.

    The L{CloningService}s of a process that have the same folder share one.

    @param folder: the folder's path.
    @param settings: how the application is cloned.
    @param identity: which process this is; L{whoAmI} by default.
    @param seconds: a monotonic clock.
    @param makeRendezvous: opens the folder.
    @param makeSpawner: makes what starts processes, for a reactor.
    """

    def __init__(
        self,
        folder: str,
        settings: CloneSettings,
        identity: Identity | None = None,
        seconds: Callable[[], float] = time.monotonic,
        makeRendezvous: Callable[[str], Rendezvous] = Rendezvous,
        makeSpawner: Callable[[Any], Spawner] = Spawner,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.identity = identity if identity is not None else whoAmI()
        self.manager: CloneManager | None = None
        self.clone: Clone | None = None
        self._seconds = seconds
        self._makeRendezvous = makeRendezvous
        self._makeSpawner = makeSpawner
        self._listeners: list[SharedListener] = []
        self._birth: Birth | None = None
        self._inherited: Inherited | None = None
        self._rendezvous: Rendezvous | None = None
        self._reactor: Any = None
        self._began = False
        self._ending: Deferred[None] | None = None
        # Whether all processes of the application end with this one.
        self._all = False
        self._electCall: Any = None
        self._heirCall: Any = None
        self._lookCall: Any = None
        self._lastCall: Any = None
        self._deadline = 0.0
        self._handlers: dict[int, Any] = {}
        self._observers: list[Callable[[], object]] = []

    # Listening

    def share(
        self,
        name: str,
        make: MakeSocket,
        factory: IProtocolFactory,
        reactor: Any,
        settings: ListenerSettings | None = None,
    ) -> SharedListener:
        """
        Share a listening socket with the other processes. A clone gets it from the manager;
        the first process makes it.

        @param name: the same in all processes.
        @param make: makes it.
        @param settings: how its connections come to the clones.
        @raise CloningError: there are too many.
        @raise CannotListenError: the address can't be listened on.
        """
        if self._began:
            raise CloningError(f"listener {name} comes after the start: give it before")
        if len(self._listeners) >= MAX_LISTENERS:
            raise CloningError(f"an application has at most {MAX_LISTENERS} listeners")
        self._reactor = reactor
        if self._inherited is None:
            self._birth = Birth.take()
            self._inherited = Inherited(self.folder, self._birth)
            self._inherited.ask(reactor)
        known = {each.name for each in self._listeners}
        unique = name
        number = 2
        while unique in known:
            unique, number = f"{name}-{number}", number + 1
        sock = self._inherited.take(unique, make)
        listener = SharedListener(unique, sock, factory, reactor, settings)
        self._listeners.append(listener)
        return listener

    # Roles

    @property
    def manages(self) -> bool:
        """
        Whether this process manages, and serves no clients. A clone that manages until its
        heir comes does not count.
        """
        return self.manager is not None and not self.serves

    @property
    def serves(self) -> bool:
        """
        Whether this process serves clients.
        """
        return self.clone is not None and self.clone.started

    def observe(self, changed: Callable[[], object]) -> None:
        """
        Call something whenever L{manages} or L{serves} may have changed.
        """
        self._observers.append(changed)

    def forget(self, changed: Callable[[], object]) -> None:
        """
        Call it no more.
        """
        self._observers.remove(changed)

    def _tell(self) -> None:
        for changed in tuple(self._observers):
            changed()

    # Beginning

    def start(self) -> None:
        """
        Find this process's role, after all listeners are there.

        @raise CloningError: the folder can't be used.
        """
        if self._rendezvous is not None:
            return
        if self._reactor is None or self._inherited is None:
            raise CloningError(
                f"the application of folder {self.folder} listens on nothing that can be cloned"
            )
        self._inherited.check(tuple(each.name for each in self._listeners))
        path = self.folder if self._birth is None else self._birth.folder
        self._rendezvous = self._makeRendezvous(path)
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        if self._began or self._ending is not None or self._rendezvous is None:
            return
        self._began = True
        birth, inherited = self._birth, self._inherited
        if inherited is not None:
            inherited.started()
        heir = birth is not None and birth.heir
        if birth is not None:
            self.identity.slot = birth.slot
            self.identity.generation = birth.generation
        self.clone = clone = Clone(
            self.identity, self._listeners, self.settings.processes, self._reactor, self._seconds
        )
        clone.whenLost = self._managerLost
        clone.whenTold = self._told
        clone.whenRefused = self._refused
        clone.whenTaking = self._take
        clone.spawned = birth is not None
        self._handle()
        if birth is None and self._lock():
            self._rendezvous.begin()
            self._manageFirst(clone)
            return
        self.identity.role = Role.CLONE
        clone.serves = not heir
        if not heir:
            clone.start()
            self._tell()
        self._elect()

    def _manageFirst(self, clone: Clone) -> None:
        try:
            self._manage(clone, 0.0)
        except OSError as problem:
            self._refused(f"folder {self.folder}: {problem.strerror}")

    def _lock(self) -> bool:
        return self._rendezvous is not None and self._rendezvous.tryLock()

    def _handle(self) -> None:
        """
        Answer SIGHUP and SIGUSR2 from now on.
        """
        for number, call in ((signal.SIGHUP, self.roll), (signal.SIGUSR2, self.replaceManager)):
            self._handlers[number] = signal.signal(number, self._answer(call))

    def _answer(self, call: Callable[[], object]) -> Callable[[int, FrameType | None], object]:
        def handle(_number: int, _frame: FrameType | None) -> None:
            self._reactor.callFromThread(call)

        return handle

    # The manager

    def _elect(self) -> None:
        """
        Manage, if no process does; or find the one that does.
        """
        self._electCall = None
        clone, rendezvous = self.clone, self._rendezvous
        if clone is None or rendezvous is None or self._ending is not None:
            return
        heir = not clone.serves
        if not heir and self._lock():
            self._succeed(clone)
            return
        try:
            link = Link(rendezvous.connect(), self._reactor)
        except OSError:
            # The winner has no socket yet; or, for an heir, there is no manager any more.
            if heir and self._lock():
                self._succeed(clone)
                return
            self._electCall = self._reactor.callLater(RETRY, self._elect)
            return
        if link.uid != os.geteuid():
            link.close()
            self._electCall = self._reactor.callLater(STRANGER, self._elect)
            return
        clone.join(link, heir)

    def _managerLost(self) -> None:
        # In the next turn: a socket that is made now may get the number of a descriptor
        # that was closed in this one, with that one's event.
        if self._ending is None and self._electCall is None:
            self._electCall = self._reactor.callLater(0, self._elect)

    def _succeed(self, clone: Clone) -> None:
        """
        Manage in the place of a manager that is gone, unless it has stopped the
        application: this process was on its way then.
        """
        if self._rendezvous is not None and self._rendezvous.isStopped:
            _log.info("the application was stopped: this process ends")
            self._told(True)
        else:
            self._manage(clone, REUNION)

    def _manage(self, clone: Clone, patience: float) -> None:
        rendezvous = self._rendezvous
        if rendezvous is None:
            return
        self.identity.role = Role.MANAGER
        self.manager = manager = CloneManager(
            rendezvous,
            self._listeners,
            self.settings,
            self._makeSpawner(self._reactor),
            self.identity.generation,
            self._reactor,
            self._seconds,
        )
        manager.whenHeir = self._heirCame
        # A clone that manages for a while serves only if there are no others.
        manager.whenJoined = lambda: clone.serveFreely(False)
        manager.whenAlone = lambda: clone.serveFreely(True)
        manager.start(patience)
        _log.info(
            "process {pid} manages {count} clones of {names}",
            pid=os.getpid(),
            count=self.settings.processes,
            names=", ".join(each.name for each in self._listeners),
        )
        self._tell()
        if clone.started:
            self._heirCall = self._reactor.callLater(HEIR_AFTER, self._startHeir)

    def _startHeir(self) -> None:
        self._heirCall = None
        self.replaceManager()

    def _heirCame(self, link: Link) -> None:
        manager, self.manager = self.manager, None
        if manager is None:
            return
        self._tell()
        if self.clone is not None:
            self.clone.serveFreely(True)
        manager.handOver(link, lambda: self._handedOver(manager))

    def _handedOver(self, manager: CloneManager) -> None:
        """
        Let the clones look for the manager: the heir, or another one if it has ended.
        """
        manager.close()
        clone = self.clone
        if clone is not None and clone.started:
            self.identity.role = Role.CLONE
            self._managerLost()
        elif self._ending is None:
            self.identity.role = Role.ALONE
            _log.info("another process manages: this one ends")
            self._reactor.stop()

    def _take(self, link: Link) -> None:
        """
        Manage in the place of another process, which has freed the lock for this one.
        """
        clone = self.clone
        if clone is not None and self._lock():
            self._manage(clone, REUNION)
            # The former manager lets go of its clones if this connection ends.
            link.close()
        else:
            link.close()
            self._managerLost()

    def roll(self) -> None:
        """
        Replace the clones, one by one, by ones that run what the application's files say
        now. Only the manager does so; a clone that gets SIGHUP does nothing.
        """
        if self.manager is not None:
            self.manager.roll()

    def replaceManager(self) -> None:
        """
        Let a fresh process manage in the place of this one, if this one does.
        """
        if self.manager is not None:
            self.manager.wantsHeir = True
            self.manager.spawn(heir=True)

    # Ending

    def _told(self, all: bool) -> None:  # noqa: A002 - all processes
        """
        End this process, as the manager wants.
        """
        self._all = all
        self.stop().addCallback(lambda _: self._reactor.stop())

    def _refused(self, reason: str) -> None:
        """
        End this process with exit status 1, as it can't do its work.
        """
        _log.error("this process ends: {reason}", reason=reason)
        exitStatus.failed = True
        self._told(False)

    def stop(self) -> Deferred[None]:
        """
        Accept nothing more, and finish what there is, for as long as the grace time. The
        manager lets all its clones do so.

        @return: fires with L{None} when that is done. It never fails.
        """
        if self._ending is not None:
            return _follow(self._ending)
        self._ending = ending = Deferred[None]()
        self._forgetCalls()
        if self._reactor is None:
            self._ended()
            return _follow(ending)
        self._deadline = self._seconds() + self.settings.graceTime
        if self.manager is not None:
            self._all = True
            if self._rendezvous is not None:
                self._rendezvous.end()
            self.manager.quit()
        if self.clone is not None:
            self.clone.stop()
        if self._all:
            self._acceptLast()
        else:
            for listener in self._listeners:
                listener.stop()
            self._drainAll()
        self._look()
        return _follow(ending)

    def _acceptLast(self) -> None:
        """
        Accept the clients that wait while the application stops: the system has told them
        that they are connected. Later ones are refused, as no process listens any more.
        """
        self._lastCall = None
        more = False
        for listener in self._listeners:
            room = listener.room if self.serves else 0
            if room and listener.accept(room) == room:
                more = True
            else:
                listener.close()
        if more:
            self._lastCall = self._reactor.callLater(0, self._acceptLast)
        else:
            self._drainAll()

    def _drainAll(self) -> None:
        for listener in self._listeners:
            for transport in tuple(listener.connections):
                drainProtocol(transport.protocol)

    def _forgetCalls(self) -> None:
        for call in (self._electCall, self._heirCall):
            if call is not None:
                call.cancel()
        self._electCall = self._heirCall = None
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _look(self) -> None:
        """
        Look whether everything has ended.
        """
        self._lookCall = None
        now = self._seconds()
        active = sum(len(each.connections) for each in self._listeners)
        if active and now >= self._deadline:
            _log.warn("{count} connections are reset after the grace time", count=active)
            for listener in self._listeners:
                for transport in tuple(listener.connections):
                    transport.abortConnection()
        waits = self.manager is not None and bool(self.manager.records)
        if waits and now >= self._deadline + LAST and self.manager is not None:
            self.manager.killAll()
            waits = now < self._deadline + 2 * LAST
        if active or waits or self._lastCall is not None:
            self._lookCall = self._reactor.callLater(LOOK, self._look)
        else:
            self._ended()

    def _ended(self) -> None:
        if self.manager is not None:
            self.manager.close()
        if self.clone is not None:
            self.clone.close()
        if self._inherited is not None:
            self._inherited.close(own=self.identity.role is Role.MANAGER)
        for listener in self._listeners:
            listener.close()
        if self._rendezvous is not None:
            self._rendezvous.close()
        ending = self._ending
        if ending is not None:
            ending.callback(None)


def _follow(deferred: Deferred[None]) -> Deferred[None]:
    """
    Make a Deferred that fires when another one does.
    """
    if deferred.called:
        return defer.succeed(None)
    other: Deferred[None] = Deferred()
    deferred.addCallback(lambda _: other.callback(None))
    return other

"""
The processes of one application, seen from one of them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb._reactor import stopReactor
from txlb.cloning import _init
from txlb.cloning._clone import Clone
from txlb.cloning._controlsocket import ControlSocket
from txlb.cloning._draining import drainProtocol
from txlb.cloning._identity import NOTHING_TOLD, Birth, Identity, Role, whoAmI
from txlb.cloning._inherited import Inherited, MakeSocket
from txlb.cloning._inheritedsockets import placeNamed
from txlb.cloning._link import Link
from txlb.cloning._listener import SharedListener
from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._logfiles import appendToLogs, reopenMoved
from txlb.cloning._manager import CloneManager
from txlb.cloning._processes import Processes
from txlb.cloning._remotehosts import RemoteHosts, prepareRelay
from txlb.cloning._rendezvous import CloningError, Rendezvous
from txlb.cloning._settings import CloneSettings
from txlb.cloning._signals import Signals
from txlb.cloning._spawner import Spawner
from txlb.cloning._stages import ROLES, Stage, StageEvent, StageState
from txlb.cloning._startup import exitStatus
from txlb.cloning._supervision import Supervision
from txlb.process import Supervisor
from txlb.wire import MAX_LISTENERS

#: The PID of the first process of a container.
FIRST = 1

#: Seconds between two tries to find the manager, if there is one and it has no socket yet.
RETRY = 0.002

#: Seconds in which clones of a manager that died may come to the new one, before others are
#: started in their place. On a machine that is busy they need a while, and clones that are
#: too many cost more than one that is missing.
REUNION = 2.0

#: Seconds before the manager is looked for again, if another user's process has its place, or
#: this process can't manage.
STRANGER = 0.5

#: Seconds for which clones leave the lock to a process that stands by. It may hang.
STANDBY_FIRST = 0.25

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
    manages; the others are its clones. One process stands by: it serves nothing, and takes
    the lock if the manager dies and the kernel frees it. If there is none, a clone takes
    it: it serves and manages until an heir, a fresh process that serves nothing, takes over.

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
        self._stages = StageState()
        self.manager: CloneManager | None = None
        self.clone: Clone | None = None
        self._seconds = seconds
        self._makeRendezvous = makeRendezvous
        self._makeSpawner = makeSpawner
        self._listeners: list[SharedListener] = []
        self._birth: Birth | None = None
        self._inherited: Inherited | None = None
        self._supervision = Supervision(Supervisor(), False, None)
        self._rendezvous: Rendezvous | None = None
        self._reactor: Any = None
        self._began = False
        self._ending: Deferred[None] | None = None
        # Whether all processes of the application end with this one.
        self._all = False
        # The manager that it will be, if it stands by.
        self._prepared: CloneManager | None = None
        self._control: ControlSocket | None = None
        self._remote: RemoteHosts | None = None
        self._upgrades: list[Deferred[int]] = []
        self._electCall: Any = None
        self._heirCall: Any = None
        self._lookCall: Any = None
        self._lastCall: Any = None
        self._deadline = 0.0
        self._lostAt = 0.0
        self._signals = Signals(self)
        self._observers: list[Callable[[], object]] = []

    # Listening

    def share(
        self,
        name: str,
        make: MakeSocket,
        factory: IProtocolFactory,
        reactor: Any,
        settings: ListenerSettings | None = None,
        own: bool = True,
    ) -> SharedListener:
        """
        Share a listening socket with the other processes. A clone gets it from the manager;
        the first process makes it.

        @param name: the same in all processes.
        @param make: makes it.
        @param settings: how its connections come to the clones.
        @param own: whether the file of a UNIX socket is the application's, which removes it
            in the end.
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
            if os.getpid() == FIRST:
                # Nothing is open yet that the application needs.
                _init.become([sys.executable, *sys.orig_argv[1:]])
            supervisor = Supervisor.fromEnvironment(os.environ)
            self._supervision = Supervision(supervisor, self._birth is None, reactor)
            self._inherited = Inherited(self.folder, self._birth)
            self._inherited.ask(reactor)
        known = {each.name for each in self._listeners}
        unique = name
        number = 2
        while unique in known:
            unique, number = f"{name}-{number}", number + 1
        sock = self._inherited.take(unique, make, own)
        listener = SharedListener(unique, sock, factory, reactor, settings)
        self._listeners.append(listener)
        return listener

    def arrange(self, names: list[str]) -> None:
        """
        Put the listeners in the order of another process.

        @param names: theirs, in that order.
        @raise CloningError: this process lacks one.
        """
        known = {each.name: each for each in self._listeners}
        for name in names:
            if name not in known:
                place = placeNamed(name)
                raise CloningError(f"the application does not listen on the port of {place}")
        self._listeners = [known[name] for name in names]

    # Roles

    @property
    def stage(self) -> Stage:
        """
        What this process does.
        """
        return self._stages.state

    def _happened(self, event: StageEvent) -> None:
        """
        Go to the next stage, which gives this process its role. An event that changes
        nothing in this one is ignored.
        """
        self._stages.happened(event)
        self.identity.role = ROLES[self.stage]

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

    @property
    def active(self) -> int:
        """
        The connections of this process.
        """
        relayed = 0 if self._remote is None else self._remote.active
        return sum(len(each.connections) for each in self._listeners) + relayed

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
        appendToLogs()
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
        clone.whenWelcome = self._welcomed
        clone.whenTaking = self._take
        clone.spawned = birth is not None
        self._signals.start(self._reactor)
        if birth is None and self._lock():
            self._rendezvous.begin()
            self._manageFirst(clone)
            return
        self._happened(StageEvent.IS_HEIR if heir else StageEvent.IS_CLONE)
        clone.serves = not heir
        if heir:
            self._rendezvous.standBy()
            prepareRelay(self._listeners, self._reactor)
            self._prepare()
        else:
            clone.start()
            self._tell()
        self._lostAt = self._seconds()
        self._elect()

    def _manageFirst(self, clone: Clone) -> None:
        try:
            self._manage(clone, 0.0)
        except OSError as problem:
            self._refused(f"folder {self.folder}: {problem.strerror}")

    def _lock(self) -> bool:
        return self._rendezvous is not None and self._rendezvous.tryLock()

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
        isFirst = (
            heir or self._seconds() - self._lostAt > STANDBY_FIRST or not rendezvous.hasStandby
        )
        if isFirst and self._lock():
            try:
                self._succeed(clone)
            except OSError as problem:
                self._cannotManage(problem)
            return
        try:
            link = Link(rendezvous.connect(), self._reactor)
        except OSError:
            # The winner has no socket yet.
            self._electCall = self._reactor.callLater(RETRY, self._elect)
            return
        if link.uid != os.geteuid():
            link.close()
            self._electCall = self._reactor.callLater(STRANGER, self._elect)
            return
        clone.join(link, heir)

    def _cannotManage(self, problem: OSError) -> None:
        """
        Let another process manage, and try again later: the folder's disk may be full.
        """
        _log.error(
            "process {pid} can't manage: folder {folder}: {problem}",
            pid=os.getpid(),
            folder=self.folder,
            problem=problem.strerror,
        )
        self._electCall = self._reactor.callLater(STRANGER, self._elect)

    def _managerLost(self) -> None:
        self._happened(StageEvent.LOST)
        # In the next turn: a socket that is made now may get the number of a descriptor
        # that was closed in this one, with that one's event.
        if self._ending is None and self._electCall is None:
            self._lostAt = self._seconds()
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
        self._happened(StageEvent.LOCKED)
        if self._inherited is not None:
            self._inherited.joined()
        prepared, self._prepared = self._prepared, None
        self.manager = manager = self._make(rendezvous) if prepared is None else prepared
        # The former manager may have rotated the log that a process which stood by has too.
        reopenMoved()
        manager.wanted.know(clone.kept)
        manager.whenHeir = self._heirCame
        manager.starts.whenNoHeir = self._noHeir
        # A clone that manages for a while serves only if there are no others.
        manager.whenJoined = self._joined
        manager.whenAlone = lambda: clone.serveFreely(True)
        if clone.started:
            manager.ownSlot = self.identity.slot
        try:
            manager.start(patience)
        except OSError:
            self.manager = None
            self._happened(StageEvent.FAILED)
            manager.stop()
            rendezvous.unlock()
            raise
        self._control = ControlSocket(rendezvous, Processes(self, manager), self._reactor)
        self._control.start()
        rendezvous.standByNoMore()
        self._supervision.manages()
        _log.info(
            "process {pid} manages {count} clones of {names}",
            pid=os.getpid(),
            count=self.settings.processes,
            names=", ".join(each.name for each in self._listeners),
        )
        self._tell()
        if clone.started:
            manager.starts.wantsHeir = True
            self._heirCall = self._reactor.callLater(HEIR_AFTER, self._startHeir)
        else:
            # A clone that manages for a while leaves this to its heir.
            self._remote = RemoteHosts(manager, self._reactor)
            self._remote.start()

    def _make(self, rendezvous: Rendezvous) -> CloneManager:
        spawner = self._makeSpawner(self._reactor)
        spawner.environment = self._supervision.environment
        return CloneManager(
            rendezvous,
            self._listeners,
            self.settings,
            spawner,
            self.identity.generation,
            self._reactor,
            self._seconds,
            told=NOTHING_TOLD if self._birth is None else self._birth.told,
        )

    def _prepare(self) -> None:
        """
        Make the manager that this process is to be, as it stands by: it grants earlier then.
        """
        if self._rendezvous is not None and self._ending is None:
            self._prepared = self._make(self._rendezvous)

    def _startHeir(self) -> None:
        self._heirCall = None
        told = NOTHING_TOLD if self._birth is None else self._birth.told
        # The clones of another group may be those that start the balancer again.
        if self.manager is not None and (told.command or not told.settings):
            self.manager.starts.spawnHeir()

    def _joined(self) -> None:
        """
        Serve no clients besides managing, as another clone serves.
        """
        manager = self.manager
        if self.clone is not None:
            self.clone.serveFreely(False)
        if manager is not None:
            self._supervision.changed(self._status(), manager.isComplete)

    def _welcomed(self) -> None:
        self._happened(StageEvent.TAKEN_IN)
        if self._inherited is not None:
            self._inherited.joined()
        self._supervision.start()
        self._supervision.ready(f"serves as {self.identity.name}")

    def _status(self) -> str:
        manager = self.manager
        if manager is None:
            return "another process manages"
        return f"manages {manager.processes} clones, {manager.serving} serve"

    def _heirCame(self, link: Link) -> None:
        if self._heirCall is not None:
            self._heirCall.cancel()
            self._heirCall = None
        manager, self.manager = self.manager, None
        if manager is None:
            return
        self._tell()
        if self.clone is not None:
            self.clone.serveFreely(True)
        if self._control is not None:
            self._control.rest()
        # The heir may write to the same file, and it may have been rotated.
        appendToLogs()
        pid = link.pid
        manager.handOver(link, lambda: self._handedOver(manager, pid))

    def _noHeir(self, how: str) -> bool:
        """
        Tell those that wait for an heir that it has ended early. A clone that manages needs
        another one.
        """
        error = f"the new manager does not start: {how}; process {os.getpid()} manages on"
        self._upgraded(Failure(CloningError(error)))
        needed = self.serves
        if not needed:
            _log.error("{error}", error=error)
        return needed

    def _upgraded(self, result: int | Failure) -> None:
        waiting, self._upgrades = self._upgrades, []
        for each in waiting:
            each.callback(result)

    def _handedOver(self, manager: CloneManager, pid: int) -> None:
        """
        Let the clones look for the manager: the heir, or another one if it has ended.
        """
        manager.close()
        self._supervision.managesNoMore()
        self._upgraded(pid)
        control, self._control = self._control, None
        closed = defer.succeed(None) if control is None else control.close()
        remote, clone = self._remote, self.clone
        if clone is not None and clone.started:
            self._happened(StageEvent.HANDED_OVER)
            self._managerLost()
        elif self._ending is None:
            self._happened(StageEvent.HANDED_OVER)
            _log.info("another process manages: this one ends")
            for each in self._listeners:
                # It may relay for a while, and the application may be stopped meanwhile.
                each.close()
            if remote is not None:
                relayed = remote.stop(self.settings.graceTime)
                closed.addCallback(lambda _: relayed)
            closed.addCallback(lambda _: self._endReactor())

    def _endReactor(self) -> None:
        if self._ending is None:
            stopReactor(self._reactor)

    def _take(self, link: Link) -> None:
        """
        Manage in the place of another process, which has freed the lock for this one.
        """
        clone = self.clone
        if clone is not None and self._lock():
            try:
                self._manage(clone, REUNION)
            except OSError as problem:
                self._cannotManage(problem)
            # The former manager lets go of its clones if this connection ends.
            link.close()
        else:
            link.close()
            self._managerLost()

    def roll(self) -> Deferred[int]:
        """
        Replace the clones, one by one, by ones that run what the application's files say
        now.

        @return: fires with the new generation. It fails with a L{CloningError} if a new
            clone does not start.
        @raise CloningError: this process does not manage, or that is under way already.
        """
        if self.manager is None:
            raise CloningError("this process does not manage")
        rolling = self.manager.roll()
        self._supervision.reloading()
        rolling.wait().addBoth(lambda _: self._supervision.ready(self._status()))
        return rolling.wait()

    def replaceManager(self) -> Deferred[int]:
        """
        Let a fresh process manage in the place of this one.

        @return: fires with its PID when it manages. It fails with a L{CloningError} if it
            does not start.
        @raise CloningError: this process does not manage, or the application stops.
        """
        if self.manager is None or self._ending is not None:
            raise CloningError("this process does not manage, or the application stops")
        if self.manager.isRolling:
            raise CloningError("a rolling restart is under way; wait for its end")
        upgrade: Deferred[int] = Deferred(self._forgetUpgrade)
        self._upgrades.append(upgrade)
        self.manager.starts.spawnHeir()
        return upgrade

    def _forgetUpgrade(self, upgrade: Deferred[int]) -> None:
        if upgrade in self._upgrades:
            self._upgrades.remove(upgrade)

    # Ending

    def _told(self, all: bool) -> None:  # noqa: A002 - all processes
        """
        End this process, as the manager wants.
        """
        self._all = all
        self.stop().addCallback(lambda _: stopReactor(self._reactor))

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
        self._supervision.stopping(f"stops, within {self.settings.graceTime:g} s")
        if self.manager is not None:
            self._all = True
            if self._rendezvous is not None:
                self._rendezvous.end()
            self.manager.quit()
        if self._remote is not None:
            self._remote.stop(self.settings.graceTime)
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
        self._signals.stop()

    def _look(self) -> None:
        """
        Look whether everything has ended.
        """
        self._lookCall = None
        now = self._seconds()
        active = self.active
        if active and now >= self._deadline:
            _log.warn("{count} connections are reset after the grace time", count=active)
            for listener in self._listeners:
                for transport in tuple(listener.connections):
                    transport.abortConnection()
        waits = self.manager is not None and bool(self.manager.records)
        if waits and now >= self._deadline + LAST and self.manager is not None:
            self.manager.killAll()
            waits = now < self._deadline + 2 * LAST
        relays = self._remote is not None and not self._remote.isOver
        if active or waits or relays or self._lastCall is not None:
            self._lookCall = self._reactor.callLater(LOOK, self._look)
        else:
            self._ended()

    def _ended(self) -> None:
        if self.manager is not None:
            self.manager.close()
        self._upgraded(Failure(CloningError("the application was stopped")))
        if self._control is not None:
            control, self._control = self._control, None
            control.close().addCallback(lambda _: self._closed())
        else:
            self._closed()

    def _closed(self) -> None:
        if self._prepared is not None:
            self._prepared.stop()
            self._prepared = None
        if self.clone is not None:
            self.clone.close()
        self._supervision.stop()
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

"""
An application and its clones in one process, under a reactor that a test turns.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from unittest import mock

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.reactors import TurnedEPoll
from txlb.cloning import CloneGroup, CloneSettings, Identity
from txlb.cloning._identity import ENVIRONMENT, Birth
from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._reactor import SharingReactor
from txlb.cloning._rendezvous import Rendezvous

#: The number of the first process that is not really started; Linux has smaller ones only.
FIRST_PID = 2_000_000_000

#: Seconds of the system's clock in which what threads do has to come.
PATIENCE = 60.0


class Reactor(TurnedEPoll):
    """
    Begins at once, and does not end.

    @ivar stopped: how often it was asked to end.
    """

    stopped = 0

    def callWhenRunning(self, callable: Any, *args: Any, **kwargs: Any) -> None:  # noqa: A002
        self.callLater(0, callable, *args, **kwargs)

    def stop(self) -> None:
        self.stopped += 1


class OneProcessRendezvous(Rendezvous):
    """
    A lock of C{lockf} does not keep a process from itself.
    """

    owner: Any = None
    next: Any = None

    def tryLock(self) -> bool:
        kind = type(self)
        if kind.owner is None:
            kind.owner = self
        return kind.owner is self

    def standBy(self) -> bool:
        kind = type(self)
        if kind.next is None:
            kind.next = self
        return kind.next is self

    def standByNoMore(self) -> None:
        if type(self).next is self:
            type(self).next = None

    @property
    def hasStandby(self) -> bool:
        return type(self).next is not None

    def unlock(self) -> None:
        if type(self).owner is self:
            type(self).owner = None

    def close(self) -> None:
        self.unlock()
        self.standByNoMore()
        super().close()


class Echo(Protocol):
    """
    Says which clone it is of, and sends back what comes.
    """

    def connectionMade(self) -> None:
        self.transport.write(self.factory.name)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


class EchoFactory(Factory):
    protocol = Echo
    noisy = False

    def __init__(self, name: bytes) -> None:
        self.name = name


class InsideSpawner:
    """
    Starts a clone as a L{CloneGroup} of this process.
    """

    def __init__(self, case: InsideTestCase) -> None:
        self._case = case

    def spawn(
        self,
        birth: Birth,
        sockets: dict[str, int],
        ended: Callable[[int, str], object],
        start: int = -1,
    ) -> int:
        # No process has such a number.
        number = len(self._case.spawned) + FIRST_PID
        self._case.spawned.append((birth, ended))
        if self._case.starts:
            self._case.clone(birth, {name: os.dup(fd) for name, fd in sockets.items()})
        return number

    def kill(self, pid: int) -> None:
        self._case.killed.append(pid)


class InsideTestCase(SynchronousTestCase):
    """
    @ivar spawned: what was started, and what to call if it ends.
    @ivar killed: the processes that were killed.
    @ivar starts: whether processes do start.
    """

    processes = 2
    maxConnections: int | None = None
    scheduler = "leastc"
    admission: Mapping[str, Any] = MappingProxyType({})
    standby = False

    def setUp(self) -> None:
        OneProcessRendezvous.owner = OneProcessRendezvous.next = None
        # Groups of several processes answer signals here, and end in any order.
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.reactor: Any = Reactor()
        self.addCleanup(self.reactor.close)
        self.folder = self.makeFolder()
        self.spawned: list[tuple[Birth, Callable[[int, str], object]]] = []
        self.killed: list[int] = []
        self.starts = True
        self.groups: list[CloneGroup] = []
        self.addCleanup(self.endAll)
        self.settings = CloneSettings(self.processes, 5.0, self.standby)
        self.port = 0

    def makeFolder(self) -> str:
        """
        Make a folder, and name one in it whose path is longer than the address of a UNIX
        socket may be.
        """
        folder = tempfile.mkdtemp(prefix="txlb-")
        self.addCleanup(shutil.rmtree, folder)
        return os.path.join(folder, "long" * 30, "run")

    def group(self, birth: Birth | None = None, interface: str = "127.0.0.1") -> CloneGroup:
        """
        Begin a process of the application.
        """
        number = len(self.groups)
        group = CloneGroup(
            self.folder,
            self.settings,
            Identity(),
            lambda: self.reactor.now,
            OneProcessRendezvous,
            self.makeSpawner,
        )
        self.groups.append(group)
        environment = {ENVIRONMENT: birth.write()} if birth is not None else {}
        with mock.patch.dict(os.environ, environment):
            sharing = SharingReactor(self.reactor, group, self.listenerSettings())
            port = sharing.listenTCP(0, EchoFactory(b"%d" % number), interface=interface)
        self.port = port.getHost().port
        group.start()
        return group

    def listenerSettings(self) -> ListenerSettings:
        """
        Make the settings of the listener.
        """
        return ListenerSettings.of(self.scheduler, self.maxConnections, **self.admission)

    def makeSpawner(self, reactor: Any) -> Any:
        return InsideSpawner(self)

    def clone(self, birth: Birth, sockets: dict[str, int]) -> CloneGroup:
        """
        Begin a process that the manager starts.
        """
        return self.group(Birth(birth.folder, birth.slot, birth.generation, birth.heir, sockets))

    def endAll(self) -> None:
        """
        End all processes, without their grace time.
        """
        self.starts = False
        for group in self.groups:
            for listener in group._listeners:
                for transport in tuple(listener.connections):
                    transport.abortConnection()
            group.stop()
        for group in self.groups:
            if group.clone is not None:
                group.clone.close()
        self.pass_(10.0, 50)

    def pass_(self, seconds: float, steps: int = 20) -> None:
        """
        Let time pass.
        """
        for _ in range(steps):
            self.reactor.now += seconds / steps
            self.reactor.turn(3)

    def until(self, condition: Callable[[], bool]) -> None:
        """
        Let a little time pass until something is so.
        """
        for _ in range(2000):
            if condition():
                return
            self.reactor.now += 0.001
            self.reactor.turn(1)
        # A thread may import what it waits for, on a machine that is busy.
        ends = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > ends:
                self.fail("it does not come")
            self.reactor.turn(1)

    def connect(self) -> socket.socket:
        """
        Connect as a client, without a wait.
        """
        client = socket.create_connection(("127.0.0.1", self.port), 5)
        client.setblocking(False)
        self.addCleanup(client.close)
        return client

    def answer(self, client: socket.socket) -> bytes:
        """
        Turn the reactor until a client has something to read.
        """
        found: list[bytes] = []

        def has() -> bool:
            try:
                found.append(client.recv(1000))
            except BlockingIOError:
                return False
            return True

        self.until(has)
        return found[0]

    def joined(self, group: CloneGroup, count: int) -> bool:
        """
        Tell whether so many clones have joined.
        """
        return group.manager is not None and len(group.manager.clones) == count

"""
The starts of an application's processes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.logger import Logger

from txlb.cloning._identity import Birth, Told
from txlb.cloning._listener import SharedListener
from txlb.cloning._managing import Managing
from txlb.cloning._ownhosts import OwnHosts
from txlb.cloning._record import Start
from txlb.cloning._spawner import Spawner
from txlb.cloning._startfiles import StartFiles

#: Seconds after its start in which a clone has to join. Many of them that import much on
#: few CPUs need a while.
START_PATIENCE = 60.0

#: Seconds before a clone is started in the place of one that ended early; they double up
#: to the second value.
FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0

#: Seconds after the start in which clones are started before a process that stands by is.
CLONES_FIRST = 5.0

#: Seconds for which a clone has to run so that its end is not early.
SETTLED = 5.0

_log = Logger()


class Starts:
    """
    Starts clones, heirs, and processes that stand by; and starts those again that end, after
    longer and longer pauses if they end early. The L{CloneManager} owns it.

    @param manager: the owner.
    @param path: the folder where processes meet.
    @param files: notes there which starts are under way.
    @param listeners: the sockets that they get.
    @param spawner: starts them.
    @param seconds: a monotonic clock.
    @param told: what they are told beside their places.
    @param own: the clones as hosts of pools of the manager's own.
    @ivar starting: the processes that were started and have not joined, by slot; -1 for an heir.
    @ivar wantsHeir: whether the next heir that comes is to manage; otherwise it stands by.
    @ivar whenNoHeir: is called if an heir ends early, with the reason. It returns whether to
        start another one.
    """

    def __init__(
        self,
        manager: Managing,
        path: str,
        files: StartFiles,
        listeners: list[SharedListener],
        spawner: Spawner,
        reactor: Any,
        seconds: Callable[[], float],
        told: Told,
        own: OwnHosts | None,
    ) -> None:
        self.starting: dict[int, Start] = {}
        self.wantsHeir = False
        self.whenNoHeir: Callable[[str], bool] = _always
        self._manager = manager
        self._path = path
        self._files = files
        self._listeners = listeners
        self._spawner = spawner
        self._reactor = reactor
        self._seconds = seconds
        self._told = told
        self._own = own
        self._delay = FIRST_DELAY
        # When an heir may be started, and a process that stands by.
        self._heirAfter = 0.0
        self._standbyAfter = 0.0
        self._call: Any = None

    def begin(self, patience: float) -> None:
        """
        Start what is missing from now on. What a former manager has started, and is on its
        way, is not missing.

        @param patience: seconds in which clones of a former manager may come before others are
            started.
        """
        now = self._seconds()
        self._standbyAfter = now + CLONES_FIRST
        for each in self._files.underWay():
            start = Start(each.slot, now, each.pid, file=each.name, adopted=True)
            self.starting.setdefault(each.slot, start)
        self._call = self._reactor.callLater(patience, self.fill)

    def stop(self) -> None:
        """
        Start nothing more.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def fillSoon(self, delay: float) -> None:
        """
        Start the clones that are missing in so many seconds, or earlier.
        """
        if self._manager.isListening and self._call is None:
            self._call = self._reactor.callLater(delay, self.fill)

    def fill(self) -> None:
        """
        Start the clones that are missing.
        """
        self._call = None
        manager = self._manager
        starting = sum(slot >= 0 for slot in self.starting)
        for _ in range(manager.processes - manager.serving - starting):
            self.spawn(manager.freeSlot())

    def lookForLate(self, now: float) -> None:
        """
        End processes that do not join: their C{.tac} may wait for something for ever.
        """
        for start in tuple(self.starting.values()):
            if start.adopted and not self._files.isUnderWay(start.file):
                # It has ended, or this process has killed it.
                self.came(start.slot)
                self.fillSoon(0.0)
            elif now - start.since > START_PATIENCE and not start.killed:
                start.killed = True
                _log.error(
                    "{name} has not joined {seconds:g} s after its start: process {pid} is killed",
                    name=start.name,
                    seconds=START_PATIENCE,
                    pid=start.pid,
                )
                if start.adopted:
                    self._files.kill(start.file)
                else:
                    self._spawner.kill(start.pid)

    def spawnHeir(self) -> None:
        """
        Let the next heir that comes manage, and start one, unless one is on its way.
        """
        self.wantsHeir = True
        if -1 not in self.starting:
            self.spawn(-1)

    def awaitHeir(self) -> None:
        """
        Let the next heir that comes manage. Another process starts it.
        """
        self.wantsHeir = True
        self._heirAfter = math.inf

    def spawn(self, slot: int) -> None:
        """
        Start a clone in a place, or an heir in that of -1.
        """
        start = self.starting[slot] = Start(slot, self._seconds())
        if self._own is not None:
            self._own.forget(start.name)
        start.file, descriptor = self._files.begin(slot)
        birth = Birth(self._path, slot, self._manager.generation, slot < 0, {}, told=self._told)
        sockets = {each.name: each.sock.fileno() for each in self._listeners}
        try:
            start.pid = self._spawner.spawn(birth, sockets, partial(self._ended, start), descriptor)
        except OSError as problem:
            self._ended(start, -1, str(problem))
        else:
            self._files.started(descriptor, start.pid)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def came(self, slot: int) -> Start | None:
        """
        Note that a process has introduced itself, so that its start is over.

        @return: its start; L{None} if none in this place was under way.
        """
        start = self.starting.pop(slot, None)
        if start is not None:
            self._files.forget(start.file)
        return start

    def forget(self) -> None:
        """
        Leave nothing for a next manager, as the application stops.
        """
        self._files.forgetOwn()

    def _ended(self, start: Start, pid: int, how: str) -> None:
        slot = start.slot
        joined = self.starting.get(slot) is not start
        if not joined:
            self.came(slot)
        manager = self._manager
        if start.dismissed or manager.quitting or not manager.isListening:
            return
        if manager.rolling is not None and manager.rolling.isAbout(slot):
            manager.rolling.ended(how)
            return
        if joined and self._seconds() - start.since >= SETTLED:
            self._delay = FIRST_DELAY
            return
        if slot < 0 and joined and how == "exit status 0":
            return  # it was told to
        if slot < 0 and not joined and self.wantsHeir and not self.whenNoHeir(how):
            self.wantsHeir = False
            self._heirAfter = self._seconds() + self._delay
            return
        if self._delay == FIRST_DELAY:
            _log.error(
                "{name} ended soon after its start: {how}; it is started again, after longer "
                "and longer pauses",
                name=start.name,
                how=how,
            )
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if slot < 0:
            self._heirAfter = self._seconds() + self._delay
        self.fillSoon(self._delay)
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def keepHeir(self) -> None:
        """
        Start an heir if one is wanted: to manage now, or to stand by. The one that stands by
        is of the release that the clones are of.
        """
        manager = self._manager
        if manager.quitting or not manager.isListening or -1 in self.starting:
            return
        now = self._seconds()
        wanted = self.wantsHeir
        if not wanted and manager.wantsStandby:
            wanted = manager.isComplete or now >= self._standbyAfter
        if wanted and now >= self._heirAfter:
            self.spawn(-1)


def _always(_how: str) -> bool:
    return True

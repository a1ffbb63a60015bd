"""
What administrators want of the clones of an application.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace
from typing import Any

from twisted.logger import Logger

from txlb.cloning._kept import MOST_KEPT, Kept
from txlb.cloning._link import Link
from txlb.cloning._managing import Managing
from txlb.cloning._ownhosts import OwnHosts
from txlb.cloning._record import Record, hostName
from txlb.cloning._rendezvous import CloningError
from txlb.cloning._settings import MOST_CLONES, MOST_PROCESSES
from txlb.errors import UnknownName
from txlb.wire import Keep

_log = Logger()


class Wanted:
    """
    What administrators have changed live: how many clones there are to be, and their settings as
    hosts. The clones keep it for the next manager. The L{CloneManager} owns it.

    @param manager: the owner.
    @param own: the clones as hosts of pools of its own; L{None} if a balancer has these, and
        keeps what is changed in them.
    @param processes: how many clones there are to be, as configured.
    @ivar kept: what the clones keep.
    """

    def __init__(
        self, manager: Managing, own: OwnHosts | None, processes: int, reactor: Any
    ) -> None:
        self.kept = Kept()
        self._manager = manager
        self._own = own
        self._processes = processes
        self._reactor = reactor
        self._keepCall: Any = None
        self._cuts: dict[Record, Any] = {}

    @property
    def processes(self) -> int:
        """
        How many clones there are to be.
        """
        kept = self.kept.processes
        return self._processes if kept is None else kept

    def configured(self, processes: int) -> None:
        """
        Follow the configuration, which has another number of clones now. What administrators have
        added and removed before counts no longer.
        """
        self._processes = processes
        if self.kept.processes is not None:
            self._keepNow(replace(self.kept, processes=None))

    def add(self, name: str) -> None:
        """
        Start one more clone.

        @param name: the name of a place that is free, such as C{clone4}.
        @raise CloningError: it is none, there are too many clones, or the application stops.
        """
        manager = self._manager
        manager.refuseIfStopped()
        digits = name.removeprefix("clone")
        if not (name.startswith("clone") and digits.isascii() and digits.isdecimal()):
            raise CloningError(f"{name!r:.40} is no name of a clone; say clone{manager.freeSlot()}")
        slot = int(digits[:9])
        if name != f"clone{slot}" or slot >= MOST_PROCESSES:
            raise CloningError(f"clones are called clone0 to clone{MOST_PROCESSES - 1}")
        if slot in manager.usedSlots():
            raise CloningError(f"there is a {name}; clone{manager.freeSlot()} is free")
        if self.processes >= MOST_CLONES:
            raise CloningError(f"an application has at most {MOST_CLONES} clones")
        self._wantProcesses(self.processes + 1)
        manager.spawn(slot)

    def remove(self, name: str, deadline: float | None = None, force: bool = False) -> None:
        """
        Let a clone finish what it has, and end; it is not replaced.

        @param deadline: seconds after which the connections that are left are reset, if that
            is less than the grace time; L{None} for the grace time.
        @param force: reset them at once.
        @raise UnknownName: there is no such clone.
        @raise CloningError: it is the last one, or the application stops.
        """
        manager = self._manager
        manager.refuseIfStopped()
        found = {each.name: each for each in manager.clones if not each.draining}
        if name == hostName(manager.ownSlot):
            raise CloningError(f"{name} manages until a new manager has come; try it again then")
        if name in manager.remoteHosts:
            raise CloningError(
                f"{name} is no clone: drain it, and take it out of the application's file"
            )
        if name not in found:
            raise UnknownName("clone", name, found)
        if self.processes == 1:
            raise CloningError(
                f"{name} is the only clone; add another one first, or stop the application"
            )
        if manager.serving <= self.processes:
            self._wantProcesses(self.processes - 1)
        record = found[name]
        manager.drain(record)
        if force:
            self._cut(record)
        elif deadline is not None:
            self._cuts[record] = self._reactor.callLater(deadline, self._cut, record)

    def _cut(self, record: Record) -> None:
        self._cuts.pop(record, None)
        # While the connection is open the process runs, and its PID is no other one's.
        if record.link.isOpen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.link.pid, signal.SIGKILL)

    def _wantProcesses(self, processes: int) -> None:
        _log.info("{count} clones are wanted", count=processes)
        self._keepNow(replace(self.kept, processes=processes))

    def know(self, kept: Kept) -> None:
        """
        Take over what administrators have changed, from a clone to which a former manager
        has told it. What is older than what is known has no effect.
        """
        if self._own is not None and kept.number > self.kept.number:
            self.kept = kept
            self._own.know(kept.hosts)

    def _keep(self) -> None:
        """
        Let the clones keep what is changed now.
        """
        self._keepCall = None
        if self._own is not None:
            ending = {each.name for each in self._manager.records.values() if each.draining}
            hosts = self._own.changed(ending)
            if hosts != self.kept.hosts:
                self._keepNow(replace(self.kept, hosts=hosts))

    def _keepNow(self, kept: Kept) -> None:
        self.kept = kept = replace(kept, number=self.kept.number + 1)
        text = kept.write()
        if len(text) > MOST_KEPT:
            _log.warn("too much is changed live: the next manager will not know it")
            return
        for record in self._manager.clones:
            record.link.send(Keep(text))

    def changed(self) -> None:
        """
        Let the clones keep soon what is changed in the pools.
        """
        if self._keepCall is None:
            self._keepCall = self._reactor.callLater(0, self._keep)

    def tell(self, link: Link) -> None:
        """
        Let a clone keep it that has joined.
        """
        if self.kept.number:
            link.send(Keep(self.kept.write()))

    def forget(self, record: Record) -> None:
        """
        Forget the deadline of a clone that is gone.
        """
        cut = self._cuts.pop(record, None)
        if cut is not None:
            cut.cancel()

    def stop(self) -> None:
        """
        Do nothing more.
        """
        for call in (self._keepCall, *self._cuts.values()):
            if call is not None:
                call.cancel()
        self._keepCall = None
        self._cuts.clear()

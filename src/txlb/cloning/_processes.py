"""
The processes of an application, for administrators.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from txlb.cloning._identity import Identity
from txlb.cloning._manager import CloneManager
from txlb.cloning._ownhosts import SERVICE
from txlb.cloning._record import Record
from txlb.cloning._usage import residentMemory
from txlb.interfaces import IClones

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.manager import ProxyManager
    from txlb.pool import Event

#: The states of hosts that administrators take out.
_TAKEN_OUT = ("maintenance", "drain")


class ManagingGroup(Protocol):
    """
    What this needs of the L{txlb.cloning.CloneGroup} of a process that manages.

    @ivar identity: the process.
    """

    identity: Identity

    @property
    def active(self) -> int:
        """
        The connections of this process.
        """

    def roll(self) -> Deferred[int]:
        """
        Replace the clones.
        """

    def replaceManager(self) -> Deferred[int]:
        """
        Let another process manage.
        """


@implementer(IClones)
class Processes:
    """
    Shows the processes of an application, and passes on what administrators want of them. A
    L{txlb.cloning.CloneGroup} makes it for its L{CloneManager}.
    """

    service = SERVICE

    def __init__(self, group: ManagingGroup, manager: CloneManager) -> None:
        self._group = group
        self._manager = manager

    @property
    def manager(self) -> ProxyManager:
        return self._manager.pools

    @property
    def listeners(self) -> Mapping[str, str]:
        return self._manager.addresses

    @property
    def past(self) -> Sequence[tuple[float, Event]]:
        return tuple(self._manager.past)

    def processes(self) -> Sequence[Mapping[str, object]]:
        return list(self._rows())

    def _rows(self) -> Iterator[Mapping[str, object]]:
        manager, identity = self._manager, self._group.identity
        yield {
            "name": identity.name,
            "role": "manager",
            "pid": os.getpid(),
            "slot": identity.slot,
            "generation": identity.generation,
            "state": "stops" if manager.quitting else "manages",
            "connections": self._group.active,
            "lag": manager.lag,
            "memory": residentMemory() * 1024,
        }
        for record in manager.clones:
            yield {
                "name": record.name,
                "role": "clone",
                "pid": record.link.pid,
                "slot": record.slot,
                "generation": record.generation,
                "state": self._stateOf(record),
                "connections": record.active,
                "lag": record.lag if record.memory else None,
                "memory": record.memory * 1024 if record.memory else None,
            }
        if manager.standby is not None:
            record = manager.standby
            yield {
                "name": "standby",
                "role": "standby",
                "pid": record.link.pid,
                "slot": record.slot,
                "generation": record.generation,
                "state": "waits",
                "connections": 0,
                "lag": record.lag if record.memory else None,
                "memory": record.memory * 1024 if record.memory else None,
            }
        for slot, start in sorted(manager.starting.items()):
            heir = "manager" if manager.wantsHeir else "standby"
            yield {
                "name": f"clone{slot}" if slot >= 0 else heir,
                "role": "clone" if slot >= 0 else heir,
                "pid": start.pid,
                "slot": slot,
                "generation": manager.generation,
                "state": "starts",
                "connections": 0,
                "lag": None,
                "memory": None,
            }

    def _stateOf(self, record: Record) -> str:
        if record.draining:
            return "ends"
        if any(each.late for each in record.accounts):
            return "hangs"
        states = {
            host.state
            for group in self.manager.getService(SERVICE).groups
            for host in group.hosts
            if host.name == record.name
        }
        # A clone that is taken out on all listeners.
        return next((each for each in _TAKEN_OUT if states == {each}), "serves")

    def add(self, name: str) -> int:
        self._manager.add(name)
        return self._manager.processes

    def remove(self, name: str, deadline: float | None = None, force: bool = False) -> int:
        self._manager.remove(name, deadline, force)
        return self._manager.processes

    def roll(self) -> Deferred[int]:
        return self._group.roll()

    def upgrade(self) -> Deferred[int]:
        return self._group.replaceManager()

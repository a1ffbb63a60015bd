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
from txlb.cloning._processrows import processRows
from txlb.cloning._usage import residentMemory
from txlb.interfaces import IClones

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.manager import ProxyManager
    from txlb.pool import Event


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
    def passed(self) -> Mapping[str, str]:
        return self._manager.passed

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
        yield from processRows(manager)

    def add(self, name: str) -> int:
        self._manager.wanted.add(name)
        return self._manager.wanted.processes

    def remove(self, name: str, deadline: float | None = None, force: bool = False) -> int:
        self._manager.wanted.remove(name, deadline, force)
        return self._manager.wanted.processes

    def roll(self) -> Deferred[int]:
        return self._group.roll()

    def upgrade(self) -> Deferred[int]:
        return self._group.replaceManager()

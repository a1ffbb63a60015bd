"""
What the parts of the manager of clones need of it.
"""

from __future__ import annotations

from typing import Protocol

from txlb.cloning._link import Link
from txlb.cloning._record import Record
from txlb.cloning._rolling import RollingRestart


class Managing(Protocol):
    """
    The L{CloneManager<txlb.cloning._manager.CloneManager>}, as its parts see it. Its attributes
    are described there.
    """

    quitting: bool
    generation: int
    ownSlot: int
    records: dict[Link, Record]
    rolling: RollingRestart | None

    @property
    def isListening(self) -> bool: ...

    @property
    def clones(self) -> list[Record]: ...

    @property
    def serving(self) -> int: ...

    @property
    def isComplete(self) -> bool: ...

    @property
    def wantsStandby(self) -> bool: ...

    @property
    def remoteHosts(self) -> set[str]: ...

    @property
    def processes(self) -> int: ...

    def usedSlots(self) -> set[int]:
        """
        Collect the places that processes have.
        """
        ...

    def freeSlot(self) -> int:
        """
        Find a place for a clone.
        """
        ...

    def refuseIfStopped(self) -> None:
        """
        Raise a L{CloningError<txlb.cloning.CloningError>} if this process manages no more.
        """
        ...

    def spawn(self, slot: int) -> None:
        """
        Start a clone in a place, or an heir in that of -1.
        """
        ...

    def drain(self, record: Record) -> None:
        """
        Let a clone finish what it has, and end.
        """
        ...

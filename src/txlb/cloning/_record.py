"""
What the manager knows of a process of the application.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from txlb.cloning._link import Link
from txlb.cloning._permits import TAKES_PERMITS, PermitEvent, Permits
from txlb.pool import Lease


@dataclass(eq=False)
class Account:
    """
    What a clone has on one listening socket.

    @ivar sent: permits granted since it joined.
    @ivar used: those that it has used.
    @ivar granted: when it was granted one or used one last, in seconds of the manager's
        clock.
    @ivar permits: whether it may use permits, and gets others.
    @ivar leases: a lease for each connection, and for each permit that is not used yet.
    @ivar token: the semaphore of the connections that were passed to it; -1 if it gets
        permits. See L{txlb.cloning._passing.Passing}.
    @ivar passed: the connections that were passed to it and that it has not confirmed.
    """

    sent: int = 0
    used: int = 0
    granted: float = 0.0
    permits: Permits = field(default_factory=Permits)
    leases: list[Lease] = field(default_factory=list)
    token: int = -1
    passed: deque[Any] = field(default_factory=deque)

    def happened(self, event: PermitEvent) -> None:
        """
        Go to the next state. An event that changes nothing in this one is ignored.
        """
        self.permits.happened(event)

    @property
    def late(self) -> bool:
        """
        Whether permits are void, because it did not use them in time.
        """
        return self.permits.state not in TAKES_PERMITS

    @property
    def unused(self) -> int:
        """
        Permits that the clone may still use, 0 if they are void.
        """
        return 0 if self.late else self.sent - self.used


@dataclass(eq=False)
class Record:
    """
    A process that has come to the manager. The L{CloneManager} owns it.

    @ivar link: the connection to it.
    @ivar slot: its place among the clones; -1 before it has introduced itself, and for
        an heir.
    @ivar generation: the release of the application that it runs.
    @ivar joined: whether it has introduced itself as a clone.
    @ivar draining: whether it gets no permits any more.
    @ivar heard: when it said something last, in seconds of the manager's clock.
    @ivar lag: the longest time that its reactor was held lately, in seconds.
    @ivar memory: its resident memory in KiB.
    @ivar accounts: what it has on each listening socket.
    @ivar start: how it was started; L{None} if this process, as the manager, has not seen that.
    """

    link: Link
    slot: int = -1
    generation: int = 0
    joined: bool = False
    draining: bool = False
    heard: float = 0.0
    lag: float = 0.0
    memory: int = 0
    accounts: list[Account] = field(default_factory=list)
    start: Start | None = None

    @property
    def name(self) -> str:
        """
        The name of its host in the pools.
        """
        return hostName(self.slot)

    @property
    def active(self) -> int:
        """
        Its connections, and the permits that it has not used yet.
        """
        return sum(len(each.leases) for each in self.accounts)


@dataclass(eq=False)
class Start:
    """
    A process that was started and has not joined yet. The L{CloneManager} owns it.

    @ivar slot: the place of the clone; -1 for an heir.
    @ivar since: when it was started, in seconds of the manager's clock.
    @ivar pid: the process; -1 if the system has started none.
    @ivar killed: whether it has taken too long, and was killed.
    @ivar file: the name of the file that says that it is under way; empty if there is none.
    @ivar adopted: whether a former manager has started it.
    @ivar dismissed: whether the manager has told it to end, so that its end is no fault.
    """

    slot: int
    since: float
    pid: int = -1
    killed: bool = False
    file: str = ""
    adopted: bool = False
    dismissed: bool = False

    @property
    def name(self) -> str:
        """
        A name for people.
        """
        return f"clone{self.slot}" if self.slot >= 0 else "the heir"


def hostName(slot: int) -> str:
    """
    Name the host that the clone in a place is.
    """
    return f"clone{slot}"

"""
A balancer as its upgrades see it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.application._engine import Engine
    from txlb.application._slices import Slices
    from txlb.manager import ProxyManager
    from txlb.model import ListenAddress


class Door(Protocol):
    """
    A service with a listener of its own, such as the control socket.
    """

    def listening(self) -> tuple[str, Sequence[socket.socket]]:
        """
        Return the address at which it listens, as it is configured, and the sockets.
        """
        ...

    @property
    def sessions(self) -> int:
        """
        The number of sessions that have to end in the process that has them.
        """
        ...

    def letGo(self) -> None:
        """
        Accept no client here, as another process does.
        """


class UpgradableClones(Protocol):
    """
    The clones of a balancer's groups: a L{txlb.application._clones.ClonesService}.
    """

    @property
    def isRolling(self) -> bool:
        """
        Whether clones are being replaced.
        """
        ...

    def letGo(self) -> None:
        """
        Let another process manage the clones.
        """


class Upgradable(Protocol):
    """
    A L{txlb.application.service.LoadBalancedService}, as its upgrades see it, so that their
    modules don't import its module.
    """

    configuration: Any
    slices: Slices
    socketsTaken: Callable[[ListenAddress], Sequence[socket.socket]]

    @property
    def manager(self) -> ProxyManager:
        """
        The manager.
        """
        ...

    @property
    def engine(self) -> Engine:
        """
        The parts of the present run.
        """
        ...

    @property
    def clones(self) -> UpgradableClones:
        """
        The clones of groups.
        """
        ...

    @property
    def doors(self) -> Sequence[Door]:
        """
        The services with listeners of their own.
        """
        ...

    @property
    def graceTime(self) -> float:
        """
        Seconds that open connections have to end.
        """
        ...

    def hold(self) -> Callable[[], None]:
        """
        Refuse changes.
        """
        ...

    def handedChanges(self) -> Deferred[dict[str, object]]:
        """
        Find the live changes.
        """
        ...

    def listening(self) -> list[tuple[str, Sequence[socket.socket]]]:
        """
        List the listeners.
        """
        ...

    def letGo(self, addresses: Collection[str]) -> None:
        """
        Stop listening, as another process does.
        """

    def keptAhead(self) -> Iterator[Mapping[str, Any]]:
        """
        Yield the state in pieces.
        """
        ...

    def keptRest(self) -> Mapping[str, Any]:
        """
        Return what has changed of it.
        """
        ...

    def restoreState(self, states: object) -> None:
        """
        Take over a state.
        """

    def restored(self) -> None:
        """
        Go on with it.
        """

    def tookOver(self) -> None:
        """
        Serve, as all connections are here.
        """

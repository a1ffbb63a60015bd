"""
What an upgrade needs of the balancer that gives its connections away.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from txlb.process import Collector
from txlb.proxy import Frontend, Loop


class GivingSide(Protocol):
    """
    The balancer that gives its connections away.
    """

    @property
    def pidFile(self) -> str:
        """
        The path of its pid file; empty for none.
        """
        ...

    @property
    def collector(self) -> Collector:
        """
        The collector of garbage, which would look at all connections, for long.
        """
        ...

    @property
    def loop(self) -> Loop | None:
        """
        Where the fast relay runs; L{None} if it is not used.
        """

    @property
    def frontends(self) -> Sequence[Frontend]:
        """
        The frontends of all services, with those that were removed and still have connections.
        """
        ...

    @property
    def sessions(self) -> int:
        """
        The number of ssh sessions, which can't move.
        """
        ...

    def listening(self) -> Sequence[tuple[str, Sequence[socket.socket]]]:
        """
        List the listeners: the address, as it is configured, and the sockets.
        """
        ...

    def inherited(self) -> Sequence[tuple[str, int]]:
        """
        List the sockets from systemd: names and descriptors.
        """
        ...

    @property
    def changes(self) -> Mapping[str, Any]:
        """
        The live changes that were not saved, as plain values.
        """
        ...

    def keptAhead(self) -> Iterator[Mapping[str, Any]]:
        """
        Yield what is true now besides connections, as plain values, in pieces.
        """
        ...

    def keptRest(self) -> Mapping[str, Any]:
        """
        Return what has changed since.
        """
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """
        Variables for the successor.
        """
        ...

    def handedOver(self, pid: int, listeners: Collection[str]) -> None:
        """
        Accept nothing more, and tell the supervisor, as the successor serves.

        @param listeners: the addresses whose listening sockets the successor uses.
        """

    def leave(self) -> None:
        """
        Leave. What has moved is let go of.
        """

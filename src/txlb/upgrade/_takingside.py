"""
What an upgrade needs of the balancer that takes connections over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from txlb.process import Collector
from txlb.proxy import Frontend, Loop


class TakingSide(Protocol):
    """
    The balancer that takes connections over.
    """

    @property
    def collector(self) -> Collector:
        """
        The collector of garbage, which would look at all connections, for long.
        """
        ...

    @property
    def loop(self) -> Loop | None:
        """
        Where the fast relay runs; L{None} if it is not used. It does not run before C{serve}.
        """

    @property
    def services(self) -> Sequence[str]:
        """
        The names of the services.
        """
        ...

    def frontendOf(self, serviceName: str) -> Frontend | None:
        """
        Find the frontend of a service.
        """

    def restoreState(self, state: Mapping[str, Any]) -> None:
        """
        Take over what was true in the other process, for each piece.
        """

    def restored(self) -> None:
        """
        Settle, as everything was taken over.
        """

    def serve(self) -> None:
        """
        Serve, as the other process does not any more.
        """

    def predecessorGone(self) -> None:
        """
        Take note that the other process has left this one alone.
        """

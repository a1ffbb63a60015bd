"""
Clients that are admitted to clones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from txlb.connecting import packedClient
from txlb.model import ProxyService
from txlb.pool import Admission, RefusalKind

#: Seconds between two lines in the log about clients that are not admitted.
QUIET = 10.0

_log = Logger()


class Admitting:
    """
    Tells which clients are admitted, and logs those that are not. The manager has one for
    the connections that it passes, and a clone one for those that it accepts by itself, so
    that the networks hold also while no manager is there.

    @param service: has the settings.
    @param seconds: a monotonic clock.
    @ivar refused: clients that were not admitted, by the reason.
    """

    def __init__(self, service: ProxyService, seconds: Callable[[], float]) -> None:
        self.refused: dict[RefusalKind, int] = {}
        self._admission = Admission(service)
        self._seconds = seconds
        self._quietUntil = 0.0
        self._untold = 0

    def __call__(self, peer: Any) -> bool:
        """
        Tell whether a client is admitted.

        @param peer: its address, as C{accept} gives it.
        """
        if not self._admission.active:
            return True
        now = self._seconds()
        refusal = self._admission.admit(packedClient(peer), now)
        if refusal is None:
            return True
        self.refused[refusal] = self.refused.get(refusal, 0) + 1
        self._untold += 1
        if now >= self._quietUntil:
            self._quietUntil = now + QUIET
            _log.warn(
                "{count} clients closed, {why}; the last one was {client}",
                count=self._untold,
                why=refusal.value,
                client=peer[0] if isinstance(peer, tuple) else "of a UNIX socket",
            )
            self._untold = 0
        return False

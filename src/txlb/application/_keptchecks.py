"""
The times of health checks, for another process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IKeptState

if TYPE_CHECKING:
    from txlb.health import Heartbeat


@implementer(IKeptState)
class KeptChecks:
    """
    Hands over when each host is to be checked next. A check that is under way begins anew.

    @param heartbeatOf: returns the runner of the checks of this run.
    """

    name = "checks"

    def __init__(self, heartbeatOf: Callable[[], Heartbeat]) -> None:
        self._heartbeatOf = heartbeatOf

    def state(self) -> object:
        found: dict[str, dict[str, dict[str, float]]] = {}
        for (service, group, host), beat in self._heartbeatOf().kept().items():
            found.setdefault(service, {}).setdefault(group, {})[host] = beat
        return {"services": found}

    def restore(self, state: object) -> None:
        planned: dict[tuple[str, str, str], float] = {}
        for service, groups in Facts(state, self.name).each("services"):
            for group in groups.values:
                beats = groups.inside(group)
                for host in beats.values:
                    planned[service, group, host] = beats.number(host)
        self._heartbeatOf().resumeAt(planned)

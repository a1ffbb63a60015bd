"""
Changes of who may come in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import Final

from txlb.manager._apply import Transitions
from txlb.pool import Event


class _Kept(Enum):
    """
    What stands for a setting that stays as it is.
    """

    KEPT = "kept"


KEPT: Final = _Kept.KEPT


class AdmissionChanges(Transitions):
    """
    A manager's changes of who may come in.
    """

    def setAdmission(
        self,
        serviceName: str,
        *,
        allow: Iterable[str] | _Kept = KEPT,
        deny: Iterable[str] | _Kept = KEPT,
        maxConnectionsPerClient: int | _Kept | None = KEPT,
        ratePerClient: float | _Kept | None = KEPT,
        burstPerClient: int | _Kept | None = KEPT,
    ) -> tuple[Event, ...]:
        """
        Say who may come in from now on; what is not said stays as it is. Those
        who are in stay. See L{txlb.model.ProxyService} for what each means.

        @raise ModelError: a network or a number breaks a rule.
        @raise UnknownName: there is no such service.
        """
        given = {
            "allow": allow,
            "deny": deny,
            "maxConnectionsPerClient": maxConnectionsPerClient,
            "ratePerClient": ratePerClient,
            "burstPerClient": burstPerClient,
        }
        service = self.getService(serviceName)
        settings: dict[str, object] = {
            name: value for name, value in given.items() if not isinstance(value, _Kept)
        }
        changed = replace(service, **settings)  # type: ignore[arg-type]  # it checks them itself
        return self.apply(changed if each is service else each for each in self._services.values())

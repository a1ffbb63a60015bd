"""
Health checks as a part of a balancer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service

from txlb.errors import ModelError
from txlb.health import normalized
from txlb.model import CheckLike, HealthCheck

if TYPE_CHECKING:
    from txlb.health import Heartbeat

_COMMON = frozenset(field.name for field in dataclasses.fields(HealthCheck)) - {"kind", "options"}


def healthCheckFrom(check: CheckLike, settings: Mapping[str, Any]) -> HealthCheck | None:
    """
    Make a check from a short form.

    @param check: the word of its kind, or a function, or a check.
    @param settings: those that every check has, and the options of its kind.
    @raise ModelError: a setting breaks a rule, or there is no check for it.
    """
    common = {name: value for name, value in settings.items() if name in _COMMON}
    options = {name: value for name, value in settings.items() if name not in _COMMON}
    if check is None:
        if settings:
            raise ModelError(f"without a check there is no {', '.join(settings)}")
        return None
    if isinstance(check, HealthCheck):
        return dataclasses.replace(check, **common, options={**check.options, **options})
    return HealthCheck(check, **common, options=options)


class HealthService(Service):
    """
    The health checks of a balancer, while it runs. Owned by the balancer, as its child
    C{health}.

    @param heartbeatOf: returns the runner of the checks for this run.
    """

    name = "health"

    def __init__(self, heartbeatOf: Callable[[], Heartbeat]) -> None:
        self._heartbeatOf = heartbeatOf
        self._heartbeat: Heartbeat | None = None

    def startService(self) -> None:
        """
        Start checking.
        """
        super().startService()
        self._heartbeat = self._heartbeatOf()
        self._heartbeat.startService()

    def stopService(self) -> None:
        """
        Stop checking.
        """
        super().stopService()
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            heartbeat.stopService()

    def verified(self, check: HealthCheck) -> HealthCheck:
        """
        Test that a check can be made.

        @return: the same check, as a configuration file would give it.
        @raise UnknownName: there is no such kind of check, or it has no such option.
        @raise ModelError: its options are wrong.
        """
        check = normalized(check)
        if self._heartbeat is not None:
            self._heartbeat.verify(check)
        return check

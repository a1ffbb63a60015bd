"""
The settings of what the balancer does by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.config._configchecksettings import ConfigCheckSettings
from txlb.config._timersettings import TimerSettings
from txlb.model import HealthCheck
from txlb.model.kinds import DAY, Seconds, Whole
from txlb.model.settings import settingField

#: Seconds between two checks of a host that is about to change, if an old element has
#: hosts checked.
CHANGING_INTERVAL = 2.0


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """
    What the balancer does by itself.

    @ivar hostCheck: tries hosts that are down; L{None} if the file has no such element.
    @ivar configCheck: saves live changes, and follows the file; L{None} likewise.
    @ivar heartbeat: checks hosts that are up; L{None} likewise.
    """

    hostCheck: TimerSettings | None = None
    configCheck: ConfigCheckSettings | None = None
    heartbeat: TimerSettings | None = None
    graceTime: float = settingField(
        10.0,
        Seconds(0.0, DAY),
        "Seconds that open connections have to finish when the balancer stops; then they "
        "are reset.",
    )
    maxChecks: int = settingField(
        100, Whole(1, 10_000), "How many health checks are under way at once; more wait their turn."
    )

    @property
    def check(self) -> HealthCheck | None:
        """
        The check of hosts that have no check of their own and whose group has none. The old
        elements have intervals of minutes, at which it would take long to be sure; so a
        host that is about to change is checked more often.
        """
        for timer, onlyDown in ((self.heartbeat, False), (self.hostCheck, True)):
            if timer is not None and timer.enable:
                fast = min(timer.interval, CHANGING_INTERVAL)
                return HealthCheck("tcp", timer.interval, fastInterval=fast, onlyDown=onlyDown)
        return None

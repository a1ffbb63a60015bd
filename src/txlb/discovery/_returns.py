"""
Hosts that come and go.
"""

from __future__ import annotations

from txlb.pool import Damper

#: Seconds that a host is held back at most.
LONGEST = 60.0

#: Hosts that are remembered after they have gone, at most.
MAX_REMEMBERED = 10_000


class Returns:
    """
    Holds back the hosts of one group that come and go again and again, each time for longer, as
    L{Damper} says.
    """

    def __init__(self) -> None:
        self._dampers: dict[str, Damper] = {}

    def went(self, name: str, now: float) -> None:
        """
        Record that a source leaves out a host that it had.
        """
        damper = self._dampers.pop(name, None)
        if damper is None:
            damper = Damper(now)
        damper.fell(LONGEST, now)
        # The one that went last is last.
        self._dampers[name] = damper
        while len(self._dampers) > MAX_REMEMBERED:
            del self._dampers[next(iter(self._dampers))]

    def heldUntil(self, name: str, now: float) -> float | None:
        """
        Return the time until which a host is held back that a source has again; L{None} if it is
        not held.
        """
        damper = self._dampers.get(name)
        return None if damper is None or damper.heldUntil <= now else damper.heldUntil

    def came(self, name: str, now: float) -> None:
        """
        Record that a host was added that a source has.
        """
        damper = self._dampers.get(name)
        if damper is not None:
            damper.rose(now)

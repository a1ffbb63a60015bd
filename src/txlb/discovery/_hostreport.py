"""
The report of a host in its announcement.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from txlb.wire import AgentHealth, AgentReply, AgentState

#: Seconds from one change of the load in an announcement to the next, at least.
LOAD_PAUSE = 5.0

#: The share by which a load has to differ from the announced one to be announced.
LOAD_STEP = 0.05

#: Seconds after which the load is announced again, even if it is the same: balancers forget one
#: that is older than three times as much.
LOAD_AGAIN = 30.0

_log = Logger()


class HostReport:
    """
    The load, the capacity and the state that a host reports. Owned by its
    L{txlb.discovery.AnnounceService}, which asks each time it renews the announcement. The load
    changes only as often as C{LOAD_PAUSE} says, so that many hosts don't write all the time;
    capacity and state change at once.

    @param reply: returns the report of now.
    """

    def __init__(self, reply: Callable[[], AgentReply]) -> None:
        self._reply = reply
        self._load: float | None = None
        self._since = 0.0
        self._broken = False

    def entry(self, state: str, now: float) -> tuple[dict[str, object], float]:
        """
        Return what an entry has of the report.

        @param state: the state that the application wants.
        @param now: seconds of a monotonic clock.
        @return: the settings of the entry, and the time since which its load is announced. An
            announcement with another one is written again.
        """
        try:
            reply = self._reply()
        except Exception:  # noqa: BLE001 - it is the application's own
            if not self._broken:
                _log.failure("the report of an announced host is broken")
            self._broken = True
            reply = AgentReply()
        else:
            self._broken = False
        self._take(reply, now)
        away = reply.state in _AWAY or reply.health not in {None, AgentHealth.UP}
        found: dict[str, object] = {"state": "drain" if away else state}
        if reply.maxConnections is not None:
            found["capacity"] = reply.maxConnections
        if self._load is not None:
            found["load"] = self._load
        return found, self._since

    def _take(self, reply: AgentReply, now: float) -> None:
        load = None if reply.percent is None else round(max(1 - reply.percent / 100, 0.0), 2)
        before, passed = self._load, now - self._since
        if load is None or before is None:
            changed = load is not before
        else:
            changed = passed >= LOAD_PAUSE and abs(load - before) >= LOAD_STEP
            changed = changed or passed >= LOAD_AGAIN
        if changed:
            self._load, self._since = load, now


_AWAY = (AgentState.DRAIN, AgentState.MAINT)

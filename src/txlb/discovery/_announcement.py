"""
What a host announces of itself, by any way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadlines
from txlb.discovery._foundhost import FoundHost
from txlb.discovery._hostreport import HostReport
from txlb.errors import TxlbError
from txlb.model import checkName
from txlb.model.kinds import Seconds
from txlb.wire import AgentReply

#: Seconds that a registry has at the end, beside C{drainTime}.
PATIENCE = 3.0

#: The kind of C{drainTime}.
DRAIN_TIME = Seconds(0.0, 3600.0)

_log = Logger()


class Announcement:
    """
    One host as it announces itself: its place, its settings, its report, whether it is to get
    nothing new, and whether its registry has it. Owned by the service that announces it, and the
    same for all registries.

    @param service: the name of the balancer's service.
    @param group: the name of its group.
    @param address: the address at which balancers reach the host.
    @param name: the name of the host; L{None} for its address.
    @param weight: see L{FoundHost}.
    @param priority: see L{FoundHost}.
    @param metadata: see L{FoundHost}.
    @param report: returns what the host reports of itself; L{None} for nothing.
    @param drainTime: seconds from C{drain} to the end, 0 to 3600.
    @raise ModelError: something of it breaks a rule.

    @ivar place: the names of the service and of the group.
    @ivar host: the host.
    @ivar state: C{ready}, or C{drain} if the host is to get nothing new.
    @ivar drainTime: see above.
    @ivar label: the name of the announcement in messages.
    """

    def __init__(
        self,
        service: str,
        group: str,
        address: str,
        name: str | None,
        weight: int,
        priority: int,
        metadata: Mapping[str, str] | None,
        report: Callable[[], AgentReply] | None,
        drainTime: float,
    ) -> None:
        checkName("service", service)
        checkName("group", group)
        self.place = {"service": service, "group": group}
        self.host = FoundHost(
            address.replace("/", "-") if name is None else name,
            address,
            weight,
            priority,
            metadata=metadata or {},
        )
        self.label = self.host.name
        self.state = "ready"
        self.drainTime = float(DRAIN_TIME.check(drainTime, "drainTime of an announcement"))
        self._report = HostReport(AgentReply if report is None else report)
        self._trouble = ""

    def entry(self, now: float) -> tuple[dict[str, object], float]:
        """
        Return the entry of a document of hosts.

        @param now: seconds of a monotonic clock.
        @return: the entry, and the time since which its load is announced.
        """
        reported, since = self._report.entry(self.state, now)
        return {**self.host.asDict(), **reported}, since

    def begin(self) -> None:
        """
        Be ready, and forget former trouble.
        """
        self.state, self._trouble = "ready", ""

    def leave(
        self,
        deadlines: Deadlines,
        ttl: float,
        say: Callable[[], Awaitable[object]],
        end: Callable[[], Awaitable[object]],
    ) -> Deferred[None]:
        """
        Say C{drain}, wait, and end.

        @param ttl: seconds after which the announcement ends by itself, for messages.
        @param say: announces the host as it is then.
        @param end: takes the announcement away.
        @return: fires with L{None} when that is done, or when the registry had its time for it. It
            does not fail.
        """
        leaving = Deferred.fromCoroutine(self._takeLeave(deadlines, say, end))
        late = deadlines.patience(self.drainTime + PATIENCE, leaving.cancel)
        leaving.addErrback(self._notEnded, ttl)

        def ended(_: None) -> None:
            late.cancel()

        return leaving.addCallback(ended)

    async def _takeLeave(
        self,
        deadlines: Deadlines,
        say: Callable[[], Awaitable[object]],
        end: Callable[[], Awaitable[object]],
    ) -> None:
        self.state = "drain"
        await say()
        over: Deferred[None] = Deferred(lambda _: deadline.cancel())
        deadline = deadlines.after(self.drainTime, lambda: over.callback(None))
        await over
        await end()

    def _notEnded(self, reason: Failure, ttl: float) -> None:
        # It is cancelled when its time is over.
        told = "no answer in time" if reason.check(CancelledError) else reason.getErrorMessage()
        _log.warn(
            "{host} could not be removed, and goes within {ttl} s: {reason}",
            host=self.label,
            ttl=ttl,
            reason=told,
        )

    # For people

    def announced(self) -> None:
        """
        Tell that the registry has the host, if it had not.
        """
        if self._trouble:
            self._trouble = ""
            _log.info("{host} is announced again", host=self.label)

    def failed(self, reason: Failure) -> None:
        """
        Tell that the host could not be announced.
        """
        if reason.check(CancelledError):
            return
        if not reason.check(TxlbError):
            _log.failure("{host} could not be announced", reason, host=self.label)
        self.lost(reason.getErrorMessage())

    def lost(self, reason: str) -> None:
        """
        Tell that the registry does not have the host, once until it has it again.
        """
        if not self._trouble:
            _log.warn(
                "{host} is not announced: {reason}; trying again", host=self.label, reason=reason
            )
        self._trouble = reason

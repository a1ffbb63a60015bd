"""
One host that is checked.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred

from txlb.deadlines import Deadline
from txlb.health._target import Target
from txlb.health._timing import CheckTiming
from txlb.health._verdict import Verdict
from txlb.interfaces import IHealthCheck
from txlb.model import HealthCheck, TCPAddress
from txlb.pool import Host, HostPool
from txlb.wire import encodeProxyLocal


class CheckedHost:
    """
    A host that is checked. Owned by the heartbeat.

    @ivar check: how.
    @ivar healthCheck: what does it.
    @ivar pool: the host's pool.
    @ivar host: the host.
    @ivar timing: when; L{None} before its first check.
    @ivar ticket: the number of its place in the queue; 0 for none.
    @ivar waiting: whether it is due and waits until fewer are checked at once.
    @ivar running: the check under way.
    @ivar began: when that began.
    @ivar expiry: when it has to be over.
    @ivar late: whether it is being ended for that.
    @ivar said: the last thing that was logged of checks that say nothing of the
        host; empty once one does.
    """

    __slots__ = (
        "began",
        "check",
        "expiry",
        "healthCheck",
        "host",
        "late",
        "pool",
        "running",
        "said",
        "ticket",
        "timing",
        "waiting",
    )

    def __init__(
        self, check: HealthCheck, healthCheck: IHealthCheck, pool: HostPool, host: Host
    ) -> None:
        self.check = check
        self.healthCheck = healthCheck
        self.pool = pool
        self.host = host
        self.timing: CheckTiming | None = None
        self.ticket = 0
        self.waiting = False
        self.running: Deferred[Verdict] | None = None
        self.began = 0.0
        self.expiry: Deadline | None = None
        self.late = False
        self.said = ""

    @property
    def name(self) -> str:
        """
        What it is called in the log.
        """
        return "/".join(self.host.key)

    @property
    def isIdle(self) -> bool:
        """
        Whether it is neither checked now nor to be checked later.
        """
        return not self.ticket and not self.waiting and self.running is None

    def target(self, sendProxy: str | None) -> Target | None:
        """
        Where to check now: at the address that the next client would be sent to.

        @param sendProxy: the version of the PROXY header that the group's hosts
            expect. Where the check has a port of its own, as HAProxy has it,
            none is expected.
        @return: L{None} where its name has no address yet.
        """
        host, check = self.host, self.check
        if not host.addresses:
            return None
        addresses = host.addressesFrom(host.address)
        name = "localhost"
        if isinstance(host.address, TCPAddress):
            # A zone means something on this machine alone: it goes into no Host header
            # (RFC 9844, 6) and no certificate has one.
            name = host.configured.ipOrHost.partition("%")[0]
            if check.port is not None:
                addresses = tuple(
                    replace(each, port=check.port)
                    for each in addresses
                    if isinstance(each, TCPAddress)
                )
        header = b""
        if sendProxy is not None and check.port is None:
            header = encodeProxyLocal(sendProxy)
        return Target(host.key, addresses[0], name, check.patience, header, addresses[1:])

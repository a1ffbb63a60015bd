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
from txlb.model import HealthCheck, HostTLS, TCPAddress, effectiveTLS
from txlb.pool import Host, HostPool
from txlb.wire import encodeProxyLocal


class CheckedHost:
    """
    A host that is checked. Owned by the L{CheckRunner<txlb.health._checkrunner.CheckRunner>}.

    @ivar check: the configured check.
    @ivar healthCheck: the object that checks the host.
    @ivar pool: the host's pool.
    @ivar host: the host.
    @ivar timing: the times of its checks; L{None} before the first is planned.
    @ivar ticket: the number of its valid entry in the queue; 0 for none.
    @ivar waiting: whether its check is due and waits until fewer are under way.
    @ivar running: the check under way.
    @ivar began: when that began, or began to wait.
    @ivar expiry: the deadline of that.
    @ivar late: whether that is cancelled because of its deadline.
    @ivar said: the last text that was logged because a check had no result; empty after a
        check with a result.
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
        The name of the host for the log.
        """
        return "/".join(self.host.key)

    @property
    def isIdle(self) -> bool:
        """
        Whether no check of the host is under way or planned.
        """
        return not self.ticket and not self.waiting and self.running is None

    def target(self, sendProxy: str | None, tls: HostTLS | None = None) -> Target | None:
        """
        Return the target of a check now: the address that the next client would be sent to.

        @param sendProxy: the version of the PROXY header that the group's hosts
            expect. A check with a port of its own sends none, as in HAProxy.
        @param tls: TLS of the group. A check with a port of its own speaks none by itself.
        @return: L{None} if the host's name has no address yet.
        """
        host, check = self.host, self.check
        if not host.addresses:
            return None
        addresses = host.addressesFrom(host.address)
        name = "localhost"
        if isinstance(host.address, TCPAddress):
            # A zone has a meaning on this machine only. It goes into no Host header (RFC 9844,
            # section 6), and no certificate has one.
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
        secure = effectiveTLS(host.configured.tls, tls) if check.port is None else None
        return Target(host.key, addresses[0], name, check.patience, header, addresses[1:], secure)

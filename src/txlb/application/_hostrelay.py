"""
The relay of the hosts beside the clones of an application that clones itself.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from txlb.application._engine import Engine
from txlb.interfaces import IHostRelay
from txlb.manager import ProxyManager
from txlb.pool import Lease, Outcome
from txlb.proxy import ClientConnection


@implementer(IHostRelay)
class HostRelay:
    """
    Relays connections that the manager of clones has accepted for hosts that are no clones, and
    checks these hosts. It listens on nothing.

    @param pools: has one service, in which each listener has a group.
    @param reactor: runs it.
    @raise ModelError: a check or the TLS of a host can't be used as it is configured.
    """

    def __init__(self, pools: ProxyManager, reactor: Any) -> None:
        self._pools = pools
        (self._service,) = pools.services
        # The manager of clones logs the events.
        self._engine = Engine(pools, reactor, None, logsEvents=False)

    def start(self) -> None:
        """
        Be ready for connections, and check the hosts.
        """
        self._engine.start()
        self._pools.onCut = self._engine.cutSoon
        self._engine.heartbeat.startService()

    def take(self, number: int, descriptor: int, peer: object, lease: Lease) -> None:
        frontend = self._engine.frontendOf(self._service)
        if frontend is None:  # pragma: no cover - the service is there as long as its manager
            lease.release(Outcome.NOT_CONNECTED)
            os.close(descriptor)
            return
        listener = self._pools.getService(self._service).listeners[number]
        frontend.acceptedFor(lease, ClientConnection(descriptor, peer, listener))

    def connectionCount(self) -> int:
        return self._engine.connectionLimit.active

    def stop(self, graceTime: float) -> Deferred[None]:
        self._engine.heartbeat.stopService()
        return self._engine.stop(graceTime).addCallback(lambda _: self._stopped())

    def _stopped(self) -> None:
        self._pools.onCut = None

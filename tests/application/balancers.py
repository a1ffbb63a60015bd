"""
A balancer to test: real listeners, and a reactor that only the test moves on.
"""

from __future__ import annotations

import socket
from typing import Any

from benchmarks.ports import ports
from tests.proxy.fakes import FakeRelay, ReactorCase
from txlb.application import LoadBalancedService
from txlb.manager import proxyManagerFactory
from txlb.model import (
    InheritedAddress,
    ListenAddress,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    TCPAddress,
    UNIXAddress,
)
from txlb.pool import Outcome
from txlb.proxy import Frontend, Relayed

LOCAL = "127.0.0.1:0"


class ServiceCase(ReactorCase):
    def balancer(
        self,
        *addresses: Any,
        hosts: tuple[str, ...] = ("127.0.0.1:7001",),
        graceTime: float = 10.0,
        more: tuple[ProxyService, ...] = (),
        relay: str = "portable",
    ) -> LoadBalancedService:
        configured = [ProxyHost.at(f"h{n}", address) for n, address in enumerate(hosts)]
        group = ProxyGroup("main", "leastc", True, configured)
        web = ProxyService("web", addresses or (LOCAL,), [group], relay=relay)
        self.manager = proxyManagerFactory([web, *more], seconds=self.reactor.seconds)
        self.lbs = LoadBalancedService(
            self.manager, self.reactor, graceTime=graceTime, inMemory=False
        )
        self.addCleanup(self.end)
        return self.lbs

    def end(self) -> None:
        """
        Stop whatever runs.
        """
        self.lbs.stopService()
        self.reactor.advance(self.lbs.graceTime)

    def start(self) -> None:
        """
        Start it as an application does.
        """
        self.lbs.privilegedStartService()
        self.lbs.startService()

    def frontendOf(self, serviceName: str) -> Frontend:
        """
        Find the frontend of a service that the balancer has.
        """
        frontend = self.lbs.engine.frontendOf(serviceName)
        assert frontend is not None
        return frontend

    def relay(self) -> FakeRelay:
        """
        @return: what the connections of this run are given to from now on.
        """
        relay = FakeRelay()
        self.addCleanup(relay.close)
        self.frontendOf("web").relays.usual = relay
        return relay

    def endConnection(self, relay: FakeRelay, index: int = 0) -> None:
        """
        A connection that the relay has ends in good order.
        """
        sock, attempt, _, _ = relay.started.pop(index)
        sock.close()
        lease = attempt.connected()
        lease.release(Outcome.DONE)
        # As the engine's own relay would say.
        self.frontend.relayed(Relayed(attempt.dial, lease))

    def come(self, name: str = "web") -> socket.socket:
        """
        A client connects to a listener, and the reactor has a turn.
        """
        self.frontend = self.frontendOf("web")
        client = self.connectTo(self.lbs.getProxyService(name).addresses[0])
        self.reactor.readable()
        return client

    def connectTo(self, address: ListenAddress) -> socket.socket:
        assert not isinstance(address, InheritedAddress)
        if isinstance(address, UNIXAddress):
            return self.connect(address.path)
        return self.connect((address.host, address.port))

    def port(self, name: str = "web") -> int:
        address = self.lbs.getProxyService(name).addresses[0]
        assert isinstance(address, TCPAddress)
        return address.port

    def takenPort(self) -> int:
        """
        @return: a port that somebody listens on.
        """
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        return int(taken.getsockname()[1])

    def freePort(self) -> int:
        return ports.take()

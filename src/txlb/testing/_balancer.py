"""
A whole balancer in memory, with simulated clients, hosts and clock.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

from txlb.application import LoadBalancedService
from txlb.errors import UnknownConnection, UnknownName
from txlb.manager import proxyManagerFactory
from txlb.model import Address, HostMapper, ProxyService, TCPAddress
from txlb.pool import Event, Host
from txlb.proxy import ReactorListener
from txlb.testing._memoryclient import MemoryClient
from txlb.testing._memoryhost import MemoryHost
from txlb.testing._network import MemoryNetwork
from txlb.testing._transport import FlowTransport

#: Rounds of exchange without time after which the exchange counts as endless.
MOST_ROUNDS = 10_000


class MemoryBalancer:
    """
    A L{LoadBalancedService} that runs in memory: a test connects clients, lets hosts die
    and come back, and advances time. It opens no socket and waits for nothing. It runs
    from its making until L{stop}::

        balancer = MemoryBalancer([
            HostMapper(proxy="127.0.0.1:80", host=name, address=f"{name}.example:80")
            for name in ("web1", "web2")
        ])
        balancer.host("web1").die()
        assert balancer.connect().host == "web2"

    Two things differ from a real balancer: checks that are no functions only detect
    whether a host accepts; bytes go through the portable relay.

    @param services: the services to balance, as for L{proxyManagerFactory}.
    @param seed: the seed of all chance, so that each run is the same.
    @param settings: settings of L{LoadBalancedService}.

    @ivar clock: the clock, in seconds from 0; L{advance} advances it.
    @ivar manager: the manager.
    @ivar service: the balancer.
    @ivar events: all events since the beginning.
    """

    def __init__(
        self, services: Iterable[HostMapper | ProxyService], *, seed: int = 1, **settings: Any
    ) -> None:
        self.clock = MemoryNetwork()
        self.manager = proxyManagerFactory(
            services, seconds=self.clock.seconds, random=Random(seed)
        )
        self.service = LoadBalancedService(self.manager, self.clock, inMemory=True, **settings)
        self.events: list[Event] = []
        self.manager.subscribe(self.events.append)
        self._hosts: dict[Address, MemoryHost] = {}
        self._clients: list[MemoryClient] = []
        self._ports = itertools.count(10_000)
        self.service.privilegedStartService()
        self.service.startService()
        self._settle()

    def connect(self, listener: str | None = None, address: str = "192.0.2.1") -> MemoryClient:
        """
        Connect a client.

        @param listener: the name of the listener; by default the first one.
        @param address: the client's IP address.
        @raise UnknownName: the listener does not exist.
        """
        name = self.service.getProxyNames()[0] if listener is None else listener
        proxy = self.service.getProxyService(name)
        share = proxy.listener
        factory = None if share is None else share.shared.listener
        assert isinstance(factory, ReactorListener)  # noqa: S101 - it runs in memory
        kind = IPv6Address if ":" in address else IPv4Address
        peer = kind("TCP", address, next(self._ports))
        protocol = factory.buildProtocol(peer)
        if protocol is None:
            raise AssertionError(f"{name} does not accept; was the balancer stopped?")
        where = factory.addresses[0]
        own = IPv4Address("TCP", where.host, where.port) if isinstance(where, TCPAddress) else None
        transport = FlowTransport(protocol, host=own, peer=peer)
        client = MemoryClient(proxy.serviceName, transport, self._settle)
        self._clients.append(client)
        self._settle()
        return client

    def host(self, name: str) -> MemoryHost:
        """
        Return the host of a name.

        @param name: its name, or C{service/group/host} if several have the same name.
        @raise UnknownName: no host has the name, or several have it.
        """
        found = [host for host in self._allHosts() if name in {host.name, "/".join(host.key)}]
        addresses = {host.address for host in found if host.addresses}
        if len(addresses) != 1:
            raise UnknownName("host", name, ["/".join(host.key) for host in self._allHosts()])
        return self._at(addresses.pop())

    def state(self, name: str) -> str:
        """
        Return the state of a host, in the words of C{status}.

        @param name: see L{host}.
        @raise UnknownName: see L{host}.
        """
        address = self.host(name).address
        return next(
            host.stateWord
            for host in self._allHosts()
            if address in host.addresses and name in {host.name, "/".join(host.key)}
        )

    def advance(self, seconds: float) -> None:
        """
        Advance time. Everything that is due meanwhile is done at its time.

        @param seconds: 0 or more.
        """
        self.clock.advanceTo(self.clock.seconds() + seconds, self._settle)

    def stop(self) -> None:
        """
        Stop the balancer, and close every connection.
        """
        stopped = self.service.stopService()
        self.service.abortConnections()
        self.advance(0.0)
        assert stopped.called, "the balancer did not stop"  # noqa: S101 - there is nothing left

    # Inside

    def _allHosts(self) -> Iterator[Host]:
        for service in self.manager.services.values():
            for group in service.groups:
                yield from self.manager.getPool(service.name, group.name).hosts

    def _at(self, address: Address) -> MemoryHost:
        host = self._hosts.get(address)
        if host is None:
            host = self._hosts[address] = MemoryHost(address, self._settle)
        return host

    def _settle(self) -> None:
        """
        Do everything that happens without time.
        """
        for _ in range(MOST_ROUNDS):
            if not (self._decide() | self._move()):
                return
        raise AssertionError("clients and hosts send to and fro without end")

    def _decide(self) -> bool:
        """
        Accept or refuse connections to hosts.
        """
        asked, self.clock.asked = self.clock.asked, []
        moved = False
        for address, factory, connector in asked:
            if connector.stoppedConnecting:
                continue
            own = IPv4Address("TCP", "127.0.0.1", next(self._ports))
            if not self._at(address).decide(factory, connector, own):
                self.clock.asked.append((address, factory, connector))
                continue
            moved = True
            self._note(address, own)
        return moved

    def _note(self, address: Address, own: IPv4Address) -> None:
        """
        Find out whether this connection is a client's, and of which client.
        """
        try:
            client = self.service.getClientAddress(own.host, own.port)
        except UnknownConnection:
            return
        for each in self._clients:
            if each.address == client:
                each.host = next(
                    host.name
                    for host in self._allHosts()
                    if host.key[0] == each.service and address in host.addresses
                )

    def _move(self) -> bool:
        moved = [host.serve() for host in self._hosts.values()]
        moved += [client.take() for client in self._clients]
        self._clients = [client for client in self._clients if client.isOpen]
        return any(moved)

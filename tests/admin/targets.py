"""
A balancer for commands to work on, without sockets.
"""

from __future__ import annotations

from collections.abc import Sequence

from txlb.errors import UnknownConnection, UnknownName
from txlb.manager import ProxyManager, proxyManagerFactory
from txlb.model import Address, ProxyGroup, ProxyHost, ProxyService, TCPAddress


class FakeListener:
    def __init__(self, *addresses: Address) -> None:
        self.addresses: Sequence[Address] = addresses


class FakeBalancer:
    """
    What commands ask of a balancer.

    @ivar known: the clients of connections, by what is asked.
    @ivar questions: how often was asked for one.
    """

    def __init__(self, hosts: int = 2) -> None:
        production = [ProxyHost(f"h{n}", "127.0.0.1", 7001 + n) for n in range(hosts)]
        groups = [
            ProxyGroup("prod", "roundr", True, production),
            ProxyGroup("test", "leastc", False, []),
        ]
        web = ProxyService("web", [("127.0.0.1", 8080)], groups)
        self.manager: ProxyManager = proxyManagerFactory([web], seconds=lambda: 5.0)
        self.listeners = {"web": FakeListener(TCPAddress("127.0.0.1", 8080))}
        self.known: dict[tuple[object, ...], tuple[str, int]] = {}
        self.questions = 0

    def getProxyNames(self) -> list[str]:
        return list(self.listeners)

    def getProxyService(self, name: str) -> FakeListener:
        try:
            return self.listeners[name]
        except KeyError:
            raise UnknownName("listener", name, self.listeners) from None

    def switchPort(self, name: str, address: str) -> Sequence[Address]:
        listener = self.getProxyService(name)
        listener.addresses = (TCPAddress("127.0.0.1", int(address)),)
        return listener.addresses

    def getClientAddress(
        self, host: str, port: int, serverHost: str | None, serverPort: int | None
    ) -> tuple[str, int]:
        self.questions += 1
        try:
            return self.known[host, port, serverHost, serverPort]
        except KeyError:
            raise UnknownConnection(f"no connection comes from {host} port {port}") from None

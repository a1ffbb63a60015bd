"""
A reactor in memory, whose connections go to hosts that a test plays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock

from txlb.model import Address, TCPAddress, UNIXAddress

#: The most calls within one step of a test, after which they count as endless.
MOST_CALLS = 1_000_000

#: A connection that is requested: its target, its maker, and its end.
Asked = tuple[Address, Any, Any]


class MemoryNetwork(MemoryReactorClock):
    """
    A network in memory. It keeps requested connections, and gives each host name an
    address of its own, from those that RFC 2544 reserves for tests. Time stands still
    until it is advanced. Owned by a L{txlb.testing.MemoryBalancer}.

    @ivar asked: the connections that are neither accepted nor refused yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        resolver: Any = MemoryResolver()
        self.nameResolver = resolver

    def connectTCP(self, host: str, port: int, factory: Any, *rest: Any, **more: Any) -> Any:
        connector = super().connectTCP(host, port, factory, *rest, **more)
        self.tcpClients.clear()
        return self._ask(TCPAddress(host, port), factory, connector)

    def connectUNIX(self, address: str, factory: Any, *rest: Any, **more: Any) -> Any:
        connector = super().connectUNIX(address, factory, *rest, **more)
        self.unixClients.clear()
        return self._ask(UNIXAddress(address), factory, connector)

    def _ask(self, address: Address, factory: Any, connector: Any) -> Any:
        self.connectors.clear()
        self.asked.append((address, factory, connector))
        return connector

    def advanceTo(self, until: float, settle: Callable[[], object]) -> None:
        """
        Advance time, from one due call to the next.

        @param until: in seconds of this clock.
        @param settle: is called after each.
        """
        for _ in range(MOST_CALLS):
            due = [call.getTime() for call in self.getDelayedCalls()]
            when = min(due, default=math.inf)
            if when > until:
                self.advance(max(until - self.seconds(), 0.0))
                return
            self.advance(max(when - self.seconds(), 0.0))
            settle()
        raise AssertionError(f"at {self.seconds():g} s something is due again and again")


class MemoryResolver:
    """
    A resolver that gives each name an address of its own. It provides
    C{IHostnameResolver}.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def resolveHostName(
        self, receiver: Any, hostName: str, portNumber: int = 0, *_rest: Any, **_more: Any
    ) -> Any:
        """
        Resolve a name at once. See C{IHostnameResolver.resolveHostName}.
        """
        number = len(self._known) + 1
        host = self._known.setdefault(hostName, f"198.18.{number >> 8}.{number & 255}")
        receiver.resolutionBegan(self)
        receiver.addressResolved(IPv4Address("TCP", host, portNumber))
        receiver.resolutionComplete()
        return self

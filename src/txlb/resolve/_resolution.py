"""
The answer to one look-up of a name.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from txlb.connecting import tcpAddressOf


@implementer(IResolutionReceiver)
class Resolution:
    """
    The answer to one look-up.

    @ivar name: the name.
    @ivar addresses: the addresses that were found, the best one first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.addresses: list[str] = []
        self._complete: Deferred[None] = Deferred()

    def ask(self, resolver: Any) -> Deferred[None]:
        """
        Look up the name.

        @return: fires with L{None} when the answer is complete, also if it is empty. It does
            not fail.
        """
        resolver.resolveHostName(self, self.name)
        return self._complete

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        pass

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, (IPv4Address, IPv6Address)):
            found = tcpAddressOf(address).host
            if found not in self.addresses:
                self.addresses.append(found)

    def resolutionComplete(self) -> None:
        self._complete.callback(None)

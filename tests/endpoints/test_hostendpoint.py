"""
Tests for L{txlb.endpoints._hostendpoint}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txlb.connecting import UNIXEndpoint
from txlb.endpoints import hostEndpoint
from txlb.model import TCPAddress, UNIXAddress


class HostEndpointTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """
        An address has the endpoint of its family, and a name is resolved by Twisted.
        """
        memory: Any = MemoryReactorClock()
        for on, address, kind in (
            (reactor, TCPAddress("192.0.2.1", 80), TCP4ClientEndpoint),
            (reactor, TCPAddress("2001:db8::1", 80), TCP6ClientEndpoint),
            (reactor, TCPAddress("a.example", 80), HostnameEndpoint),
            (reactor, UNIXAddress("/run/s"), UNIXEndpoint),
            (memory, TCPAddress("192.0.2.1", 80), TCP4ClientEndpoint),
            (memory, UNIXAddress("/run/s"), UNIXClientEndpoint),
        ):
            self.assertIsInstance(hostEndpoint(on, address), kind, address)

"""
The portable relay keeps the contract with TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import TestCase

from tests.proxy.tlsstage import OtherTests, SlowHostTests, SlowTests, TellingTests, TLSStage
from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.proxy import PortableRelay, Timeouts
from txlb.proxy._portablehandshake import PortableHandshake
from txlb.proxy._truncations import Truncations
from txlb.testing import RelayContract


class AtOnce:
    """
    A queue of steps that are done at once.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self.truncations = Truncations(deadlines)

    def queueBulk(self, step: Any) -> None:
        step.moveBulk()


class PortableStage(TLSStage):
    """
    The portable relay with TLS.
    """

    def makeRelay(
        self, reactor: Any, deadlines: Deadlines, timeouts: Timeouts, ended: Any
    ) -> IRelay:
        """
        See L{RelayContract.makeRelay}.
        """
        return PortableRelay(reactor, deadlines, timeouts, ended)

    def handshake(
        self: Any, client: Any, contexts: Any, done: Any, failed: Any, inThread: Any = None
    ) -> Callable[[], object]:
        steps: Any = AtOnce(self.deadlines)
        handshake = PortableHandshake(client, contexts, self.reactor, steps, done, failed, inThread)
        handshake.start()
        look: Callable[[], object] = handshake._layer.transport.doRead
        return look


class TLSInTests(TellingTests, SlowTests, OtherTests, PortableStage, RelayContract, TestCase):
    """
    TLS ends here.
    """

    tlsIn = True


class TLSOutTests(SlowHostTests, OtherTests, PortableStage, RelayContract, TestCase):
    """
    TLS begins here.
    """

    tlsOut = True


class TLSBothTests(OtherTests, PortableStage, RelayContract, TestCase):
    """
    TLS on both sides.
    """

    tlsIn = tlsOut = True

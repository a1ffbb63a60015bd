"""
The fast relay keeps the contract with TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import TestCase

from tests.proxy.tlsstage import OtherTests, TellingTests, TLSStage
from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.proxy import FastRelay, Loop, Timeouts
from txlb.proxy.fast._clienthandshake import ClientHandshake
from txlb.testing import RelayContract


class FastStage(TLSStage):
    """
    The fast relay with TLS.
    """

    loop: Any = None

    def makeRelay(
        self: Any, reactor: Any, deadlines: Deadlines, timeouts: Timeouts, ended: Any
    ) -> IRelay:
        """
        See L{RelayContract.makeRelay}.
        """
        if self.loop is None:
            self.loop = Loop(reactor, deadlines)
            self.loop.start()
            self.addCleanup(self.loop.stop)
        return FastRelay(self.loop, timeouts, ended)

    def handshake(
        self: Any, client: Any, contexts: Any, done: Any, failed: Any
    ) -> Callable[[], object]:
        handshake = ClientHandshake(self.loop, client, contexts, done, failed)
        handshake.start()
        turn: Callable[[], object] = self.loop.turn
        return turn


class TLSInTests(TellingTests, OtherTests, FastStage, RelayContract, TestCase):
    """
    TLS ends here.
    """

    tlsIn = True


class TLSOutTests(OtherTests, FastStage, RelayContract, TestCase):
    """
    TLS begins here.
    """

    tlsOut = True


class TLSBothTests(OtherTests, FastStage, RelayContract, TestCase):
    """
    TLS on both sides.
    """

    tlsIn = tlsOut = True

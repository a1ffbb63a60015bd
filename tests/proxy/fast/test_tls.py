"""
The fast relay keeps the contract with TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import TestCase

from tests.proxy.tlsstage import OtherTests, SlowHostTests, SlowTests, TellingTests, TLSStage
from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.pool import GaveUpReason
from txlb.proxy import FastRelay, Loop, Timeouts
from txlb.proxy.fast._clienthandshake import ClientHandshake
from txlb.testing import RelayContract
from txlb.testing._streams import until


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
        self: Any, client: Any, contexts: Any, done: Any, failed: Any, inThread: Any = None
    ) -> Callable[[], object]:
        handshake = ClientHandshake(self.loop, client, contexts, done, failed, inThread)
        handshake.start()
        turn: Callable[[], object] = self.loop.turn
        return turn


class TLSInTests(TellingTests, SlowTests, OtherTests, FastStage, RelayContract, TestCase):
    """
    TLS ends here.
    """

    tlsIn = True


class TLSOutTests(SlowHostTests, OtherTests, FastStage, RelayContract, TestCase):
    """
    TLS begins here.
    """

    tlsOut = True

    async def test_cantSpeak(self: Any) -> None:
        """
        If OpenSSL can't be called directly, and a host was given TLS after the relay was chosen,
        the client is closed, and no byte goes to the host.
        """
        await self.connected(self.host())
        self.results.clear()
        with patch("txlb.proxy.fast._search.whyNotTLS", return_value="it is Tuesday"):
            client, fd = self.client()
            self.begin(fd)
            await client.expectEnd()
            await until(self.reactor, lambda: bool(self.results), "the end")
        gaveUp = self.results[0].gaveUp
        self.assertEqual(gaveUp.reason, GaveUpReason.UNREACHABLE)
        self.assertEqual(gaveUp.failure.detail, "the fast relay can't speak TLS: it is Tuesday")


class TLSBothTests(OtherTests, FastStage, RelayContract, TestCase):
    """
    TLS on both sides.
    """

    tlsIn = tlsOut = True

"""
The fast relay keeps the contract.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.proxy.fast.stage import elsewhere
from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.proxy import Timeouts
from txlb.proxy.fast import FastRelay, Loop
from txlb.testing import RelayContract


class FastRelayTests(RelayContract, TestCase):
    """
    L{FastRelay} and the contract.
    """

    def makeRelay(
        self, reactor: Any, deadlines: Deadlines, timeouts: Timeouts, ended: Any
    ) -> IRelay:
        """
        See L{RelayContract.makeRelay}.
        """
        loop = Loop(reactor, deadlines)
        loop.start()
        self.addCleanup(loop.stop)
        return FastRelay(loop, timeouts, ended)


class ElsewhereTests(FastRelayTests):
    """
    The same with hosts that answer later, as those on other machines do.
    """

    def setUp(self) -> Any:
        """
        Let nobody be near.
        """
        patched = elsewhere()
        patched.__enter__()
        self.addCleanup(patched.__exit__, None, None, None)
        return super().setUp()

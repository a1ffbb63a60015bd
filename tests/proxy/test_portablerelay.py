"""
The portable relay keeps the contract.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.proxy import PortableRelay, Timeouts
from txlb.testing import RelayContract


class PortableRelayTests(RelayContract, TestCase):
    """
    L{PortableRelay} and the contract.
    """

    def makeRelay(
        self, reactor: Any, deadlines: Deadlines, timeouts: Timeouts, ended: Any
    ) -> IRelay:
        """
        See L{RelayContract.makeRelay}.
        """
        return PortableRelay(reactor, deadlines, timeouts, ended)

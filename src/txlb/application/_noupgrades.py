"""
Balancers that can't be upgraded.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from txlb.errors import TxlbError
from txlb.upgrade import UpgradeCheck, Upgraded


class NoUpgrades:
    """
    The refusal of each upgrade.

    @param reason: why there are none, and what to do instead, for people.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def upgrade(self) -> Deferred[Upgraded]:
        """
        Refuse an upgrade.

        @return: fails with L{TxlbError}.
        """
        return fail(TxlbError(self._reason))

    def check(self) -> UpgradeCheck:
        """
        Refuse to look what would move.

        @raise TxlbError: always.
        """
        raise TxlbError(self._reason)

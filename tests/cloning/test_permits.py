"""
Tests for L{txlb.cloning._permits}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._permits import PERMITS, TAKES_PERMITS, PermitEvent, PermitState
from txlb.cloning._record import Account


class PermitTests(SynchronousTestCase):
    def account(self, *events: PermitEvent) -> Account:
        account = Account()
        for event in events:
            account.happened(event)
        return account

    def test_used(self) -> None:
        account = self.account(PermitEvent.SENT)
        account.sent = 2
        self.assertEqual(
            (account.permits.state, account.late, account.unused), (PermitState.GRANTED, False, 2)
        )
        account.happened(PermitEvent.USED)
        self.assertIs(account.permits.state, PermitState.IDLE)

    def test_late(self) -> None:
        """
        Void permits can't be used, until the clone goes on.
        """
        for event in (PermitEvent.VOID, PermitEvent.UNREAD):
            account = self.account(PermitEvent.SENT, event)
            account.sent = 2
            self.assertTrue(account.late)
            self.assertEqual(account.unused, 0)
            account.happened(PermitEvent.USED)
            self.assertTrue(account.late)
            account.happened(PermitEvent.GOES_ON)
            self.assertFalse(account.late)

    def test_table(self) -> None:
        """
        Each state and each event has its place, and a clone comes back from each state.
        """
        self.assertEqual({state for state, _ in PERMITS}, set(PermitState))
        self.assertEqual({event for _, event in PERMITS}, set(PermitEvent))
        self.assertEqual(set(PERMITS.values()), set(PermitState))
        self.assertEqual(set(PermitState) - TAKES_PERMITS, {PermitState.LATE})

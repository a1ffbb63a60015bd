"""
Tests for L{txlb.application._upgrading}, and for what it uses of the balancer and of the daemon.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

from tests.application.balancers import ServiceCase
from tests.proxy.fakes import logOf
from txlb.application import Daemon, Upgrading
from txlb.errors import TxlbError
from txlb.upgrade import UpgradeCheck


class FakeDoor:
    """
    A service with a listener of its own.
    """

    def __init__(self, address: str = "127.0.0.1:1", sessions: int = 0) -> None:
        self.address = address
        self.sessions = sessions
        self.gone = False
        self.sock = socket.socket()

    def listening(self) -> tuple[str, Sequence[socket.socket]]:
        return self.address, [self.sock] if self.address else ()

    def letGo(self) -> None:
        """
        Listen no more.
        """
        self.gone = True


class UpgradingTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.balancer()
        self.doors = [FakeDoor(sessions=2), FakeDoor("127.0.0.1:2"), FakeDoor("")]
        for door in self.doors:
            self.addCleanup(door.sock.close)
        self.upgrading = Upgrading(self.lbs, self.doors, reactor=self.reactor)

    def start(self) -> None:
        """
        Start the balancer, and the part for upgrades.
        """
        self.lbs.privilegedStartService()
        self.lbs.startService()
        self.upgrading.startService()
        self.addCleanup(self.upgrading.stopService)

    def test_notStarted(self) -> None:
        failure = self.failureResultOf(self.upgrading.upgrade())
        self.assertIn("does not serve", failure.getErrorMessage())
        self.assertRaises(TxlbError, self.upgrading.check)

    def test_embedded(self) -> None:
        """
        A balancer under a reactor of its own can't be upgraded, and says so.
        """
        failure = self.failureResultOf(self.lbs.upgrade())
        self.assertIn("under a reactor that is not the process's own", failure.getErrorMessage())
        self.assertRaises(TxlbError, self.lbs.checkUpgrade)

    def test_check(self) -> None:
        """
        Listeners move, and sessions stay.
        """
        self.start()
        [address] = [address for address, _ in self.lbs.listening()]
        self.assertEqual(
            self.upgrading.check(),
            UpgradeCheck([address, "127.0.0.1:1", "127.0.0.1:2"], 0, {"ssh sessions": 2}),
        )

    def test_handedOver(self) -> None:
        """
        Listeners that the successor uses are closed without a word, the others as at a stop.
        """
        self.start()
        [(address, [sock])] = self.lbs.listening()
        copy = sock.dup()
        self.addCleanup(copy.close)
        self.upgrading.handedOver(4711, {address, "127.0.0.1:1"})
        self.assertEqual([door.gone for door in self.doors], [True, False, True])
        self.assertEqual(self.lbs.listening(), [])
        # The socket itself still listens.
        with socket.create_connection(copy.getsockname(), timeout=60):
            pass

    def test_sessionsEnd(self) -> None:
        """
        The process leaves when sessions have ended, or after the grace time.
        """
        left: list[str] = []

        class Leaver:
            def leave(self) -> None:
                left.append("left")

            takenOver = predecessorGone = leave

        self.start()
        self.upgrading.leaver = Leaver()
        self.upgrading.leave()
        self.assertEqual(left, [])
        self.doors[0].sessions = 0
        deadlines = self.upgrading._deadlines
        assert deadlines is not None
        [(_, _, deadline)] = deadlines._heap
        deadline.cancel()
        self.upgrading.leave()
        self.assertEqual(left, ["left"])

    def test_signal(self) -> None:
        """
        SIGUSR2 asks for an upgrade; the log has the reason why there is none.
        """
        before = signal.getsignal(signal.SIGUSR2)
        self.addCleanup(signal.signal, signal.SIGUSR2, before)
        events = logOf(self)
        daemon = Daemon(self.lbs, reactor=self.reactor, upgrading=self.upgrading)
        self.assertIs(self.lbs.upgrader, self.upgrading)
        daemon._upgrade()
        texts = [str(event.get("log_format")) for event in events]
        self.assertIn("SIGUSR2: another process is to take over", texts)
        self.assertIn("no upgrade: {problem}", texts)

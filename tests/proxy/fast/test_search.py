"""
Tests for the search for a host in the fast relay, L{txlb.proxy.fast._search}.
"""

from __future__ import annotations

import _socket
import os
import socket
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fast.stage import HandTurned, elsewhere
from txlb.pool import DialLimits, FailureKind, GaveUpReason
from txlb.proxy import Timeouts


class ConnectingTests(SynchronousTestCase):
    """
    The search for a host, where the system has its moods.
    """

    def setUp(self) -> None:
        """
        A stage with one host.
        """
        self.stage = HandTurned(Timeouts(), DialLimits(retries=1))
        self.addCleanup(self.stage.close)
        self.stage.addHost()

    def test_noDescriptors(self) -> None:
        """
        Where we have no socket to connect with, no other host is tried, and
        this one is not marked.
        """
        _, fd = self.stage.client()
        original = _socket.socket

        def noSocket(*args: object, **words: object) -> object:
            if "fileno" in words or len(args) == 4:
                return original(*args, **words)  # type: ignore[arg-type]  # as it was called
            raise OSError(24, "Too many open files")

        with mock.patch("txlb.proxy.fast._connection._socket.socket", noSocket):
            self.stage.begin(fd)
        gaveUp = self.stage.results[0].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertEqual(gaveUp.reason, GaveUpReason.LOCAL)
        self.assertEqual(gaveUp.failure.kind, FailureKind.LOCAL)
        self.assertEqual(self.stage.pool.getHost("host").stateWord, "unchecked")

    def test_busy(self) -> None:
        """
        A UNIX socket whose backlog is full is passed over without a mark.
        """
        path = self.mktemp()[-60:].replace("/", "-")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            self.addCleanup(os.unlink, path)
            listener.listen(0)
            waiting = []
            for _ in range(3):
                one = socket.socket(socket.AF_UNIX)
                self.addCleanup(one.close)
                one.setblocking(False)
                waiting.append(one.connect_ex(path))
            self.assertNotEqual(waiting[-1], 0)
            self.stage.pool.setWeight("host", 0)
            self.stage.addHost("busy", (f"unix:{path}", 0))
            _, fd = self.stage.client()
            self.stage.begin(fd)
        gaveUp = self.stage.results[0].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertEqual(gaveUp.failure.kind, FailureKind.BUSY)
        self.assertEqual(self.stage.pool.getHost("busy").stateWord, "unchecked")

    def test_connectedToItself(self) -> None:
        """
        A socket that is connected to itself has reached nobody.
        """
        _, fd = self.stage.client()
        with mock.patch("txlb.proxy.fast._search.isSelfConnected", return_value=True):
            self.stage.begin(fd)
            self.stage.turn(3)
        gaveUp = self.stage.results[0].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertIn("itself", str(gaveUp.failure))

    def test_breaksWhileConnecting(self) -> None:
        """
        An exception before there is a host ends the connection as well.
        """
        broken = mock.patch(
            "txlb.proxy.fast._search.isSelfConnected", side_effect=ValueError("broken")
        )
        _, fd = self.stage.client()
        with broken, elsewhere():
            self.stage.begin(fd)
            self.stage.turn(3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.stage.results), 1)
        self.assertEqual(self.stage.pool.active, 0)

    def test_breaksAtOnce(self) -> None:
        """
        So does one before the loop has heard of it, and who began it is told.
        """
        broken = mock.patch(
            "txlb.proxy.fast._search.isSelfConnected", side_effect=ValueError("broken")
        )
        _, fd = self.stage.client()
        with broken:
            self.assertRaises(ValueError, self.stage.begin, fd)
        self.stage.turn(3)
        self.assertEqual(len(self.stage.results), 1)
        self.assertEqual((self.stage.pool.active, self.stage.relay.connectionCount()), (0, 0))

    def test_poolRaises(self) -> None:
        """
        A fault of the pool, when the next host is wanted, ends the connection, and nothing
        is held: after an event of the host, and after its time is over. The pool itself
        guards against policies.
        """
        self.stage.addHost("other")
        pool = self.stage.pool
        for late in (False, True):
            _, fd = self.stage.client()
            with elsewhere():
                self.stage.begin(fd)
            raising = mock.patch.object(pool, "claim", side_effect=ValueError("broken"))
            refused = mock.patch("txlb.proxy.fast._search.isSelfConnected", return_value=True)
            with raising, refused:
                if late:
                    self.stage.reactor.advance(self.stage.limits.connectTimeout + 1)
                self.stage.turn(3)
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
            result = self.stage.results.pop()
            self.assertEqual((result.lease, pool.active), (None, 0))
            self.assertEqual((self.stage.relay.connectionCount(), self.stage.ownSockets()), (0, 0))

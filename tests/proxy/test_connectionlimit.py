"""
Tests for L{txlb.proxy._connectionlimit}.
"""

from __future__ import annotations

import os
import resource

from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import logOf
from txlb.proxy import ConnectionLimit
from txlb.proxy import _connectionlimit as limits


class DescriptorTests(SynchronousTestCase):
    def limit(self, soft: int, hard: int, error: Exception | None = None) -> list[tuple[int, int]]:
        """
        Pretend that the system has these limits.

        @return: what has been set, as it is set.
        """
        calls: list[tuple[int, int]] = []

        def setrlimit(which: int, to: tuple[int, int]) -> None:
            self.assertEqual(which, resource.RLIMIT_NOFILE)
            if error is not None:
                raise error
            calls.append(to)

        self.patch(resource, "getrlimit", lambda _: (soft, hard))
        self.patch(resource, "setrlimit", setrlimit)
        return calls

    def test_raised(self) -> None:
        """
        The limit is raised as far as this process may raise it.
        """
        calls = self.limit(1024, 4096)
        self.assertEqual(limits.raiseDescriptorLimit(), 4096)
        self.assertEqual(calls, [(4096, 4096)])

    def test_highestAlready(self) -> None:
        """
        Where nothing is to be raised nothing is set.
        """
        calls = self.limit(128, 128)
        self.assertEqual(limits.raiseDescriptorLimit(), 128)
        self.assertEqual(calls, [])

    def test_notPermitted(self) -> None:
        """
        Where the system does not let us the old limit stands, and is what counts.
        """
        for error in (OSError("no"), ValueError("no")):
            self.limit(256, 4096, error)
            self.assertEqual(limits.raiseDescriptorLimit(), 256)

    def test_infinity(self) -> None:
        """
        Infinity is a number too, so that one can calculate with it.
        """
        self.limit(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        self.assertEqual(limits.raiseDescriptorLimit(), limits.MANY)

    def test_counted(self) -> None:
        """
        Descriptors that are opened are seen.
        """
        before = limits.openDescriptors()
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(7)]
        for fd in opened:
            self.addCleanup(os.close, fd)
        self.assertEqual(limits.openDescriptors(), before + 7)

    def test_notCounted(self) -> None:
        """
        Where the system does not tell how many are open, a guess does.
        """

        def listdir(path: str) -> list[str]:
            raise FileNotFoundError(path)

        self.patch(os, "listdir", listdir)
        self.assertEqual(limits.openDescriptors(), limits.RESERVE)

    def test_fit(self) -> None:
        """
        A connection takes two descriptors, some are kept for everything else,
        and the log says what that comes to.
        """
        self.limit(1000, 1000)
        self.patch(limits, "openDescriptors", lambda: 100)
        log = logOf(self)
        connectionLimit = ConnectionLimit()
        connectionLimit.fitThisProcess()
        self.assertEqual(connectionLimit.capacity, (1000 - 100 - limits.RESERVE) // 2)
        [event] = [event for event in log if event.get("limit") == 1000]
        self.assertEqual(event["capacity"], connectionLimit.capacity)

    def test_select(self) -> None:
        """
        A reactor that can't watch as many as the system has is the limit.
        """
        self.limit(100_000, 100_000)
        self.patch(limits, "openDescriptors", lambda: 100)
        connectionLimit = ConnectionLimit()
        connectionLimit.fitThisProcess(SelectReactor.__new__(SelectReactor))
        self.assertLess(connectionLimit.capacity, 1024 // 2)
        connectionLimit.fitThisProcess(object())
        self.assertGreater(connectionLimit.capacity, 40_000)

    def test_whileThereAreSome(self) -> None:
        """
        What connections have already is not taken from them.
        """
        self.limit(1000, 1000)
        self.patch(limits, "openDescriptors", lambda: 100)
        connectionLimit = ConnectionLimit()
        connectionLimit.active = 20
        self.assertEqual(connectionLimit.fitThisProcess(), 0)
        self.assertEqual(connectionLimit.capacity, (1000 - 100 - limits.RESERVE) // 2 + 20)

    def test_atLeastOne(self) -> None:
        """
        Even where there are hardly any, one connection is let in.
        """
        self.limit(10, 10)
        connectionLimit = ConnectionLimit()
        connectionLimit.fitThisProcess()
        self.assertEqual(connectionLimit.capacity, 1)


class ConnectionLimitTests(SynchronousTestCase):
    def test_emptyNow(self) -> None:
        """
        Where there is no connection there is nothing to wait for.
        """
        self.assertIsNone(self.successResultOf(ConnectionLimit().whenEmpty()))

    def test_emptyLater(self) -> None:
        """
        All who wait are told when the last connection has ended, and not before.
        """
        connectionLimit = ConnectionLimit()
        connectionLimit.active = 2
        waiting = [connectionLimit.whenEmpty(), connectionLimit.whenEmpty()]
        connectionLimit.remove()
        for deferred in waiting:
            self.assertNoResult(deferred)
        connectionLimit.remove()
        for deferred in waiting:
            self.assertIsNone(self.successResultOf(deferred))
        connectionLimit.active = 1
        connectionLimit.remove()
        self.assertEqual(connectionLimit.active, 0)

"""
Threads for steps of handshakes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.tls import SlowSteps

#: Seconds that a thread may take.
PATIENCE = 60.0


class FakeReactor:
    """
    A reactor that keeps what threads want to have called.
    """

    def __init__(self) -> None:
        self.wanted: Queue[tuple[Callable[..., object], tuple[Any, ...]]] = Queue()

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None:
        self.wanted.put((function, arguments))


class SlowStepsTests(SynchronousTestCase):
    """
    L{SlowSteps}.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.steps = SlowSteps()
        self.addCleanup(self.steps.close)
        self.results: list[object] = []

    def goOn(self) -> None:
        function, arguments = self.reactor.wanted.get(timeout=PATIENCE)
        function(*arguments)

    def test_run(self) -> None:
        """
        A step is done in another thread, and its result is told by the reactor.
        """
        self.steps.run(self.reactor, threading.get_ident, self.results.append)
        self.assertEqual(self.results, [])
        self.goOn()
        self.assertEqual(len(self.results), 1)
        self.assertNotEqual(self.results, [threading.get_ident()])

    def test_bounded(self) -> None:
        """
        There are two threads; other steps wait.
        """
        go = threading.Event()
        self.addCleanup(go.set)
        seen: set[int] = set()

        def step() -> None:
            seen.add(threading.get_ident())
            go.wait(PATIENCE)

        for _ in range(10):
            self.steps.run(self.reactor, step, self.results.append)
        go.set()
        for _ in range(10):
            self.goOn()
        self.assertEqual(len(self.results), 10)
        self.assertLessEqual(len(seen), 2)

    def test_close(self) -> None:
        """
        What waits is done, and a later step gets a thread again.
        """
        go = threading.Event()
        self.addCleanup(go.set)
        for _ in range(5):
            self.steps.run(self.reactor, lambda: go.wait(PATIENCE), self.results.append)
        self.steps.close()
        self.steps.close()
        self.steps.run(self.reactor, lambda: "again", self.results.append)
        self.goOn()
        self.assertEqual(self.results, ["again"])
        go.set()
        for _ in range(5):
            self.goOn()
        self.assertEqual(self.results, ["again", *[True] * 5])

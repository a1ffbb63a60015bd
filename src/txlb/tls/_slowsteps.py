"""
Threads for the steps of handshakes that take long.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

#: Threads for all handshakes of a balancer. OpenSSL's calls let other threads run meanwhile.
THREADS = 2


class SlowSteps:
    """
    The threads for steps of handshakes with keys that take more than a millisecond a signature,
    as those of RSA with 4096 bits do. A handshake has one step there at most, so that the steps
    that wait are no more than the handshakes under way. Owned by the L{txlb.tls.TLSStore}.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    def run(self, reactor: Any, step: Callable[[], Result], done: Callable[[Result], None]) -> None:
        """
        Do a step in a thread.

        @param step: does it, and returns its result. It must not raise.
        @param done: is called with the result in the reactor's thread.
        """
        if self._executor is None:
            self._executor = ThreadPoolExecutor(THREADS, "txlb-tls")
        self._executor.submit(lambda: reactor.callFromThread(done, step()))

    def close(self) -> None:
        """
        End the threads once they have done what waits. The next step makes others.
        """
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)

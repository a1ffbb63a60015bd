"""
SIGUSR1, by which administrators and rotators have log files opened anew.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from txlb._begin import earlySignals


class UserSignal:
    """
    Calls something in the reactor's thread when SIGUSR1 comes, beside what was called
    before.

    @param call: what is called.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._reactor: Any = None
        self._before: Any = None

    @property
    def cameEarly(self) -> bool:
        """
        Whether the signal came before anything answered it.
        """
        return signal.SIGUSR1 in earlySignals.came

    def start(self, reactor: Any) -> None:
        """
        Answer the signal from now on.
        """
        self._reactor = reactor
        self._before = signal.signal(signal.SIGUSR1, self._handle)

    def stop(self) -> None:
        """
        Answer it no more. Its handler is as it was before, unless something else has
        replaced it meanwhile and still calls this one.
        """
        self._reactor = None
        if signal.getsignal(signal.SIGUSR1) == self._handle:
            signal.signal(signal.SIGUSR1, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._reactor is not None:
            self._reactor.callFromThread(self._call)
        if callable(self._before):
            self._before(number, frame)

"""
SIGUSR1, which asks for opening log files anew.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from txlb._begin import earlySignals


class UserSignal:
    """
    A caller of a function in the reactor's thread when SIGUSR1 comes, besides the
    previous handler.

    @param call: the function to call.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._reactor: Any = None
        self._before: Any = None

    @property
    def cameEarly(self) -> bool:
        """
        Whether the signal came before this handler was installed.
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
        Stop answering the signal, and restore its previous handler, unless another
        handler has replaced this one meanwhile and still calls it.
        """
        self._reactor = None
        if signal.getsignal(signal.SIGUSR1) == self._handle:
            signal.signal(signal.SIGUSR1, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._reactor is not None:
            self._reactor.callFromThread(self._call)
        if callable(self._before):
            self._before(number, frame)

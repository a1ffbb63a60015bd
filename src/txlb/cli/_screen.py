"""
The terminal as a screen: what it was before comes back afterwards.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Iterable
from types import FrameType
from typing import Any, Self

#: The other screen, no cursor, no line breaks of the terminal's own.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"

#: These end it, and still everything is put back.
_ENDING = (signal.SIGTERM, signal.SIGHUP)

_KEYS = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1bOA": "up", b"\x1bOB": "down"}
_KEYS |= {b"\x1b[5~": "page up", b"\x1b[6~": "page down", b"k": "up", b"j": "down"}
_KEYS |= {b"q": "quit", b"Q": "quit", b" ": "hold", b"\x04": "quit"}


class Screen:
    """
    The terminal while C{txlb top} uses it. Use it as a context manager.
    """

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._input)
        for number in _ENDING:
            self._handlers[number] = signal.signal(number, _end)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._suspend)
        self._take()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._giveBack()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _take(self) -> None:
        tty.setcbreak(self._input)
        _write(_ENTER)

    def _giveBack(self) -> None:
        _write(_LEAVE)
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        self._giveBack()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()

    def show(self, lines: Iterable[str]) -> None:
        """
        Show lines, from the top.
        """
        _write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")

    def key(self, wait: float) -> str:
        """
        Wait for the next key.

        @param wait: seconds to wait for one.
        @return: its name; C{""} for none, or for one without a use.
        """
        ready, _, _ = select.select([self._input], [], [], max(wait, 0.0))
        if not ready:
            return ""
        data = os.read(self._input, 64)
        return _KEYS.get(data, "") if data else "quit"

    @staticmethod
    def size() -> tuple[int, int]:
        """
        @return: the width and the height in characters.
        """
        columns, lines = shutil.get_terminal_size((80, 24))
        return columns, lines


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)

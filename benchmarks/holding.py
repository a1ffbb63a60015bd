"""
txlb as C{twistd -n txlb} runs it, but watched: how much CPU the reactor's thread
uses in each turn, and the garbage collector in each of its collections.

A turn goes from one time that the reactor looks for something to do to the next. With
the fast relay, whose loop waits in the reactor's place, that is each time that the
loop looks for events: those of the reactor are among them, and have their way at the
end of that turn.

C{python -m benchmarks.holding FILE CONFIG}. SIGRTMIN begins, and the signal after it
ends and writes what was seen to the file, as JSON. It can be begun again.
"""

from __future__ import annotations

import functools
import gc
import json
import signal
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.scripts import twistd

from benchmarks.figures import percentile
from benchmarks.signals import BEGIN, END
from txlb.proxy.fast import Loop

#: The ways into the fast relay's loop.
ENTRIES = ("turn", "catchUp")

#: Turns, and calls, that are kept at most.
MANY = 4_000_000


class Watch:
    """
    Measures turns of the reactor, and the calls into the fast relay's loop.

    @param path: the file that is written at the end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turns = array("d")
        self._calls = array("d")
        self._collections = array("d")
        self._collecting = 0.0
        self._began: float | None = None
        self._inside = False
        self._on = False
        self._looping = False

    def install(self) -> None:
        """
        Be called in each turn.
        """
        loop: Any = reactor
        runUntilCurrent = loop.runUntilCurrent

        def beginTurn() -> None:
            if not self._looping:
                self.turn()
            runUntilCurrent()

        loop.runUntilCurrent = beginTurn
        for name in ENTRIES:
            setattr(Loop, name, self._around(getattr(Loop, name)))
        signal.signal(BEGIN, self._begins)
        signal.signal(END, self._ends)
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        elif self._on and len(self._collections) < MANY:
            self._collections.append(time.thread_time() - self._collecting)

    def _around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def measured(*arguments: Any) -> Any:
            if self._inside or not self._on:
                return method(*arguments)
            if method.__name__ == "turn":
                self._looping = True
                self.turn()
            self._inside = True
            began = time.thread_time()
            try:
                return method(*arguments)
            finally:
                if len(self._calls) < MANY:
                    self._calls.append(time.thread_time() - began)
                self._inside = False

        return measured

    def turn(self) -> None:
        """
        Begin a turn, and so end the one before.
        """
        if self._on:
            now = time.thread_time()
            if self._began is not None and len(self._turns) < MANY:
                self._turns.append(now - self._began)
            self._began = now

    def _begins(self, number: int, frame: object) -> None:
        del self._turns[:], self._calls[:], self._collections[:]
        self._began = None
        self._on = True

    def _ends(self, number: int, frame: object) -> None:
        self._on = False
        seen = {
            "turns": _describe(self._turns),
            "calls": _describe(self._calls),
            "collections": _describe(self._collections),
        }
        written = self._path.with_suffix(".part")
        written.write_text(json.dumps(seen), encoding="ascii")
        written.rename(self._path)


def _describe(samples: array[float]) -> dict[str, float]:
    if not samples:
        return {"count": 0}
    return {
        "count": len(samples),
        "median": percentile(samples, 0.5),
        "late": percentile(samples, 0.99),
        "most": max(samples),
    }


def main(path: str, config: str) -> None:
    """
    Run twistd with this configuration.
    """
    Watch(Path(path)).install()
    sys.argv = ["twistd", "--pidfile=", "-n", "txlb", "-c", config]
    twistd.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

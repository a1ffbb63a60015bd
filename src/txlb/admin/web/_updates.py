"""
Updates of the overview: what has changed since the one before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from txlb.admin.web._overview import Key, epochOf, overviewParts
from txlb.admin.web._reply import encoded

#: Parts of the overview that are made at a time: together they take about half a millisecond.
AT_ONCE = 50

#: Seconds by which the system's clock may be set or drift before times are told anew.
DRIFT = 0.5

#: Hosts in one piece of an update.
IN_PIECE = 100


class Updates:
    """
    Makes an update, in steps: it is a L{txlb.admin._work.Job}. Owned by the
    L{txlb.admin.web._streams.Streams}. The hosts of the last update are kept to be compared:
    about a kilobyte for each.

    @param manager: the balancer's.
    @param made: is called with the pieces of each update. All streams share them.
    """

    source = "updates"
    stage = 0

    def __init__(self, manager: Any, made: Callable[[list[bytes]], None]) -> None:
        self.cost = 0.0
        self._manager = manager
        self._made = made
        self._known: dict[Key, list[object]] = {}
        # The same for all updates: a time that is rounded anew may differ by a second, and then
        # all hosts have changed.
        self._epoch = 0.0
        self._parts: Iterator[tuple[str, Any, Any]] | None = None
        self._begin()

    def _begin(self) -> None:
        self._services: list[dict[str, object]] = []
        self._groups: list[dict[str, object]] = []
        # The hosts that have changed, and those before them as they are sent.
        self._hosts: list[list[object]] = []
        self._encoded: list[bytes] = []
        self._seen: dict[Key, list[object]] = {}

    @property
    def isUnderWay(self) -> bool:
        """
        Whether an update has been begun.
        """
        return self._parts is not None

    def forget(self) -> None:
        """
        Forget the last update: no stream is there that would need the next one.
        """
        self._parts = None
        self._known = {}
        self._begin()

    def work(self) -> bool:
        """
        Do a step.
        """
        if self._parts is None:
            epoch = epochOf(self._manager)
            if abs(epoch - self._epoch) > DRIFT:
                self._epoch = epoch
            self._parts = overviewParts(self._manager, self._epoch)
        for _ in range(AT_ONCE):
            part = next(self._parts, None)
            if part is None:
                self._finish()
                return False
            self._take(*part)
        return True

    def _take(self, kind: str, key: Any, value: Any) -> None:
        if kind == "host":
            self._seen[key] = value
            if self._known.get(key) != value:
                self._hosts.append([key[0], key[1], *value])
                if len(self._hosts) == IN_PIECE:
                    self._encode()
        elif kind == "group":
            self._groups.append({**_bare(value), "service": key[0]})
        else:
            self._services.append(_bare(value))

    def _encode(self) -> None:
        before = b"," if self._encoded else b""
        self._encoded.append(before + encoded(self._hosts)[1:-1])
        self._hosts = []

    def _finish(self) -> None:
        removed = [list(key) for key in self._known.keys() - self._seen.keys()]
        head = {
            "time": time.time(),
            "services": self._services,
            "groups": self._groups,
            "removed": removed,
        }
        if self._hosts:
            self._encode()
        pieces = [b"event: update\ndata: " + encoded(head)[:-1] + b',"hosts":[']
        pieces += self._encoded
        pieces.append(b"]}\n\n")
        self._known, self._parts = self._seen, None
        self._begin()
        self._made(pieces)


def _bare(row: dict[str, object]) -> dict[str, object]:
    return {name: each for name, each in row.items() if name != "row"}

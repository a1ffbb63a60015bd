"""
An independent check of what was written to etcd.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase

    from tests.cluster.etcds import FakeEtcd

#: A write: its revision, the rest of its key, its value (None for a removal), and the revision at
#: which the key came to be.
Write = tuple[int, str, bytes | None, int]


def faultsOf(writes: Iterable[Write]) -> list[str]:
    """
    Find what must not be in the history of a cluster.

    Each change is written while the leader whose term it has is the leader; the numbers of changes
    have no gap, and none is there twice; the terms of changes only grow, so the writes of two
    leaders are not mixed; a key of the leader is never written over; a leader alone gives signs of
    life, from its election on.

    @param writes: all writes from the first one on, in their order.
    """
    seen = _History()
    for write in writes:
        seen.take(*write)
    return seen.faults


class _History:
    """
    What was written so far, and the faults in it.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._leader = self._elected = self._number = self._term = 0
        self._beat = b""
        self._seen: set[str] = set()

    def take(self, revision: int, key: str, value: bytes | None, created: int) -> None:
        if key == "leader":
            self._takeLeader(revision, value, created)
        elif key == "beat" and value is not None:
            self._takeBeat(revision, value)
        else:
            found = re.fullmatch(r"log/(\d+)", key)
            if found is not None and value is not None:
                self._takeChange(revision, int(found[1]), value)

    def _takeLeader(self, revision: int, value: bytes | None, created: int) -> None:
        if value is None:
            self._leader = 0
        elif self._leader:
            self.faults.append(f"{revision}: a leader beside the leader of term {self._leader}")
        else:
            self._leader, self._elected = created, revision

    def _takeBeat(self, revision: int, value: bytes) -> None:
        if not self._leader:
            self.faults.append(f"{revision}: a beat without a leader")
        elif revision == self._elected:
            self._beat = value
        elif value != self._beat:
            self.faults.append(f"{revision}: a beat of another leader in term {self._leader}")

    def _takeChange(self, revision: int, number: int, value: bytes) -> None:
        entry = json.loads(value)
        term = entry["term"]
        if term != self._leader:
            self.faults.append(f"{revision}: a change of term {term} in term {self._leader}")
        if term < self._term:
            self.faults.append(f"{revision}: a change of term {term} after one of {self._term}")
        if number != self._number + 1:
            self.faults.append(f"{revision}: change {number} after change {self._number}")
        if entry["id"] in self._seen:
            self.faults.append(f"{revision}: a change for a second time")
        self._seen.add(entry["id"])
        self._number, self._term = number, max(self._term, term)


def checkHistory(case: SynchronousTestCase, etcd: FakeEtcd) -> None:
    """
    Check the history of an etcd in memory.
    """
    prefix = "txlb-clusters/prod/"
    writes: list[Write] = []
    for revision, key, each in etcd.history:
        value, created = (None, 0) if each is None else (each.value, each.created)
        writes.append((revision, key.removeprefix(prefix), value, created))
    case.assertEqual(faultsOf(writes), [])

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
    leaders are not mixed; a key of the leader is never written over.

    @param writes: all writes from the first one on, in their order.
    """
    faults: list[str] = []
    leader, number, term = 0, 0, 0
    seen: set[str] = set()
    for revision, key, value, created in writes:
        if key == "leader":
            if value is None:
                leader = 0
            elif leader:
                faults.append(f"{revision}: a leader beside the leader of term {leader}")
            else:
                leader = created
        found = re.fullmatch(r"log/(\d+)", key)
        if found is None or value is None:
            continue
        entry = json.loads(value)
        if entry["term"] != leader:
            faults.append(f"{revision}: a change of term {entry['term']} in term {leader}")
        if entry["term"] < term:
            faults.append(f"{revision}: a change of term {entry['term']} after one of {term}")
        if int(found[1]) != number + 1:
            faults.append(f"{revision}: change {int(found[1])} after change {number}")
        if entry["id"] in seen:
            faults.append(f"{revision}: a change for a second time")
        seen.add(entry["id"])
        number, term = int(found[1]), max(term, entry["term"])
    return faults


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

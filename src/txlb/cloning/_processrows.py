"""
What is known of the processes that a manager of clones has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from txlb.cloning._manager import CloneManager
from txlb.cloning._record import Record, hostName

#: The states of hosts that administrators take out.
_TAKEN_OUT = ("maintenance", "drain")

#: What is known of a process. See L{txlb.interfaces.IClones.processes}.
ProcessRow = Mapping[str, object]


def processRows(manager: CloneManager) -> Iterator[ProcessRow]:
    """
    Yield a row for each process but the manager's own: clones, the one that stands by, and
    those that start.
    """
    for record in manager.clones:
        yield {
            "name": record.name,
            "role": "clone",
            "pid": record.link.pid,
            "slot": record.slot,
            "generation": record.generation,
            "state": _stateOf(manager, record),
            "connections": record.active,
            **_load(record),
        }
    if manager.standby is not None:
        record = manager.standby
        yield {
            "name": "standby",
            "role": "standby",
            "pid": record.link.pid,
            "slot": record.slot,
            "generation": record.generation,
            "state": "waits",
            "connections": 0,
            **_load(record),
        }
    for slot, start in sorted(manager.starts.starting.items()):
        heir = "manager" if manager.starts.wantsHeir else "standby"
        yield {
            "name": hostName(slot) if slot >= 0 else heir,
            "role": "clone" if slot >= 0 else heir,
            "pid": start.pid,
            "slot": slot,
            "generation": manager.generation,
            "state": "starts",
            "connections": 0,
            "lag": None,
            "memory": None,
        }


def _load(record: Record) -> ProcessRow:
    known = record.memory > 0
    return {
        "lag": record.lag if known else None,
        "memory": record.memory * 1024 if known else None,
    }


def _stateOf(manager: CloneManager, record: Record) -> str:
    if record.draining or manager.quitting:
        return "ends"
    if any(each.late for each in record.accounts):
        return "hangs"
    states = manager.hostStates(record.name)
    # A clone that is taken out on all listeners.
    return next((each for each in _TAKEN_OUT if states == {each}), "serves")

"""
The states of a clone's permits on one listening socket. The documentation draws its picture
of a grant from the table here.
"""

from __future__ import annotations

from enum import Enum

from txlb._tablestate import TableState


class PermitState(Enum):
    """
    A state of a clone's permits. Its value is its word in the documentation.

      - C{IDLE}: the clone has used all that it was granted.
      - C{GRANTED}: it may accept connections that it has not accepted yet.
      - C{LATE}: its permits are void. It gets no others until it has caught up.
    """

    IDLE = "idle"
    GRANTED = "granted"
    LATE = "late"


class PermitEvent(Enum):
    """
    An event of a clone's permits.

      - C{SENT}: the manager sends a permit.
      - C{USED}: the clone reports that it has used the last one.
      - C{VOID}: the permits are void, as none was used for a while.
      - C{UNREAD}: the clone reads no messages, so a permit can't be sent.
      - C{GOES_ON}: the clone reports that it has none to use, or answers.
    """

    SENT = "permit sent"
    USED = "last one used"
    VOID = "void"
    UNREAD = "not read"
    GOES_ON = "goes on"


PERMITS = {
    (PermitState.IDLE, PermitEvent.SENT): PermitState.GRANTED,
    (PermitState.IDLE, PermitEvent.UNREAD): PermitState.LATE,
    (PermitState.IDLE, PermitEvent.VOID): PermitState.LATE,
    (PermitState.GRANTED, PermitEvent.USED): PermitState.IDLE,
    (PermitState.GRANTED, PermitEvent.VOID): PermitState.LATE,
    (PermitState.GRANTED, PermitEvent.UNREAD): PermitState.LATE,
    (PermitState.LATE, PermitEvent.GOES_ON): PermitState.IDLE,
}


class Permits(TableState[PermitState, PermitEvent]):
    """
    The state of a clone's permits.
    """

    __slots__ = ()
    transitions = PERMITS

    def __init__(self) -> None:
        super().__init__(PermitState.IDLE)


#: The states in which a clone gets permits.
TAKES_PERMITS = frozenset({PermitState.IDLE, PermitState.GRANTED})

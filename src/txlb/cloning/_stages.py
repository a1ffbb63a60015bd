"""
The stages of a process of a cloned application. The documentation draws its picture of a
takeover from the table here.
"""

from __future__ import annotations

from enum import Enum

from txlb._tablestate import TableState
from txlb.cloning._identity import Role


class Stage(Enum):
    """
    A stage of a process. Its value is its word in the documentation.

      - C{STARTING}: it has not found its role yet.
      - C{FREE}: it accepts all that it can, as it has no manager.
      - C{JOINED}: it accepts what the manager grants it.
      - C{STANDBY}: it serves nothing, and waits for the lock.
      - C{BOTH}: a clone that has the lock. It manages until an heir does, and its own
        connections go on.
      - C{MANAGING}: it manages, and serves nothing.
      - C{REPLACED}: another process manages in its place, so it ends.
    """

    STARTING = "starting"
    FREE = "free"
    JOINED = "joined"
    STANDBY = "standby"
    BOTH = "both"
    MANAGING = "managing"
    REPLACED = "replaced"


class StageEvent(Enum):
    """
    An event in the life of a process.

      - C{IS_CLONE}, C{IS_HEIR}: it was started as one, or by hand.
      - C{LOCKED}: it gets the lock of the folder.
      - C{FAILED}: it has the lock, and the folder can't be used.
      - C{TAKEN_IN}: the manager takes it in.
      - C{LOST}: the manager is gone.
      - C{HANDED_OVER}: an heir has the lock, which this process has freed.
    """

    IS_CLONE = "is a clone"
    IS_HEIR = "is an heir"
    LOCKED = "gets the lock"
    FAILED = "can't manage"
    TAKEN_IN = "is taken in"
    LOST = "manager lost"
    HANDED_OVER = "heir manages"


STAGES = {
    (Stage.STARTING, StageEvent.LOCKED): Stage.MANAGING,
    (Stage.STARTING, StageEvent.IS_CLONE): Stage.FREE,
    (Stage.STARTING, StageEvent.IS_HEIR): Stage.STANDBY,
    (Stage.FREE, StageEvent.TAKEN_IN): Stage.JOINED,
    (Stage.FREE, StageEvent.LOCKED): Stage.BOTH,
    (Stage.JOINED, StageEvent.LOST): Stage.FREE,
    (Stage.STANDBY, StageEvent.LOCKED): Stage.MANAGING,
    (Stage.BOTH, StageEvent.HANDED_OVER): Stage.FREE,
    (Stage.BOTH, StageEvent.FAILED): Stage.FREE,
    (Stage.MANAGING, StageEvent.HANDED_OVER): Stage.REPLACED,
    (Stage.MANAGING, StageEvent.FAILED): Stage.STANDBY,
}


class StageState(TableState[Stage, StageEvent]):
    """
    The stage of a process.
    """

    __slots__ = ()
    transitions = STAGES

    def __init__(self) -> None:
        super().__init__(Stage.STARTING)


#: The role of a process in each stage.
ROLES = {
    Stage.STARTING: Role.ALONE,
    Stage.FREE: Role.CLONE,
    Stage.JOINED: Role.CLONE,
    Stage.STANDBY: Role.STANDBY,
    Stage.BOTH: Role.MANAGER,
    Stage.MANAGING: Role.MANAGER,
    Stage.REPLACED: Role.ALONE,
}

#: The stages in which a process serves clients.
SERVING = frozenset({Stage.FREE, Stage.JOINED, Stage.BOTH})

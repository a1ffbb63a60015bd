"""
Which process of a cloned application this one is.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

#: The environment variable by which the manager tells a process that it starts what it is.
ENVIRONMENT = "TXLB_CLONE"


class Role(Enum):
    """
    What a process does in a cloned application. The value is the word for it in logs.

      - C{ALONE}: nothing is cloned here, or the process has not found its role yet.
      - C{MANAGER}: it starts the clones and grants them connections.
      - C{CLONE}: it serves clients.
      - C{STANDBY}: it waits, ready to be the manager.
    """

    ALONE = "alone"
    MANAGER = "manager"
    CLONE = "clone"
    STANDBY = "standby"


@dataclass
class Identity:
    """
    Which process this one is. The L{CloneGroup}s of the process keep it up to date.

    @ivar role: what it does now; a clone whose manager died is the manager for a while.
    @ivar slot: its place among the clones, 0 or more; -1 for a manager.
    @ivar generation: the release of the application that it runs, counted from 0 by the
        rolling restarts.
    """

    role: Role = Role.ALONE
    slot: int = -1
    generation: int = 0

    @property
    def name(self) -> str:
        """
        A name for logs and metrics, such as C{clone3}.
        """
        return f"clone{self.slot}" if self.slot >= 0 else self.role.value


@dataclass(frozen=True)
class Told:
    """
    What a process of a balancer's clones is told beside its place, so that it can manage for
    a while if the balancer dies.

    @ivar command: starts the balancer; empty if another process does, or the application
        is its own manager.
    @ivar settings: how connections come to the clones, as arguments of
        L{txlb.cloning.CloningService}; empty for as the application says.
    """

    command: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


#: For applications that manage themselves.
NOTHING_TOLD = Told()


@dataclass(frozen=True)
class Birth:
    """
    What the manager tells a process that it starts.

    @ivar folder: the folder of the application.
    @ivar slot: the place of the clone; -1 for an heir.
    @ivar generation: the release of the application that it runs.
    @ivar heir: whether it is to become the manager.
    @ivar listeners: the descriptors of the listening sockets by their names.
    @ivar errors: the descriptor of its standard error, once it has started; until then it
        writes to a file that the manager reads. -1 if it has its standard error already.
    @ivar told: more that it is told.
    @ivar start: the descriptor of the file that says that its start is under way, see
        L{txlb.cloning._startfiles.StartFiles}; -1 if there is none.
    """

    folder: str
    slot: int
    generation: int
    heir: bool
    listeners: dict[str, int]
    errors: int = -1
    told: Told = NOTHING_TOLD
    start: int = -1

    def write(self) -> str:
        """
        Make the value of the environment variable.
        """
        return json.dumps(asdict(self))

    @classmethod
    def look(cls, environment: MutableMapping[str, str] = os.environ) -> Birth | None:
        """
        Read the environment variable, and leave it.

        @return: L{None} if no manager has started this process.
        """
        return cls.take(dict(environment))

    @classmethod
    def take(cls, environment: MutableMapping[str, str] = os.environ) -> Birth | None:
        """
        Read the environment variable and remove it, so that programs that the
        application starts don't inherit it.

        @return: L{None} if no manager has started this process.
        """
        value = environment.pop(ENVIRONMENT, None)
        if value is None:
            return None
        found = json.loads(value)
        return cls(**{**found, "told": Told(**found["told"])})


_identity = Identity()


def whoAmI() -> Identity:
    """
    Tell which process of a cloned application this one is, for logs and metrics.
    """
    return _identity

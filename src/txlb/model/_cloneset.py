"""
Clones, as configured: processes of one Twisted application that serve as hosts of a group.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from txlb.errors import ModelError
from txlb.model._checks import shown
from txlb.model.kinds import DAY, Path, Seconds, Whole, WholeOr, Word
from txlb.model.settings import checkSettings, setting, settingField

#: The origin of hosts that are clones. Their manager adds and removes them.
CLONES = "clones"

#: Clones of one group, at most.
MOST_CLONES = 256


@dataclass(frozen=True, slots=True)
class CloneSet:
    """
    Processes of one Twisted application, which serve the connections of a group. Its settings
    are described where they are declared, and in the reference of the configuration file.

    @ivar tac: the application's file; a relative path begins at the folder of the
        configuration file, or at the working directory if there is none.
    @ivar processes: how many there are; C{"auto"} for one for each CPU.
    @ivar maxConnections: L{None} for no limit.
    """

    tac: str = field(
        metadata=setting(
            Path(),
            "The Twisted application that they run, as ``twistd -y`` takes it. What it listens "
            "on is not listened on: it gets the connections of the service.",
        )
    )
    processes: int | str = settingField(
        "auto",
        WholeOr(1, MOST_CLONES, "auto", "one for each CPU that the balancer may use"),
        "How many processes there are.",
        defaultDoc="``auto``",
    )
    _: KW_ONLY
    maxConnections: int | None = settingField(
        None,
        Whole(1, 10**9),
        "How many connections each of them takes at once. Clients wait in the accept queue.",
        defaultDoc="no limit",
    )
    graceTime: float = settingField(
        30.0,
        Seconds(0, DAY),
        "How long a process that ends gives its connections.",
    )
    sharing: str = settingField(
        "grants",
        Word(("grants", "queue")),
        "How they share the connections: ``grants``, the balancer chooses one for each connection; "
        "``queue``, the quickest one accepts, and the scheduler, weights and hosts beside them "
        "have no effect.",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "the clones")


def checkCloneSet(value: object, what: str) -> None:
    """
    Check that a value is a L{CloneSet} or L{None}.

    @param what: its owner, for the message.
    @raise ModelError: it is neither.
    """
    if value is not None and not isinstance(value, CloneSet):
        raise ModelError(f"clones of {what} is {shown(value)}, not a CloneSet or None")

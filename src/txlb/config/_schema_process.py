"""
The elements of the process as a whole: what it does by itself, its sockets and
its log.
"""

from __future__ import annotations

from txlb.config import _kinds as kinds
from txlb.config import _things as things
from txlb.config._attributes import DAY, WEEK, of
from txlb.config._elements import Attribute, Child, Element, Since
from txlb.config._settings import (
    ConfigCheckSettings,
    LoggingSettings,
    ManagerSettings,
    TimerSettings,
)


def _timer(
    tag: str, doc: str, interval: float, pending: str = "", more: tuple[Attribute, ...] = ()
) -> Element:
    return Element(
        tag,
        doc,
        (
            Attribute(
                "interval",
                kinds.Seconds(0.01, WEEK),
                "Seconds from one time to the next.",
                interval,
                since=Since.OLD,
            ),
            of(TimerSettings, "enable", kinds.Boolean(), "Whether it is done.", Since.OLD),
            *more,
        ),
        pending=pending,
    )


HOST_CHECK = _timer(
    "hostCheck",
    "Trying hosts that are down, by connecting to them; those that have a ``<check>``, or whose "
    "group has one, are checked as that says. While a host is about to come back it is tried every "
    "2 seconds.",
    120.0,
)
CONFIG_CHECK = _timer(
    "configCheck",
    "Saving what was changed live to this file, and following it when others change it.",
    30.0,
    more=(
        of(
            ConfigCheckSettings,
            "backups",
            kinds.Whole(0, 1000, "files", "none"),
            "How many old files are kept when one is saved: beside it, with the time behind "
            "their names. Whoever saves, this counts.",
        ),
        of(
            ConfigCheckSettings,
            "reload",
            kinds.Boolean(),
            "Whether the file is loaded again when somebody has changed it, some seconds later.",
        ),
    ),
)
HEARTBEAT = _timer(
    "heartbeat",
    "Checking all hosts, by connecting to them; those that have a ``<check>``, or whose group has "
    "one, are checked as that says. While a host is about to change it is checked every 2 seconds. "
    "Beside it ``<hostCheck>`` has no effect.",
    60.0,
)

MANAGER = Element(
    "manager",
    "What the balancer does by itself.",
    (
        of(
            ManagerSettings,
            "graceTime",
            kinds.Seconds(0.0, DAY),
            "Seconds that open connections have to finish when the balancer stops; then they "
            "are reset.",
        ),
        of(
            ManagerSettings,
            "maxChecks",
            kinds.Whole(1, 10_000),
            "How many health checks are under way at once; more wait their turn.",
        ),
        Attribute(
            "hostCheckInterval",
            kinds.Seconds(0.01, WEEK),
            "An old place for the interval of ``<hostCheck>``.",
            since=Since.OLD,
            ignored=True,
        ),
    ),
    (
        Child(HOST_CHECK, 0, 1),
        Child(CONFIG_CHECK, 0, 1),
        Child(HEARTBEAT, 0, 1),
    ),
    always=True,
)

CONTROL = Element(
    "control",
    "The control socket, for the ``txlb`` command and other programs of this machine.",
    (
        Attribute(
            "socket",
            things.Path(),
            "Where it is. Nobody else may be able to write to its folder, which is made, with mode "
            "0700, where it is missing.",
            defaultDoc="no socket",
            since=Since.OLD,
            unset=("None",),
        ),
    ),
)

LOGGING = Element(
    "logging",
    "The log file. Without this element the log goes where twistd sends it.",
    (
        of(
            LoggingSettings,
            "file",
            things.Path(),
            "The file; or a device, a named pipe, or ``/dev/stdout``, which are not rotated.",
            Since.OLD,
        ),
        of(
            LoggingSettings,
            "connections",
            kinds.Boolean(),
            "Whether each finished connection gets a line.",
        ),
        of(LoggingSettings, "format", kinds.Word(("text", "json")), "How lines are written."),
        of(
            LoggingSettings,
            "rotateLength",
            kinds.Whole(1024, 10**12, "bytes", "never"),
            "After how many bytes a new file is begun.",
        ),
        of(
            LoggingSettings,
            "maxRotated",
            kinds.Whole(1, 1000, "files"),
            "How many old files are kept.",
        ),
    ),
)

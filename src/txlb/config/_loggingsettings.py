"""
The settings of the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.model.kinds import Boolean, Path, Whole, Word
from txlb.model.settings import Since, setting, settingField


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """
    The log file.
    """

    file: str = field(
        metadata=setting(
            Path(),
            "The file; or a device, a named pipe, or ``/dev/stdout``, which are not rotated.",
            since=Since.OLD,
        )
    )
    connections: bool = settingField(
        False, Boolean(), "Whether each finished connection gets a line."
    )
    format: str = settingField("text", Word(("text", "json")), "How lines are written.")
    rotateLength: int = settingField(
        10 * 1024 * 1024,
        Whole(1024, 10**12, "bytes", "never"),
        "After how many bytes a new file is begun.",
    )
    maxRotated: int = settingField(5, Whole(1, 1000, "files"), "How many old files are kept.")

"""
The settings of the care for the configuration file.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.config._timersettings import TimerSettings
from txlb.model.kinds import Boolean, Whole
from txlb.model.settings import settingField


@dataclass(frozen=True, slots=True)
class ConfigCheckSettings(TimerSettings):
    """
    What a balancer does with its configuration file by itself: it saves live changes, and
    reads the file again if its settings say so.
    """

    backups: int = settingField(
        10,
        Whole(0, 1000, "files", "none"),
        "How many old files are kept when one is saved: beside it, with the time behind "
        "their names. It counts for ``txlb save``, too.",
    )
    reload: bool = settingField(
        False,
        Boolean(),
        "Whether the file is loaded again some seconds after a person or a program has changed it.",
    )

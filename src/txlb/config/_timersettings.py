"""
The settings of a task that is done again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.model.kinds import WEEK, Boolean, Seconds
from txlb.model.settings import Since, setting, settingField


@dataclass(frozen=True, slots=True)
class TimerSettings:
    """
    Something that is done again and again.
    """

    interval: float = field(
        metadata=setting(Seconds(0.01, WEEK), "Seconds from one time to the next.", since=Since.OLD)
    )
    enable: bool = settingField(False, Boolean(), "Whether it is done.", since=Since.OLD)

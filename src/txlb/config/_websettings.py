"""
The settings of the web pages.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.model import LISTEN_ADDRESS, ListenAddress, TCPAddress
from txlb.model.kinds import DAY, Boolean, Seconds
from txlb.model.settings import Since, settingField

DEFAULT_WEB = TCPAddress("127.0.0.1", 7001)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    The web pages.
    """

    listen: ListenAddress = settingField(
        DEFAULT_WEB, LISTEN_ADDRESS, "Where they listen.", since=Since.OLD, unset=("None",)
    )
    enable: bool = settingField(False, Boolean(), "Whether they are served.", since=Since.OLD)
    secure: bool = settingField(
        False, Boolean(), "Whether they are served over TLS.", since=Since.OLD
    )
    refresh: float = settingField(
        30.0,
        Seconds(1.0, DAY),
        "Seconds between two refreshes of the running page.",
        since=Since.OLD,
        unset=("True", "False"),
    )

"""
The settings of the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.model import LISTEN_ADDRESS, ListenAddress, TCPAddress
from txlb.model.kinds import Boolean
from txlb.model.settings import Since, settingField

#: Where the prompt and the pages listen by default: on loopback.
DEFAULT_SSH = TCPAddress("127.0.0.1", 2222)


@dataclass(frozen=True, slots=True)
class SSHSettings:
    """
    The Python prompt that is reached by ssh.
    """

    listen: ListenAddress = settingField(
        DEFAULT_SSH,
        LISTEN_ADDRESS,
        "Where it listens. A user at the prompt can do all that the balancer can, so keep it "
        "on loopback unless there is a reason.",
        since=Since.OLD,
        unset=("2222", "None"),
    )
    enable: bool = settingField(False, Boolean(), "Whether it listens.", since=Since.OLD)

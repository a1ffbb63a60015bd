"""
The objects that checks are made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from txlb.deadlines import Deadlines
from txlb.health._connectonly import ConnectOnly
from txlb.health._sockets import Sockets


@dataclass(frozen=True, slots=True)
class Tools:
    """
    The objects that checks are made with.

    @ivar reactor: the reactor.
    @ivar deadlines: timeouts on the monotonic clock.
    @ivar sockets: runs the conversations of checks.
    """

    reactor: Any
    deadlines: Deadlines
    sockets: Sockets | ConnectOnly

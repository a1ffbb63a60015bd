"""
The ends of units of work.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """
    The end of a unit of work. Its value is its word in logs and data.
    """

    DONE = "done"
    CLIENT_RESET = "client-reset"
    HOST_RESET = "host-reset"
    IDLE_TIMEOUT = "idle-timeout"
    FIN_TIMEOUT = "fin-timeout"
    STOPPED = "stopped"
    ERROR = "error"
    NOT_CONNECTED = "not-connected"
    CLIENT_GONE = "client-gone"
    HOST_DOWN = "host-down"
    DRAIN_TIMEOUT = "drain-timeout"
    REMOVED = "removed"

"""
The ends of units of work.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """
    The end of a unit of work. Its value is its word in logs and data.

    C{BAD_ANSWER} is for clients that understand the host's protocol: the work was done,
    and the answer says that the host fails, as a status of 500 and more does in HTTP. In
    a group with C{expectAnswer} it counts as a connection without an answer.
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
    BAD_ANSWER = "bad-answer"

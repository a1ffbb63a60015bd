"""
Failures to connect to a host.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FailureKind(Enum):
    """
    The reason of a failed connection to a host. The value is the word for it in logs.

    C{BUSY} is a UNIX socket whose backlog is full: the next host is tried, and the host
    is not marked down. C{PORTS} is a lack of local ports to this one address: likewise.
    C{LOCAL} is a lack of descriptors or memory in this process, which affects every
    host.
    """

    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    PORTS = "ports"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Failure:
    """
    A failure to connect.

    @ivar kind: its meaning for the host and for the search.
    @ivar detail: the system's text.
    """

    kind: FailureKind
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.detail})" if self.detail else self.kind.value

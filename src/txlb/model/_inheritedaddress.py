"""
Addresses of sockets that are open when the process begins.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What stands before the name of sockets that are inherited.
INHERITED = "systemd:"


@dataclass(frozen=True, slots=True)
class InheritedAddress:
    """
    The sockets that listen already when the process begins, as systemd hands
    them over: those of one name.

    @ivar name: C{FileDescriptorName=} of the socket unit, 1 to 255 printable ASCII
        characters without a colon; by default the unit's own name.
    """

    name: str

    @property
    def isLiteral(self) -> bool:
        """
        Always: there is nothing to resolve.
        """
        return True

    def __str__(self) -> str:
        return f"{INHERITED}{self.name}"

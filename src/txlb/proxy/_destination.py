"""
The service and the group of a connection.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """
    The service and the group to which a connection goes, decided after its preface.

    @ivar service: the name of the service; L{None} for the one that has accepted it.
    @ivar group: the name of the group; L{None} for the one that serves now.
    """

    service: str | None = None
    group: str | None = None

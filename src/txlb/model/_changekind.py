"""
The kinds of differences.
"""

from __future__ import annotations

from enum import Enum


class ChangeKind(Enum):
    """
    The kinds of difference. The value is the word for it in data.
    """

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    SWITCHED = "switched"
    CHANGED = "changed"
    REORDERED = "reordered"

"""
Looking up the names of hosts ahead of time, so that no connection waits for a look-up.
"""

from txlb.resolve._names import NameService

__all__ = ["NameService"]

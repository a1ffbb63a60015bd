"""
Names of hosts to addresses, ahead of time: no connection ever waits for a
look-up.
"""

from txlb.resolve._names import NameService

__all__ = ["NameService"]

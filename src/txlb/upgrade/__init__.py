"""
An upgrade: another process of the same command line takes over the listeners, the connections
and the state of this one, which then ends.

A L{Predecessor} starts the process and gives, a L{Successor} takes. Their messages are in
C{txlb.wire}, their stages in C{_stages.py}. Until the successor says that it has everything it
reads, writes and sets nothing, so that the predecessor can go on at any moment before that.
"""

from txlb.upgrade._channel import Channel, ChannelBroken, ChannelClosed
from txlb.upgrade._givingside import GivingSide
from txlb.upgrade._predecessor import (
    FREEZE_LIMIT,
    SESSIONS,
    START_LIMIT,
    Predecessor,
)
from txlb.upgrade._successor import ENVIRONMENT, Successor
from txlb.upgrade._takingside import TakingSide
from txlb.upgrade._transfer import BEGINNING
from txlb.upgrade._upgradecheck import UpgradeCheck
from txlb.upgrade._upgraded import Upgraded

__all__ = [
    "BEGINNING",
    "ENVIRONMENT",
    "FREEZE_LIMIT",
    "SESSIONS",
    "START_LIMIT",
    "Channel",
    "ChannelBroken",
    "ChannelClosed",
    "GivingSide",
    "Predecessor",
    "Successor",
    "TakingSide",
    "UpgradeCheck",
    "Upgraded",
]

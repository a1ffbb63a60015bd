"""
The plugin that makes the scheduler known to txlb. This folder has no C{__init__.py}: it
would hide Twisted's own.
"""

from txlb_mostroom import MostRoom

from txlb.schedulers import SchedulerKind

mostroom = SchedulerKind(
    "mostroom",
    MostRoom,
    summary="the one with room for the most further connections",
    chooseWhen="hosts have limits by their size",
)

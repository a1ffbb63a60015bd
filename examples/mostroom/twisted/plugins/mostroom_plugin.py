"""
Makes the scheduler known to txlb. This folder has no C{__init__.py}: it would
hide Twisted's own.
"""

from txlb_mostroom import MostRoom

from txlb.schedulers import SchedulerKind

mostroom = SchedulerKind(
    "mostroom",
    MostRoom,
    summary="the one that has room for the most connections more",
    chooseWhen="hosts have limits that say how large they are",
)

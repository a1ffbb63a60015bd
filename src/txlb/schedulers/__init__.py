"""
Policies: which of the ready hosts gets the next connection.

Each is an L{txlb.interfaces.IScheduler}. They are plain objects without I/O or
a clock, so that any application can use them; L{txlb.pool.HostPool} keeps one
told of its hosts.

To add a policy, derive from L{Scheduler}, write C{choose}, and make its word
known with L{registerScheduler}.
"""

from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._leastc import LeastConnections
from txlb.schedulers._rand import Random
from txlb.schedulers._registry import (
    ALIASES,
    canonicalWord,
    registerScheduler,
    schedulerFactory,
    schedulerWords,
)
from txlb.schedulers._roundr import RoundRobin
from txlb.schedulers._sticky import Sticky
from txlb.schedulers._weightlc import WeightedLeastConnections
from txlb.schedulers._weightr import WeightedRandom

#: The words, to be written in programs: C{leastc == 'leastc'}.
rand = Random.name
roundr = RoundRobin.name
leastc = LeastConnections.name
weightr = WeightedRandom.name
weightlc = WeightedLeastConnections.name
sticky = Sticky.name

for _policy in (
    Random,
    RoundRobin,
    LeastConnections,
    WeightedRandom,
    WeightedLeastConnections,
    Sticky,
):
    registerScheduler(_policy.name, _policy)
del _policy

__all__ = [
    "ALIASES",
    "Key",
    "LeastConnections",
    "Random",
    "RoundRobin",
    "Scheduler",
    "Sticky",
    "WeightedLeastConnections",
    "WeightedRandom",
    "canonicalWord",
    "leastc",
    "rand",
    "registerScheduler",
    "roundr",
    "schedulerFactory",
    "schedulerWords",
    "sticky",
    "weightlc",
    "weightr",
]

"""
Schedulers: the policies that choose the host of the next connection.

Each is an L{txlb.interfaces.IScheduler}. They are plain objects without I/O or
a clock, so that any application can use them. A L{txlb.pool.HostPool} reports its hosts
and their changes to its scheduler.

To add a policy, derive from L{Scheduler}, write C{choose}, and make its word
known with L{registerScheduler}; a built-in one has a L{SchedulerKind} in its module, which
is listed below.
"""

from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._ewma import EWMA, PeakEwma
from txlb.schedulers._first import FIRST, First
from txlb.schedulers._kind import (
    ALIASES,
    SCHEDULERS,
    SchedulerKind,
    canonicalWord,
    checkHostCount,
    registerScheduler,
    schedulerFactory,
    schedulerKind,
    schedulerKinds,
    schedulerWords,
)
from txlb.schedulers._leastc import LEASTC, LeastConnections
from txlb.schedulers._maglev import MAGLEV, Maglev
from txlb.schedulers._p2c import MAX_CHOICES, P2C, TwoChoices
from txlb.schedulers._rand import RAND, Random
from txlb.schedulers._resource import RESOURCE, ResourceShare
from txlb.schedulers._roundr import ROUNDR, RoundRobin
from txlb.schedulers._sticky import STICKY, Sticky
from txlb.schedulers._weightlc import WEIGHTLC, WeightedLeastConnections
from txlb.schedulers._weightr import WEIGHTR, WeightedRandom

#: The words of the schedulers, for programs: C{leastc == 'leastc'}.
rand = Random.name
roundr = RoundRobin.name
leastc = LeastConnections.name
weightr = WeightedRandom.name
weightlc = WeightedLeastConnections.name
p2c = TwoChoices.name
ewma = PeakEwma.name
sticky = Sticky.name
maglev = Maglev.name
first = First.name
resource = ResourceShare.name

for _kind in (
    RAND,
    ROUNDR,
    LEASTC,
    WEIGHTR,
    WEIGHTLC,
    P2C,
    EWMA,
    STICKY,
    MAGLEV,
    FIRST,
    RESOURCE,
):
    SCHEDULERS.register(_kind)

__all__ = [
    "ALIASES",
    "MAX_CHOICES",
    "SCHEDULERS",
    "First",
    "Key",
    "LeastConnections",
    "Maglev",
    "PeakEwma",
    "Random",
    "ResourceShare",
    "RoundRobin",
    "Scheduler",
    "SchedulerKind",
    "Sticky",
    "TwoChoices",
    "WeightedLeastConnections",
    "WeightedRandom",
    "canonicalWord",
    "checkHostCount",
    "ewma",
    "first",
    "leastc",
    "maglev",
    "p2c",
    "rand",
    "registerScheduler",
    "resource",
    "roundr",
    "schedulerFactory",
    "schedulerKind",
    "schedulerKinds",
    "schedulerWords",
    "sticky",
    "weightlc",
    "weightr",
]

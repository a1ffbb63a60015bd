"""
Policies: which of the ready hosts gets the next connection.

Each is an L{txlb.interfaces.IScheduler}. They are plain objects without I/O or
a clock, so that any application can use them; L{txlb.pool.HostPool} keeps one
told of its hosts.

To add a policy, derive from L{Scheduler}, write C{choose}, and make its word
known with L{registerScheduler}.
"""

from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._ewma import PeakEwma
from txlb.schedulers._first import First
from txlb.schedulers._leastc import LeastConnections
from txlb.schedulers._maglev import MAX_HOSTS, Maglev
from txlb.schedulers._p2c import MAX_CHOICES, TwoChoices
from txlb.schedulers._rand import Random
from txlb.schedulers._registry import (
    ALIASES,
    SchedulerKind,
    canonicalWord,
    checkHostCount,
    findSchedulersBy,
    registerScheduler,
    schedulerFactory,
    schedulerKind,
    schedulerKinds,
    schedulerWords,
)
from txlb.schedulers._resource import ResourceShare
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
p2c = TwoChoices.name
ewma = PeakEwma.name
sticky = Sticky.name
maglev = Maglev.name
first = First.name
resource = ResourceShare.name

registerScheduler(
    rand,
    Random,
    summary="any, with equal chances",
    chooseWhen="hosts and work are all alike, and nothing is to be kept in mind",
)
registerScheduler(
    roundr,
    RoundRobin,
    summary="the next in turn, in proportion to weight, as evenly as it can be done",
    chooseWhen="connections are short and alike, and shares are to be exact",
)
registerScheduler(
    leastc,
    LeastConnections,
    summary="the one with the fewest connections; among equals the one least recently used",
    chooseWhen="connections last for different times, and hosts are alike: a good default",
)
registerScheduler(
    weightr,
    WeightedRandom,
    summary="any, with chances in proportion to weight",
    chooseWhen="shares are to follow weights without balancers acting in step",
)
registerScheduler(
    weightlc,
    WeightedLeastConnections,
    summary="the one with the fewest connections for its weight; among equals in proportion "
    "to weight",
    chooseWhen="connections last for different times, and hosts are of different sizes",
)
registerScheduler(
    p2c,
    TwoChoices,
    summary="the one with fewer connections for its weight, of two drawn at random",
    chooseWhen="several balancers share the hosts, and are not to run to the same one",
    wants=("choices",),
)
registerScheduler(
    ewma,
    PeakEwma,
    summary="the one that connects quicker, of two drawn at random: the average time to connect, "
    "peaks first, times connections for its weight",
    chooseWhen="hosts differ in speed or distance, or slow down for a while, and nobody says so",
    wants=("seconds", "choices", "decay"),
)
registerScheduler(
    sticky,
    Sticky,
    summary="always the same for one client's address, while it is there",
    chooseWhen="hosts keep something for their clients, such as sessions or caches",
    wants=("boundedLoad",),
)
registerScheduler(
    maglev,
    Maglev,
    summary="always the same for one client's address, by a table that is built by and by",
    chooseWhen="as sticky, with shares that are more even, and hosts that seldom change",
    wants=("boundedLoad", "seconds"),
    maxHosts=MAX_HOSTS,
)
registerScheduler(
    first,
    First,
    summary="the first in the order of the configuration that has room",
    chooseWhen="hosts have maxConnections, and those that are not needed are to be idle",
)
registerScheduler(
    resource,
    ResourceShare,
    summary="shares in proportion to weight and to what each host says that it has left",
    chooseWhen="hosts report their load, by agents or probes, and connections say little of it",
)

__all__ = [
    "ALIASES",
    "MAX_CHOICES",
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
    "findSchedulersBy",
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

"""
The base class of schedulers. With it a new policy takes ten lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random as RandomSource
from typing import ClassVar

from zope.interface import implementer

from txlb._facts import Facts
from txlb.errors import StateError
from txlb.interfaces import IExplainedScheduler, IHost

#: The names of service, group and host.
Key = tuple[str, str, str]


@implementer(IExplainedScheduler)
class Scheduler:
    """
    A policy that looks at all of its hosts on each pick. A subclass has a C{name} and
    overrides L{choose}. If that costs too much, it overrides the other methods, as the
    built-in policies do.

    One L{txlb.pool.HostPool} owns a scheduler, and calls it from one thread.

    @cvar name: the word for it in configuration files.
    @cvar scoreMeans: see L{IExplainedScheduler}.
    @cvar predictable: see L{IExplainedScheduler}.
    @cvar heedsConnectTime: whether the pool calls C{hostChanged} if only the
        C{connectTime} of a host changed, which is once a connection.
    @ivar hosts: the held hosts by key, in the order in which they were added.
    """

    name: ClassVar[str] = ""
    scoreMeans: ClassVar[str] = "effective weight"
    predictable: ClassVar[bool] = False
    heedsConnectTime: ClassVar[bool] = True

    def __init__(self, random: RandomSource) -> None:
        self.random = random
        self.hosts: dict[Key, IHost] = {}

    def hostAdded(self, host: IHost) -> None:
        self.hosts[host.key] = host

    def hostRemoved(self, host: IHost) -> None:
        del self.hosts[host.key]

    def hostChanged(self, host: IHost) -> None:
        """
        Do nothing, as L{choose} reads the hosts each time.
        """

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        candidates = self.candidates(excluded)
        return self.choose(candidates, clientAddr) if candidates else None

    def candidates(self, excluded: frozenset[Key]) -> list[IHost]:
        """
        Return the held hosts that are not excluded, in the order in which they were added.
        """
        if not excluded:
            return list(self.hosts.values())
        return [host for key, host in self.hosts.items() if key not in excluded]

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        """
        Choose one of some hosts. Subclasses override this.

        @param hosts: at least one.
        @return: one of them.
        @raise NotImplementedError: the subclass does not.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to choose")

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the effective weight of each host as its score.
        """
        return {key: host.effectiveWeight for key, host in self.hosts.items()}


def pairsOf(facts: Facts, key: str, least: float = -1e9, most: float = 1e9) -> dict[str, float]:
    """
    Read a list of pairs of a host's name and a number, in their order.

    @raise StateError: it is something else, or a number is out of its range.
    """
    found: dict[str, float] = {}
    for each in facts.items(key):
        if isinstance(each, (list, tuple)) and len(each) == 2:
            name, value = each
            isNumber = type(value) is float or type(value) is int
            if type(name) is str and isNumber and least <= value <= most:
                found[name] = float(value)
                continue
        raise StateError(f"{key} of {facts.where} is no list of names and numbers")
    return found

"""
The base class that makes a new policy ten lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random as RandomSource
from typing import ClassVar

from zope.interface import implementer

from txlb.interfaces import IExplainedScheduler, IHost

#: The names of service, group and host.
Key = tuple[str, str, str]


@implementer(IExplainedScheduler)
class Scheduler:
    """
    A policy that looks at all of its hosts on each pick: write L{choose}, and
    give the class a C{name}. Where that costs too much, override the other
    methods as the built-in policies do.

    It is owned by one L{txlb.pool.HostPool}, which calls it from one thread.

    @cvar name: its word.
    @cvar scoreMeans: see L{IExplainedScheduler}.
    @cvar predictable: see L{IExplainedScheduler}.
    @cvar heedsConnectTime: whether C{hostChanged} is wanted where only a host's
        C{connectTime} is another one, which would be once a connection.
    @ivar hosts: the held hosts, by key, in the order in which they came.
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
        See L{IScheduler.hostChanged}. Nothing to do for a policy that looks
        anew each time.
        """

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        candidates = self.candidates(excluded)
        return self.choose(candidates, clientAddr) if candidates else None

    def candidates(self, excluded: frozenset[Key]) -> list[IHost]:
        """
        The held hosts that are not excluded, in the order in which they came.
        """
        if not excluded:
            return list(self.hosts.values())
        return [host for key, host in self.hosts.items() if key not in excluded]

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        """
        The policy itself.

        @param hosts: at least one.
        @return: one of them.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to choose")

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        See L{IScheduler.explain}. Here each host scores its effective weight.
        """
        return {key: host.effectiveWeight for key, host in self.hosts.items()}

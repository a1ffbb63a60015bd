"""
What is simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.simulation._farm import HostSetup, ServerMaker
from benchmarks.simulation._servers import Done, IServer, ProcessorSharing, Workers
from benchmarks.simulation._timeline import Timeline
from benchmarks.simulation._work import BoundedPareto, IWork

#: Connections for each unit of speed that a host takes under C{first}, which says nothing
#: without a limit.
ROOM = 4

#: The work of all scenarios.
HEAVY = BoundedPareto()

#: Workers of a host that has them.
WORKERS = 4


def fourWorkers(timeline: Timeline, speed: float, done: Done) -> IServer:
    """
    Make a host whose workers take one connection each.
    """
    return Workers(timeline, speed, done, WORKERS)


@dataclass(frozen=True)
class Scenario:
    """
    Hosts and what is asked of them.

    @ivar key: a word for files and tables.
    @ivar title: for people.
    @ivar hosts: as their operator has set them up.
    @ivar server: how they work.
    @ivar work: the distribution of work.
    """

    key: str
    title: str
    hosts: tuple[HostSetup, ...]
    server: ServerMaker = ProcessorSharing
    work: IWork = HEAVY

    @property
    def speed(self) -> float:
        """
        The speed of all hosts together.
        """
        return sum(host.speed for host in self.hosts)

    def hostsFor(self, policy: str) -> Sequence[HostSetup]:
        """
        Return the hosts, with limits for the policy that needs them.
        """
        if policy != "first":
            return self.hosts
        return [replace(host, maxConnections=round(ROOM * host.speed)) for host in self.hosts]


SPEEDS = (1.3,) * 3 + (1.0,) * 4 + (0.7,) * 3

#: Of every kind that there is: three quick hosts, four in the middle, three slow ones.
KNOWN = tuple(HostSetup(speed, round(10 * speed)) for speed in SPEEDS)

SCENARIOS = (
    Scenario("equal", "Ten equal hosts", (HostSetup(1.0, 1),) * 10),
    Scenario("known", "Unequal hosts, weights by speed", KNOWN),
    Scenario(
        "unknown",
        "Unequal hosts, all weights 1",
        tuple(HostSetup(speed, 1) for speed in SPEEDS),
    ),
    Scenario(
        "workers",
        "Ten equal hosts with four workers each",
        (HostSetup(1.0, 1),) * 10,
        fourWorkers,
    ),
)

#: Shares of what all hosts can do together.
LOADS = (0.6, 0.8, 0.95)


@dataclass(frozen=True)
class Loss:
    """
    A host that is lost and comes back, seconds from when it is lost.

    @ivar host: its index: a quick one.
    @ivar load: before it is lost.
    @ivar warmUp: seconds before anything is looked at.
    @ivar before: seconds that are looked at before it is lost.
    @ivar back: when it is back. Marks put a host out for 1, 2, 4, 8 and 16 s, so the next
        trial is at 31 s.
    @ivar until: the end.
    @ivar window: seconds that are looked at together.
    """

    host: int = 0
    load: float = 0.7
    warmUp: float = 60.0
    before: float = 20.0
    back: float = 30.0
    until: float = 60.0
    window: float = 2.0

    @property
    def windows(self) -> int:
        """
        How many windows there are.
        """
        return round((self.before + self.until) / self.window)

    @property
    def middles(self) -> list[float]:
        """
        The middle of each window, in seconds from when the host is lost.
        """
        return [(number + 0.5) * self.window - self.before for number in range(self.windows)]

    def windowAt(self, when: float) -> int | None:
        """
        Return the window that contains a time.

        @param when: seconds from when the host is lost.
        """
        if not -self.before <= when < self.until:
            return None
        return min(int((when + self.before) / self.window), self.windows - 1)

    def isUp(self, window: int) -> bool:
        """
        Whether the host is there for all of a window.
        """
        begin = window * self.window - self.before
        return begin + self.window <= 0 or begin >= self.back


@dataclass(frozen=True)
class Scale:
    """
    How much is simulated.

    @ivar jobs: how many at each load, the warm-up included.
    @ivar seeds: runs with different chance.
    @ivar lossSeeds: the same for the loss of a host.
    """

    name: str
    jobs: dict[float, int]
    seeds: int
    lossSeeds: int
    scenarios: tuple[Scenario, ...] = SCENARIOS
    loss: Loss = Loss()


FULL = Scale("full", {0.6: 15_000, 0.8: 30_000, 0.95: 80_000}, 5, 20)
SHORT = Scale("short", {0.6: 10_000, 0.8: 15_000, 0.95: 30_000}, 3, 5)
SMOKE = Scale(
    "smoke",
    dict.fromkeys(LOADS, 400),
    2,
    1,
    loss=Loss(warmUp=2.0, before=2.0, back=3.0, until=6.0, window=1.0),
)

#: The part of the jobs that is dropped, since hosts are idle at the beginning.
WARM_UP = 0.25

#: Is called now and then with what is done.
Progress = Callable[[str], object]

"""
The runs, and what is kept of each.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from benchmarks.figures import percentile
from benchmarks.simulation._farm import Farm, Visit
from benchmarks.simulation._scenarios import WARM_UP, Loss, Progress, Scale, Scenario
from benchmarks.simulation._timeline import Timeline
from benchmarks.simulation._work import MEAN_WORK, Demand, demands
from txlb.schedulers import schedulerWords

#: Policies whose hosts have agents that report.
BY_REPORTS = frozenset({"resource"})

#: Jobs at the end of a run that are not measured, as a part of the measured ones, so that those
#: end under full load.
TAIL = 0.1


@dataclass(frozen=True)
class Sample:
    """
    What one run at one load has shown.

    Waiting is the time from when a job comes to when it is done, less what its work takes
    at the quickest of the hosts when that is idle: what a better choice could have spared.

    @ivar median: of the waiting, in seconds.
    @ivar late: its 99th percentile.
    @ivar mean: its mean.
    @ivar busy: of all hosts, the greatest part of the time that one was busy.
    @ivar grows: whether one host was given more than it can do, so that waiting there would
        have grown on with a longer run.
    @ivar queued: the part of the jobs that waited at the balancer, as no host had room.
    """

    median: float
    late: float
    mean: float
    busy: float
    grows: bool
    queued: float


@dataclass(frozen=True)
class Spread:
    """
    What runs with different seeds have shown of one figure: the middle one, the lowest and
    the highest. That of five runs holds the true median with a confidence of 94 %
    (1 - 2 / 2^5), for any distribution.
    """

    median: float
    low: float
    high: float


def spreadOf(figures: Sequence[float]) -> Spread:
    """
    Return the spread of one or more figures.
    """
    return Spread(percentile(figures, 0.5), min(figures), max(figures))


@dataclass
class Lost:
    """
    What happened around the loss of a host, by window of time.

    @ivar late: the 90th percentile of the waiting of the jobs that came in a window.
    @ivar crowding: of all hosts that were there, the most jobs that one got, divided by
        what its weight would have given it.
    @ivar lost: jobs that were lost with the host, in the mean of the runs.
    """

    late: list[float]
    crowding: list[float]
    lost: float


@dataclass
class Findings:
    """
    All that a simulation has found.

    @ivar jobs: how many at each load, the warm-up included.
    @ivar samples: by scenario, load and policy, one for each seed.
    @ivar losses: by policy.
    """

    scale: str
    jobs: list[int]
    seeds: int
    lossSeeds: int
    policies: list[str]
    titles: dict[str, str]
    loss: Loss
    samples: dict[str, dict[float, dict[str, list[Sample]]]] = field(default_factory=dict)
    losses: dict[str, Lost] = field(default_factory=dict)
    seconds: float = 0.0

    def toJSON(self) -> str:
        """
        Everything.
        """
        known: dict[str, Any] = dataclasses.asdict(self)
        return json.dumps(known, indent=1) + "\n"

    @classmethod
    def fromJSON(cls, text: str) -> Findings:
        """
        Read the output of L{toJSON}.
        """
        known: dict[str, Any] = json.loads(text)
        known["loss"] = Loss(**known["loss"])
        known["losses"] = {policy: Lost(**lost) for policy, lost in known["losses"].items()}
        known["samples"] = {
            key: {
                float(load): {
                    policy: [Sample(**each) for each in samples]
                    for policy, samples in byPolicy.items()
                }
                for load, byPolicy in byLoad.items()
            }
            for key, byLoad in known["samples"].items()
        }
        return cls(**known)

    def isLike(self, other: Findings) -> bool:
        """
        Whether both are of the same hosts, work and seeds, so that policies of one can stand
        beside those of the other.
        """
        mine, others = (
            (each.scale, each.jobs, each.seeds, each.lossSeeds, each.titles, each.loss)
            for each in (self, other)
        )
        return mine == others

    def add(self, other: Findings, order: Sequence[str]) -> None:
        """
        Take over the policies that another one has and this one hasn't.

        @param order: of the policies.
        """
        for key, byLoad in other.samples.items():
            for load, byPolicy in byLoad.items():
                both = {**byPolicy, **self.samples[key][load]}
                self.samples[key][load] = _inOrder(both, order)
        self.losses = _inOrder({**other.losses, **self.losses}, order)
        self.policies = list(self.losses)
        self.seconds += other.seconds


_Of = TypeVar("_Of")


def _inOrder(byPolicy: dict[str, _Of], order: Sequence[str]) -> dict[str, _Of]:
    """
    Without the policies that are no more.
    """
    return {policy: byPolicy[policy] for policy in order if policy in byPolicy}


def farmFor(timeline: Timeline, scenario: Scenario, policy: str, seed: int, word: str = "") -> Farm:
    """
    Make a scenario's hosts under a policy. Its chance is its own, so that all policies are
    asked for the same work.
    """
    random = Random(f"{seed} {policy} {word}")
    hosts = scenario.hostsFor(policy)
    return Farm(timeline, policy, hosts, scenario.server, random, reporting=policy in BY_REPORTS)


#: A host that was idle for less than this part of the time, and was given jobs for more time
#: than there was, has too many.
NEVER_IDLE = 0.995


def sample(scenario: Scenario, load: float, policy: str, seed: int, asked: list[Demand]) -> Sample:
    """
    One run at one load.

    @param asked: see L{demandsFor}.
    """
    timeline = Timeline()
    farm = farmFor(timeline, scenario, policy, seed)
    farm.offer(asked)
    count = round(len(asked) / (1 + TAIL))
    first = round(count * WARM_UP)
    timeline.run(asked[first].at)
    before = farm.busySeconds()
    timeline.run(asked[count - 1].at)
    passed = asked[count - 1].at - asked[first].at
    pairs = zip(before, farm.busySeconds(), strict=True)
    busy = [(now - then) / passed for then, now in pairs]
    timeline.run()
    visits = farm.visits[first:count]
    waited = waitings(farm, visits)
    given = [0] * len(scenario.hosts)
    for visit in visits:
        given[visit.host] += 1
    hosts = scenario.hostsFor(policy)
    grows = any(
        host.maxConnections is None
        and part > NEVER_IDLE
        and load * scenario.speed * jobs / len(visits) >= host.speed
        for jobs, host, part in zip(given, hosts, busy, strict=True)
    )
    return Sample(
        percentile(waited, 0.5),
        percentile(waited, 0.99),
        sum(waited) / len(waited),
        max(busy),
        grows,
        farm.waited / len(asked),
    )


def demandsFor(scenario: Scenario, load: float, seed: int, count: int) -> list[Demand]:
    """
    Return the jobs of a run.

    @param count: measured jobs, with the warm-up. L{TAIL} is added.
    """
    rate = load * scenario.speed / MEAN_WORK
    everything = count + round(count * TAIL)
    return demands(scenario.work, rate, everything, Random(f"{seed} work"))


def waitings(farm: Farm, visits: Sequence[Visit]) -> list[float]:
    """
    How long jobs waited, those apart that were lost. See L{Sample}.
    """
    quickest = farm.quickest
    return [
        # Sums of small floats may be off by their last digit.
        max(visit.done - visit.demand.at - visit.work * quickest, 0.0)
        for visit in visits
        if visit.done is not None
    ]


def loseHost(scenario: Scenario, loss: Loss, policy: str, seeds: int) -> Lost:
    """
    Simulate the loss and return of a host, with all seeds together.
    """
    waited: list[list[float]] = [[] for _ in range(loss.windows)]
    counts = [[0] * len(scenario.hosts) for _ in range(loss.windows)]
    lost = 0
    begin = loss.warmUp + loss.before
    rate = loss.load * scenario.speed / MEAN_WORK
    count = round((begin + loss.until) * rate)
    for seed in range(seeds):
        timeline = Timeline()
        farm = farmFor(timeline, scenario, policy, seed, "loss")
        farm.offer(demands(scenario.work, rate, count, Random(f"{seed} loss")))
        timeline.at(begin, farm.crash, loss.host)
        timeline.at(begin + loss.back, farm.recover, loss.host)
        timeline.run()
        lost += farm.lost
        for visit in farm.visits:
            window = loss.windowAt(visit.demand.at - begin)
            if window is not None:
                counts[window][visit.host] += 1
                waited[window] += waitings(farm, [visit])
    crowding = [_crowding(scenario, loss, number, each) for number, each in enumerate(counts)]
    late = [percentile(each, 0.9) if each else 0.0 for each in waited]
    return Lost(late, crowding, lost / seeds)


def _crowding(scenario: Scenario, loss: Loss, window: int, counts: Sequence[int]) -> float:
    there = [
        (count, host.weight)
        for index, (count, host) in enumerate(zip(counts, scenario.hosts, strict=True))
        if index != loss.host or loss.isUp(window)
    ]
    jobs = sum(count for count, _ in there)
    weights = sum(weight for _, weight in there)
    if not jobs:
        return 0.0
    return max(count / jobs / (weight / weights) for count, weight in there)


def simulate(
    scale: Scale, policies: Sequence[str] | None = None, progress: Progress = print
) -> Findings:
    """
    Run everything.

    @param policies: by default all that there are.
    """
    began = time.monotonic()
    words = list(policies if policies is not None else schedulerWords())
    titles = {scenario.key: scenario.title for scenario in scale.scenarios}
    findings = Findings(
        scale.name,
        list(scale.jobs.values()),
        scale.seeds,
        scale.lossSeeds,
        words,
        titles,
        scale.loss,
    )
    for scenario in scale.scenarios:
        byLoad = findings.samples.setdefault(scenario.key, {})
        for load, count in scale.jobs.items():
            found = byLoad.setdefault(load, {policy: [] for policy in words})
            for seed in range(scale.seeds):
                asked = demandsFor(scenario, load, seed, count)
                for policy in words:
                    found[policy].append(sample(scenario, load, policy, seed, asked))
            progress(f"{scenario.title}, {load:.0%}: {time.monotonic() - began:.0f} s")
    known = next(each for each in scale.scenarios if each.key == "known")
    for policy in words:
        findings.losses[policy] = loseHost(known, scale.loss, policy, scale.lossSeeds)
    findings.seconds = time.monotonic() - began
    progress(f"a host lost: {findings.seconds:.0f} s")
    return findings

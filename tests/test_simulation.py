"""
The simulation of the policies agrees with queueing theory where that has an answer.

Each run has a fixed seed, so that a test that passes does so always. The tolerances are about
three standard deviations of the figure at the length of the run.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.programs import ROOT
from benchmarks.simulate import main
from benchmarks.simulation import (
    MEAN_WORK,
    SCENARIOS,
    BoundedPareto,
    Constant,
    Demand,
    Exponential,
    Farm,
    Findings,
    HostSetup,
    IServer,
    IWork,
    Job,
    Loss,
    ProcessorSharing,
    Sample,
    Scale,
    Timeline,
    Visit,
    Workers,
    demands,
    demandsFor,
    loseHost,
    sample,
    simulate,
    spreadOf,
    waitings,
)
from benchmarks.simulation._farm import ServerMaker
from benchmarks.simulation._servers import Done
from benchmarks.simulation._tables import isOverloaded, milliseconds
from txlb.schedulers import schedulerWords

EQUAL = HostSetup(1.0, 1)


def fifo(workers: int) -> ServerMaker:
    """
    Hosts that work first come, first served.
    """

    def make(timeline: Timeline, speed: float, done: Done) -> IServer:
        return Workers(timeline, speed, done, workers)

    return make


def run(
    policy: str,
    hosts: Sequence[HostSetup],
    work: IWork,
    load: float,
    count: int,
    server: ServerMaker,
) -> tuple[Farm, list[Visit]]:
    """
    Run jobs.

    @return: the farm, and the jobs without the first fifth.
    """
    timeline = Timeline()
    farm = Farm(timeline, policy, hosts, server, Random("policy"))
    rate = load * sum(host.speed for host in hosts) / MEAN_WORK
    farm.offer(demands(work, rate, count, Random("work")))
    timeline.run()
    return farm, farm.visits[count // 5 :]


def waits(*arguments: object) -> list[float]:
    """
    The waiting of a run, in mean works.
    """
    farm, visits = run(*arguments)  # type: ignore[arg-type] # these are run's
    return sorted(each / MEAN_WORK for each in waitings(farm, visits))


def mean(values: Sequence[float]) -> float:
    """
    The mean.
    """
    return sum(values) / len(values)


def erlangC(servers: int, load: float) -> float:
    """
    The mean waiting in M/M/c, in mean works of one server.
    """
    offered = servers * load
    parts = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) / (1 - load)
    return last / (sum(parts) + last) / (servers * (1 - load))


def erlangArrivals(stages: int, load: float) -> float:
    """
    The mean waiting in E_k/M/1, where every k-th of Poisson arrivals comes, in mean works.
    """
    sigma = load
    for _ in range(1000):
        sigma = (stages * load / (stages * load + 1 - sigma)) ** stages
    return sigma / (1 - sigma)


def shortestOfTwo(load: float, most: int = 30) -> float:
    """
    The mean waiting where two M/M/1 servers are joined at the shorter queue, in mean works:
    the stationary distribution of the queues' lengths, from the balance of the chain, and
    Little's law.
    """
    arrivals, total = 2 * load, 2 * load + 2
    chances = {(0, 0): 1.0}
    for _ in range(1500):
        after: dict[tuple[int, int], float] = {}
        for (short, long_), chance in chances.items():
            steps = [
                (arrivals, (min(short + 1, most), long_)),
                (1.0, (max(short - 1, 0), long_)),
                (1.0, (short, max(long_ - 1, 0))),
            ]
            for rate, (one, other) in steps:
                state = (min(one, other), max(one, other))
                after[state] = after.get(state, 0.0) + chance * rate / total
        chances = {state: chance for state, chance in after.items() if chance > 1e-9}
    jobs = sum(chance * sum(state) for state, chance in chances.items())
    return jobs / arrivals - 1


class ClosedFormTests(SynchronousTestCase):
    """
    First come, first served.
    """

    def near(self, found: float, expected: float, part: float) -> None:
        """
        Whether a figure is as theory has it, to within a part of that.
        """
        self.assertLess(abs(found / expected - 1), part, f"{found:.3f}, expected {expected:.3f}")

    def test_oneHost(self) -> None:
        """
        M/M/1: the mean, the chance to wait at all, and percentiles.
        """
        found = waits("rand", [EQUAL], Exponential(), 0.6, 60_000, fifo(1))
        self.near(mean(found), 0.6 / 0.4, 0.1)
        self.near(sum(each > 1e-6 for each in found) / len(found), 0.6, 0.03)
        for part in (0.5, 0.9, 0.99):
            expected = math.log(0.6 / (1 - part)) / 0.4
            self.near(found[int(part * len(found))], expected, 0.12)

    def test_randomSplitting(self) -> None:
        """
        A tenth of a Poisson process is one: each host is an M/M/1 of its own.
        """
        for policy in ("rand", "weightr"):
            found = waits(policy, [EQUAL] * 10, Exponential(), 0.6, 60_000, fifo(1))
            self.near(mean(found), 0.6 / 0.4, 0.1)

    def test_constantWork(self) -> None:
        """
        M/D/1 by Pollaczek and Khinchine: half of M/M/1.
        """
        found = waits("rand", [EQUAL], Constant(), 0.6, 30_000, fifo(1))
        self.near(mean(found), 0.6 / 0.4 / 2, 0.08)

    def test_workers(self) -> None:
        """
        M/M/4 by Erlang's C. Each of the workers has a quarter of the speed.
        """
        found = waits("rand", [EQUAL], Exponential(), 0.8, 60_000, fifo(4))
        self.near(mean(found), erlangC(4, 0.8) * 4, 0.15)

    def test_inTurn(self) -> None:
        """
        Ten hosts in turn: each gets every tenth arrival, E_10/M/1.
        """
        found = waits("roundr", [EQUAL] * 10, Exponential(), 0.8, 40_000, fifo(1))
        self.near(mean(found), erlangArrivals(10, 0.8), 0.08)

    def test_shortestQueue(self) -> None:
        """
        Least connections of two hosts is to join the shorter queue. It waits longer than one
        queue for both would, and shorter than in turn.
        """
        found = mean(waits("leastc", [EQUAL] * 2, Exponential(), 0.6, 60_000, fifo(1)))
        self.near(found, shortestOfTwo(0.6), 0.06)
        self.assertGreater(found, erlangC(2, 0.6))
        self.assertLess(found, erlangArrivals(2, 0.6))

    def test_twoChoices(self) -> None:
        """
        A hundred hosts and two choices: Mitzenmacher's limit for many hosts.
        """
        found = waits("p2c", [EQUAL] * 100, Exponential(), 0.8, 60_000, fifo(1))
        expected = sum(0.8 ** (2**i - 2) for i in range(1, 8)) - 1
        self.near(mean(found), expected, 0.06)


class InsensitivityTests(SynchronousTestCase):
    """
    Under processor sharing with Poisson arrivals a job of any size takes 1 / (1 - load) times
    as long as alone, in the mean, whatever the distribution of work is.
    """

    def slowdowns(self, work: IWork) -> list[tuple[float, float]]:
        """
        The work of jobs, and how many times as long as alone they took.
        """
        _, visits = run("rand", [EQUAL] * 10, work, 0.6, 60_000, ProcessorSharing)
        return [
            (visit.work, (visit.done - visit.demand.at) / visit.work)
            for visit in visits
            if visit.done is not None
        ]

    def test_distributions(self) -> None:
        for work in (Constant(), Exponential(), BoundedPareto()):
            slow = mean([slowdown for _, slowdown in self.slowdowns(work)])
            self.assertLess(abs(slow / (1 / 0.4) - 1), 0.08, f"{work}: {slow:.3f}")

    def test_sizes(self) -> None:
        """
        Small and large jobs alike.
        """
        found = sorted(self.slowdowns(BoundedPareto()))
        for part in (found[: len(found) // 2], found[len(found) // 2 : -100]):
            slow = mean([slowdown for _, slowdown in part])
            self.assertLess(abs(slow / (1 / 0.4) - 1), 0.1, f"{slow:.3f}")


class WorkTests(SynchronousTestCase):
    def test_heavyTail(self) -> None:
        """
        The mean is exact by its formula, and the extremes are those of the bound.
        """
        work = BoundedPareto()
        random = Random(5)
        found = sorted(work.draw(random) for _ in range(200_000))
        self.assertLess(abs(mean(found) / MEAN_WORK - 1), 0.03)
        self.assertGreaterEqual(found[0], work.smallest)
        self.assertLessEqual(found[-1], work.smallest * work.span * (1 + 1e-9))
        self.assertAlmostEqual(work.variability, 9.885, 3)
        # The largest hundredth makes up about a fifth of the whole.
        self.assertLess(abs(sum(found[-2000:]) / sum(found) - 0.19), 0.02)

    def test_arrivals(self) -> None:
        found = demands(Constant(), 50.0, 20_000, Random(1))
        gaps = [after.at - before.at for before, after in itertools.pairwise(found)]
        self.assertLess(abs(mean(gaps) - 0.02), 0.0005)
        self.assertLess(abs(mean([gap**2 for gap in gaps]) / mean(gaps) ** 2 - 2), 0.1)

    def test_clients(self) -> None:
        """
        Some clients are busier than others, and none is half of all.
        """
        found = [each.client[0] for each in demands(Constant(), 50.0, 20_000, Random(1))]
        busiest = max(found.count(client) for client in ("10.0.0.0", "10.0.0.1", "10.0.0.2"))
        self.assertLess(abs(busiest / len(found) - 0.005), 0.002)
        self.assertGreater(len(set(found)), 5000)


class ServerTests(SynchronousTestCase):
    def test_sharing(self) -> None:
        """
        Two jobs at half the speed each, until one is done.
        """
        timeline, ends = Timeline(), []
        server = ProcessorSharing(
            timeline, 2.0, lambda job: ends.append((round(timeline.now, 9), job.work))
        )
        timeline.at(0.0, server.begin, Job(4.0))
        timeline.at(1.0, server.begin, Job(1.0))
        timeline.run()
        self.assertEqual(ends, [(2.0, 1.0), (2.5, 4.0)])
        self.assertAlmostEqual(server.busySeconds(), 2.5)

    def test_queue(self) -> None:
        """
        The third of three jobs waits for one of two workers.
        """
        timeline, ends = Timeline(), []
        server = Workers(
            timeline, 2.0, lambda job: ends.append((timeline.now, job.work)), workers=2
        )
        for work in (1.0, 3.0, 0.5):
            server.begin(Job(work))
        self.assertEqual(server.present, 3)
        timeline.run()
        self.assertEqual(ends, [(1.0, 1.0), (1.5, 0.5), (3.0, 3.0)])
        self.assertAlmostEqual(server.busySeconds(), (1.5 + 3.0) / 2)

    def test_abandon(self) -> None:
        """
        What was lost does not end later.
        """
        for make in (ProcessorSharing, fifo(1)):
            timeline, ends = Timeline(), list[Job]()
            server = make(timeline, 1.0, ends.append)
            jobs = [Job(1.0), Job(2.0)]
            for job in jobs:
                server.begin(job)
            timeline.run(0.5)
            self.assertEqual(server.abandon(), jobs)
            later = Job(5.0)
            server.begin(later)
            timeline.run()
            self.assertEqual((ends, timeline.now), ([later], 5.5))


class FarmTests(SynchronousTestCase):
    def test_everyPolicy(self) -> None:
        """
        Every policy gets every job done, and no lease is left.
        """
        for policy in schedulerWords():
            for scenario in SCENARIOS:
                hosts = scenario.hostsFor(policy)
                farm, _ = run(policy, hosts, scenario.work, 0.7, 500, scenario.server)
                self.assertTrue(all(visit.done is not None for visit in farm.visits))
                self.assertEqual(farm.pool.active, 0)

    def test_reports(self) -> None:
        """
        Agents report what is left of their hosts until all is done, and then no more.
        """
        timeline = Timeline()
        farm = Farm(timeline, "leastc", [EQUAL] * 2, ProcessorSharing, Random(1), reporting=True)
        farm.offer([Demand(1.0, 100.0, ("10.0.0.1", 1))])
        timeline.run(50.0)
        busy, idle = (host.load for host in farm.pool.hosts)
        assert busy is not None
        assert idle is not None
        self.assertEqual((busy.latest, idle.latest), (0.0, 1.0))
        timeline.run()
        self.assertLess(timeline.now, 105.0)

    def test_noRoom(self) -> None:
        """
        Where no host has room, jobs wait at the balancer, in turn.
        """
        timeline = Timeline()
        farm = Farm(timeline, "first", [HostSetup(1.0, 1, 1)], ProcessorSharing, Random(1))
        farm.offer([Demand(0.1 * number, 1.0, ("10.0.0.1", 1)) for number in range(3)])
        timeline.run()
        ends = [visit.done for visit in farm.visits]
        for found, expected in zip(ends, (1.0, 2.0, 3.0), strict=True):
            self.assertAlmostEqual(found or 0.0, expected)
        self.assertEqual(farm.waited, 2)

    def test_lost(self) -> None:
        """
        A host that crashes loses its jobs and gets no more, until its mark lets somebody try
        it again.
        """
        timeline = Timeline()
        farm = Farm(timeline, "roundr", [EQUAL] * 2, ProcessorSharing, Random(1))
        farm.offer([Demand(0.1 * number, 0.15, ("10.0.0.1", 1)) for number in range(100)])
        timeline.at(1.05, farm.crash, 0)
        timeline.at(2.5, farm.recover, 0)
        timeline.run()
        self.assertEqual(farm.pool.active, 0)
        self.assertEqual(sum(visit.done is None for visit in farm.visits), farm.lost)
        self.assertGreaterEqual(farm.lost, 1)
        away = [visit.host for visit in farm.visits if 1.06 < visit.demand.at < 4.1]
        self.assertEqual(set(away), {1})
        # Out at 1.2 s for 1 s, then for 2 s: it is tried at about 4.2 s.
        self.assertEqual({visit.host for visit in farm.visits if visit.demand.at > 4.7}, {0, 1})
        self.assertEqual(farm.pool.getHost("0").counters.failures, 2)

    def test_alike(self) -> None:
        """
        The same seed is the same run.
        """
        asked = demandsFor(SCENARIOS[1], 0.8, 3, 500)
        one, other = (sample(SCENARIOS[1], 0.8, "rand", 3, asked) for _ in range(2))
        self.assertEqual(one, other)


class FindingTests(SynchronousTestCase):
    def test_grows(self) -> None:
        """
        Where a slow host is given as much as the others, it has too much; where the policy
        sees how busy hosts are, it hasn't.
        """
        unknown = next(each for each in SCENARIOS if each.key == "unknown")
        asked = demandsFor(unknown, 0.9, 0, 10_000)
        found = {policy: sample(unknown, 0.9, policy, 0, asked) for policy in ("rand", "leastc")}
        self.assertTrue(found["rand"].grows)
        self.assertFalse(found["leastc"].grows)
        self.assertLess(found["leastc"].late, found["rand"].late / 4)

    def test_overloadedByMost(self) -> None:
        grows = Sample(0, 0, 0, 1, True, 0)
        fine = Sample(0, 0, 0, 1, False, 0)
        self.assertTrue(isOverloaded([grows, grows, fine]))
        self.assertFalse(isOverloaded([grows, fine]))

    def test_spread(self) -> None:
        spread = spreadOf([3.0, 1.0, 9.0])
        self.assertEqual((spread.median, spread.low, spread.high), (3.0, 1.0, 9.0))

    def test_milliseconds(self) -> None:
        self.assertEqual(
            [milliseconds(each) for each in (0.00123, 0.0567, 1.5)], ["1.2", "57", "1500"]
        )

    def test_windows(self) -> None:
        loss = Loss(before=4.0, back=4.0, until=8.0, window=2.0)
        self.assertEqual(loss.middles, [-3.0, -1.0, 1.0, 3.0, 5.0, 7.0])
        self.assertEqual(
            [loss.isUp(window) for window in range(6)], [True] * 2 + [False] * 2 + [True] * 2
        )
        self.assertEqual(
            [loss.windowAt(when) for when in (-5.0, -4.0, 0.0, 7.9, 8.0)], [None, 0, 2, 5, None]
        )

    def test_crowding(self) -> None:
        """
        In turn, hosts get what their weights say, whoever is lost.
        """
        known = next(each for each in SCENARIOS if each.key == "known")
        loss = Loss(warmUp=1.0, before=10.0, back=20.0, until=20.0, window=10.0)
        lost = loseHost(known, loss, "roundr", 1)
        for each in lost.crowding:
            self.assertLess(abs(each - 1.0), 0.05)


TINY = Scale("tiny", {0.6: 40}, 1, 1, loss=Loss(0, 0.7, 0.5, 0.5, 0.5, 1.0, 0.5))


class MergeTests(SynchronousTestCase):
    """
    Policies that were simulated later stand beside those of before.
    """

    def findings(self, *policies: str, scale: Scale = TINY) -> Findings:
        """
        A tiny run.
        """
        said: list[str] = []
        found = simulate(scale, policies, said.append)
        self.assertEqual(len(said), len(SCENARIOS) + 1)
        return found

    def test_readBack(self) -> None:
        found = self.findings("rand", "leastc")
        self.assertEqual(Findings.fromJSON(found.toJSON()), found)

    def test_added(self) -> None:
        """
        It is as if all had been simulated at once, but for the time that it took.
        """
        later, before = self.findings("leastc"), self.findings("rand", "leastc")
        self.assertTrue(later.isLike(before))
        later.add(before, ["rand", "roundr", "leastc"])
        later.seconds = before.seconds
        self.assertEqual(later.toJSON(), before.toJSON())

    def test_otherSize(self) -> None:
        other = dataclasses.replace(TINY, seeds=2)
        self.assertFalse(self.findings("rand").isLike(self.findings("rand", scale=other)))

    def test_command(self) -> None:
        """
        C{--policies} keeps the others, where they are of the same size.
        """
        folder = Path(self.mktemp())
        self.patch(sys, "stdout", io.StringIO())
        errors = io.StringIO()
        self.patch(sys, "stderr", errors)

        def policies(*arguments: str) -> list[str]:
            given = ["--smoke", "--results", str(folder), "--policies", *arguments]
            self.assertEqual(main(given), 0)
            text = (folder / "simulation.json").read_text(encoding="utf-8")
            return list(json.loads(text)["losses"])

        self.assertEqual(policies("leastc"), ["leastc"])
        self.assertEqual(policies("rand"), ["rand", "leastc"])
        text = self.findings("roundr").toJSON()
        (folder / "simulation.json").write_text(text, encoding="utf-8")
        self.assertEqual(policies("rand"), ["rand"])
        self.assertIn("is of other hosts, work or seeds", errors.getvalue())


class SmokeTests(SynchronousTestCase):
    def test_everything(self) -> None:
        """
        The shortest run has a sample of every policy and draws plots.
        """
        folder = Path(self.mktemp()).resolve()
        environ = dict(os.environ)
        paths = [str(ROOT / "src"), environ.get("PYTHONPATH", "")]
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.simulate", "--smoke", "--results", str(folder)],
            cwd=ROOT,
            env=environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = json.loads((folder / "simulation.json").read_text(encoding="utf-8"))
        self.assertLessEqual({"rand", "leastc", "p2c", "sticky"}, set(found["policies"]))
        self.assertEqual(set(found["samples"]), {scenario.key for scenario in SCENARIOS})
        for byLoad in found["samples"].values():
            self.assertEqual(set(byLoad), {"0.6", "0.8", "0.95"})
            for byPolicy in byLoad.values():
                self.assertEqual(set(byPolicy), set(found["policies"]))
        self.assertEqual(set(found["losses"]), set(found["policies"]))
        pictures = sorted(folder.glob("*.svg"))
        self.assertEqual(len(pictures), len(SCENARIOS) + 2)
        for picture in pictures:
            self.assertEqual(ET.parse(picture).getroot().tag[-3:], "svg")
        text = (folder / "simulation.md").read_text(encoding="utf-8")
        self.assertEqual(text.count("| ``leastc`` |"), 3 * len(SCENARIOS) + 1)

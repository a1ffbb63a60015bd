"""
Tests for L{txlb.resources._monitor}.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, ClassVar, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.registries import keepRegistries
from tests.sleeping import SleepingClock
from txlb.deadlines import Deadlines
from txlb.errors import ModelError
from txlb.interfaces import IResourceProbe
from txlb.manager import ProxyManager
from txlb.model import ProxyGroup, ProxyHost, ProxyService, ResourceProbe, TCPAddress
from txlb.model.registries import PROBES
from txlb.resources import ProbeKind, ProbeTarget, ResourceMonitor, registerProbe


@implementer(IResourceProbe)
class FakeProbe:
    """
    Answers as the test says.
    """

    made: ClassVar[list[FakeProbe]] = []

    def __init__(self, options: object, reactor: object) -> None:
        self.targets: list[ProbeTarget] = []
        self.asked: list[Deferred[float | None]] = []
        self.answer: Any = None
        self.made.append(self)

    def probe(self, target: ProbeTarget) -> Deferred[float | None]:
        self.targets.append(target)
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        if self.answer is not None:
            return succeed(self.answer)
        self.asked.append(Deferred())
        return self.asked[-1]


FAKE = ProbeKind("fake", "It is for tests.", FakeProbe)


def group(name: str, count: int, resource: ResourceProbe | None, **settings: Any) -> ProxyGroup:
    hosts = [ProxyHost(f"h{number}", "127.0.0.1", 7000 + number) for number in range(count)]
    return ProxyGroup(name, "weightr", name == "g", hosts, resource=resource, **settings)


class MonitorTests(SynchronousTestCase):
    PROBE = ResourceProbe("fake", 2.0, timeout=0.5, smoothing=1.0, port=9999)

    def setUp(self) -> None:
        FakeProbe.made.clear()
        keepRegistries(self, PROBES)
        registerProbe(FAKE)
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.lines: list[str] = []
        observer = cast("ILogObserver", self.noteLine)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def noteLine(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("txlb.resources."):
            self.lines.append(event["log_format"])

    def monitor(self, *groups: ProxyGroup, maxProbes: int = 100) -> ResourceMonitor:
        self.manager = ProxyManager(
            [ProxyService("web", ["*:80"], groups)], seconds=self.clock.seconds, random=Random(1)
        )
        self.made = ResourceMonitor(
            self.manager, None, self.deadlines, maxProbes=maxProbes, source=Random(2)
        )
        self.made.startService()
        return self.made

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))
        self.manager.advance(self.clock.seconds())

    def weights(self) -> list[float]:
        return [host.effectiveWeight for host in self.manager.getPool("web", "g").hosts]

    def test_reports(self) -> None:
        """
        What hosts say moves their weights, at the interval.
        """
        self.monitor(group("g", 2, self.PROBE))
        for probe, answer in zip(FakeProbe.made, (0.5, 0.25), strict=True):
            probe.answer = answer
        self.wait(2.0)
        self.assertEqual(self.weights(), [0.5, 0.25])
        self.wait(20.0)
        for probe in FakeProbe.made:
            self.assertLessEqual(abs(len(probe.targets) - 11), 1)
        target = FakeProbe.made[0].targets[0]
        self.assertEqual(target.key, ("web", "g", "h0"))
        self.assertEqual((str(target.address), target.weight), ("127.0.0.1:9999", 1))

    def test_spread(self) -> None:
        """
        The first probes are spread over the interval.
        """
        self.monitor(group("g", 200, self.PROBE))
        counts = []
        for _ in range(4):
            self.wait(0.5)
            counts.append(sum(bool(probe.targets) for probe in FakeProbe.made))
        for number, count in enumerate(counts, 1):
            self.assertLess(abs(count - 50 * number), 30)

    def test_answeredInASleep(self) -> None:
        """
        An answer that came while the process slept is read before the probe is over, and
        one that has yet to come has as much time as before.
        """
        self.clock = clock = SleepingClock()
        self.deadlines = Deadlines(clock, clock.seconds)
        self.monitor(group("g", 2, self.PROBE))
        first, second = FakeProbe.made
        while not (first.asked and second.asked):
            self.wait(0.01)
            for probe in (first, second):
                if len(first.asked) != len(second.asked) and probe.asked:
                    probe.asked.pop().callback(1.0)
        clock.sleep(60)
        first.asked[0].callback(0.5)
        clock.decide()
        self.wait(0.2)
        second.asked[0].callback(0.25)
        self.wait(0.1)
        self.assertEqual(self.lines, [])
        self.assertEqual(self.weights(), [0.5, 0.25])

    def test_bounded(self) -> None:
        """
        However many hosts there are, so many are asked at once; the others wait
        their turn.
        """
        self.monitor(group("g", 500, self.PROBE), maxProbes=20)
        most = 0
        for _ in range(1500):
            self.clock.advance(0.01)
            under = sum(not each.called for probe in FakeProbe.made for each in probe.asked)
            most = max(most, under)
        self.assertEqual(most, 20)
        self.assertTrue(all(probe.targets for probe in FakeProbe.made))
        self.made.stopService()
        self.assertTrue(all(each.called for probe in FakeProbe.made for each in probe.asked))

    def test_silent(self) -> None:
        """
        A host that does not answer in time is asked again, is not put out, and
        has its configured weight after three intervals. It is said once.
        """
        self.monitor(group("g", 1, self.PROBE))
        (probe,) = FakeProbe.made
        probe.answer = 0.5
        self.wait(2.0)
        probe.answer = None
        self.wait(30.0)
        self.assertGreater(len(probe.targets), 10)
        self.assertTrue(all(each.called for each in probe.asked[:-1]))
        host = self.manager.getPool("web", "g").getHost("h0")
        self.assertEqual(
            (host.load, host.effectiveWeight, host.stateWord), (None, 1.0, "unchecked")
        )
        self.assertEqual(self.lines, ["{host} does not say what it has left: {trouble}"])
        probe.answer = 0.7
        self.wait(3.0)
        self.assertEqual(self.weights(), [0.7])
        self.assertEqual(self.lines[1:], ["{host} says again what it has left"])

    def test_refused(self) -> None:
        self.monitor(group("g", 1, self.PROBE))
        (probe,) = FakeProbe.made
        probe.answer = Refused()
        self.wait(10.0)
        self.assertEqual(self.weights(), [1.0])
        self.assertEqual(len(self.lines), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_broken(self) -> None:
        """
        What a probe raises of its own is logged with its traceback, and it is
        asked again; so is what is no answer.
        """
        self.monitor(group("g", 1, self.PROBE))
        (probe,) = FakeProbe.made
        probe.answer = RuntimeError("a bug")
        self.wait(4.5)
        self.assertGreater(len(self.flushLoggedErrors(RuntimeError)), 0)
        probe.answer = 7.0
        self.wait(4.5)
        self.assertGreater(len(self.flushLoggedErrors(ValueError)), 0)
        probe.answer = 0.5
        self.wait(2.5)
        self.assertEqual(self.weights(), [0.5])

    def test_changes(self) -> None:
        """
        Hosts that come are asked, those that go are not.
        """
        self.monitor(group("g", 1, self.PROBE))
        self.manager.addHost("web", "g", "new", "127.0.0.1:1")
        self.manager.delHost("web", "g", "h0")
        old, new = FakeProbe.made
        old.answer = new.answer = 0.5
        self.wait(3.0)
        self.assertEqual(old.targets, [])
        self.assertEqual(new.targets[0].key, ("web", "g", "new"))

    def test_otherProbe(self) -> None:
        """
        A probe that is configured otherwise takes the place of the one before,
        and one that is there no more asks nobody.
        """
        self.monitor(group("g", 1, None))
        self.assertEqual(FakeProbe.made, [])
        for resource, count in (
            (self.PROBE, 1), (self.PROBE, 1), (ResourceProbe("fake", 3.0), 2), (None, 2),
        ):  # fmt: skip
            self.manager.apply([ProxyService("web", ["*:80"], [group("g", 1, resource)])])
            self.assertEqual(len(FakeProbe.made), count)
        self.wait(5.0)
        self.assertEqual(sum(len(probe.targets) for probe in FakeProbe.made), 0)

    def test_addresses(self) -> None:
        """
        A probe is told all addresses of a name, with its own port if it has one. If it
        has none, the address that it was answered from is where clients begin.
        """
        found = [TCPAddress(f"192.0.2.{number}", 80) for number in (1, 2)]
        for port in (9999, None):
            FakeProbe.made.clear()
            named = ProxyGroup(
                "g",
                enabled=True,
                hosts=[ProxyHost("h0", "host.example", 80)],
                resource=ResourceProbe("fake", 2.0, timeout=0.5, port=port),
            )
            self.monitor(named)
            pool = self.manager.getPool("web", "g")
            pool.setAddresses("h0", found)
            self.wait(2.0)
            target = FakeProbe.made[0].targets[0]
            expected = [replace(each, port=port or 80) for each in found]
            self.assertEqual([target.address, *target.others], expected)
            if port is None:
                assert target.reached is not None
                target.reached(found[1])
                self.assertEqual(pool.getHost("h0").address, found[1])
            else:
                self.assertIsNone(target.reached)
            self.made.stopService()
            if target.reached is not None:
                target.reached(found[0])
                self.assertEqual(pool.getHost("h0").address, found[1])

    def test_unresolved(self) -> None:
        """
        A host whose name has no address yet is not asked.
        """
        hosts = [ProxyHost("h", "web.example", 80)]
        self.monitor(ProxyGroup("g", "weightr", True, hosts, resource=self.PROBE))
        self.wait(5.0)
        self.assertEqual(FakeProbe.made[0].targets, [])

    def test_socket(self) -> None:
        """
        A host on a UNIX socket is asked on this machine.
        """
        hosts = [ProxyHost.at("h", "unix:/run/h.sock")]
        self.monitor(ProxyGroup("g", "weightr", True, hosts, resource=self.PROBE))
        self.wait(2.0)
        self.assertEqual(str(FakeProbe.made[0].targets[0].address), "127.0.0.1:9999")

    def test_byWeight(self) -> None:
        """
        The policy for loads without a probe goes by weight, which is said once.
        """
        without = group("g", 1, None)
        monitor = self.monitor(without)
        monitor.stopService()
        self.assertEqual(self.lines, [])
        # Whether or not the policy is there.
        object.__setattr__(self.manager.getGroup("web", "g"), "scheduler", "resource")
        for _ in range(2):
            monitor.startService()
            monitor.stopService()
        (line,) = self.lines
        self.assertIn("<resource>", line)
        self.assertEqual(FakeProbe.made, [])

    def test_verify(self) -> None:
        monitor = self.monitor(group("g", 1, self.PROBE))
        probe = ResourceProbe("fake", options={"a": 1})
        wrong = ProxyService("w", ["*:81"], [group("g", 1, probe)])
        error = self.assertRaises(ModelError, monitor.verifyAll, wrong)
        self.assertIn("w/g", str(error))

    def test_wrongBehindTheBack(self) -> None:
        """
        A probe that can't be made is logged, and its hosts weigh as configured.
        """
        self.monitor(group("g", 1, ResourceProbe("unheard")))
        self.assertEqual(self.lines, ["not probed: {error}"])
        self.wait(3.0)
        self.assertEqual(self.weights(), [1.0])

    def test_stoppedWaiting(self) -> None:
        """
        Those that wait for their turn when all is stopped are not asked.
        """
        monitor = self.monitor(group("g", 3, self.PROBE), maxProbes=1)
        self.wait(0.45)
        self.wait(1.55)
        monitor.stopService()
        asked = sum(len(probe.targets) for probe in FakeProbe.made)
        self.wait(5.0)
        self.assertEqual(sum(len(probe.targets) for probe in FakeProbe.made), asked)

    def test_stopped(self) -> None:
        """
        A stopped monitor asks nobody, and can be started again.
        """
        monitor = self.monitor(group("g", 1, self.PROBE))
        self.wait(2.0)
        monitor.stopService()
        self.assertTrue(FakeProbe.made[0].asked[0].called)
        self.wait(5.0)
        self.assertEqual(len(FakeProbe.made[0].targets), 1)
        monitor.startService()
        self.wait(2.0)
        self.assertEqual(len(FakeProbe.made[1].targets), 1)
        monitor.stopService()

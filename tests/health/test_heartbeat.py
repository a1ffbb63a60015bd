"""
Tests for L{txlb.health._heartbeat}.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.health.fakes import ILL, WELL, HeartbeatCase
from txlb.errors import ModelError
from txlb.health import Verdict
from txlb.model import HealthCheck, ProxyHost, TCPAddress, UNIXAddress
from txlb.pool import EventKind, Failure, FailureKind, HealthState
from txlb.wire import AgentReply, AgentState

CHECK = HealthCheck("fake", 2.0)

#: How late the clock of these tests looks, in seconds.
STEP = 0.006


class BeatTests(HeartbeatCase, SynchronousTestCase):
    """
    When hosts are checked.
    """

    def test_neverLaterThanTheInterval(self) -> None:
        self.beat(5)
        self.run_(60)
        for name in "abcde":
            times = self.world.times(name)
            self.assertLessEqual(times[0], 2.0 + STEP)
            gaps = [after - before for before, after in itertools.pairwise(times)]
            self.assertLessEqual(max(gaps), 2.0 + STEP)
            self.assertGreaterEqual(min(gaps), 1.8)

    def test_spread(self) -> None:
        """
        The checks of 100 hosts are spread evenly, at first and later on.
        """
        self.beat(100)
        self.run_(40)
        for begin in (0.0, 10.0, 30.0):
            tenths = Counter(
                int((when - begin) / 0.19)
                for when, _ in self.world.begun
                if begin <= when < begin + 1.9
            )
            self.assertLessEqual(abs(sum(tenths.values()) - 100), 6, tenths)
            self.assertLessEqual(max(tenths.values()), 16, tenths)
            self.assertGreaterEqual(min(tenths[n] for n in range(10)), 4, tenths)

    def test_chance(self) -> None:
        """
        Two balancers don't keep in step.
        """
        self.beat()
        self.run_(30)
        times = self.world.times("a")
        gaps = {round(after - before, 2) for before, after in itertools.pairwise(times)}
        self.assertGreater(len(gaps), 3)

    def test_fastAndDown(self) -> None:
        self.beat(check=replace(CHECK, fastInterval=0.5, downInterval=10.0))
        self.run_(4)
        self.world.answer = ILL
        before = self.clock.seconds()
        while self.host().health.isHealthy:
            self.run_(0.005)
        took = self.clock.seconds() - before
        self.assertLessEqual(took, 2.0 + 2 * 0.5 + 2 * STEP)
        del self.world.begun[:]
        self.run_(40)
        self.assertIn(len(self.world.begun), (4, 5))
        self.world.answer = WELL
        before = self.clock.seconds()
        while not self.host().health.isHealthy:
            self.run_(0.005)
        self.assertLessEqual(self.clock.seconds() - before, 10 + 0.5 + 2 * STEP)

    def test_onlyDown(self) -> None:
        """
        Hosts that are up are left alone, until traffic says that one is down.
        """
        self.beat(2, check=replace(CHECK, onlyDown=True))
        self.run_(20)
        self.assertEqual(self.world.begun, [])
        pool = self.manager.getPool("web")
        lease = pool.acquire()
        name = lease.host.name
        pool.reportFailed(lease, refused())
        self.assertIs(lease.host.health.state, HealthState.DOWN)
        self.run_(4.1)
        self.assertIs(lease.host.health.state, HealthState.UP)
        self.assertEqual({who for _, who in self.world.begun}, {name})
        count = len(self.world.begun)
        self.run_(20)
        self.assertEqual(len(self.world.begun), count)

    def test_detectedAndRecovered(self) -> None:
        """
        However it falls, a host is out within C{interval * fall}, and in within
        C{interval * rise}.
        """
        for seed in range(20):
            self.world.answer = WELL
            heartbeat = self.beat()
            self.run_(2 + seed * 0.11)
            for answer, count in ((ILL, 3), (WELL, 2)):
                self.world.answer = answer
                before = self.clock.seconds()
                wanted = answer is WELL
                while self.host().health.isHealthy is not wanted:
                    self.run_(0.005)
                self.assertLessEqual(self.clock.seconds() - before, 2.0 * count + STEP * count)
            heartbeat.stopService()


class ManyTests(HeartbeatCase, SynchronousTestCase):
    """
    How many checks are under way.
    """

    def test_bound(self) -> None:
        """
        There are never more than allowed, and all get their turn.
        """
        self.world.answer = None
        heartbeat = self.beat(30, maxChecks=4)
        for _ in range(4000):
            self.clock.advance(0.01)
            self.assertLessEqual(heartbeat.active, 4)
        self.assertEqual(self.world.most, 4)
        self.assertEqual(len({who for _, who in self.world.begun}), 30)
        self.assertEqual(len(self.flushWarnings()), 0)

    def test_manyThatEndAtOnce(self) -> None:
        """
        A long queue of checks that end as soon as they begin is worked off
        without one call inside another.
        """
        self.world.answer = None
        self.beat(1000, maxChecks=1)
        self.run_(2)
        self.world.answer = WELL
        self.run_(6)
        self.assertEqual(len({who for _, who in self.world.begun}), 1000)

    def test_timeout(self) -> None:
        """
        A check that takes too long is a failure, which says what was missing.
        """
        self.world.answer = None
        self.world.doing = Verdict(False, "connected, but no answer")
        self.beat(check=replace(CHECK, timeout=0.5))
        while not self.world.cancelled:
            self.run_(0.01)
        last = self.host().health.last
        assert last is not None
        self.assertEqual(last.detail, "connected, but no answer within 0.5 s")
        self.assertLess(abs(last.duration - 0.5), 0.02)
        self.run_(8)
        self.assertIs(self.host().health.state, HealthState.DOWN)

    def test_timeoutWithoutWords(self) -> None:
        self.world.answer = None
        self.beat(check=replace(CHECK, timeout=0.5))
        self.run_(3)
        last = self.host().health.last
        assert last is not None
        self.assertEqual(last.detail, "no answer within 0.5 s")

    def test_doesNotLetGo(self) -> None:
        """
        A check that goes on when it is cancelled is not waited for.
        """
        self.world.answer = None
        self.world.obeys = False
        heartbeat = self.beat(check=replace(CHECK, timeout=0.5))
        self.run_(10)
        self.assertEqual(heartbeat.active, 0)
        self.assertIs(self.host().health.state, HealthState.DOWN)

    def test_answersJustInTime(self) -> None:
        self.world.answer = None
        self.world.doing = WELL
        self.beat(check=replace(CHECK, timeout=0.5))
        self.run_(3)
        last = self.host().health.last
        assert last is not None
        self.assertEqual((last.passed, last.detail), (True, "well"))


class NoVerdictTests(HeartbeatCase, SynchronousTestCase):
    """
    What says nothing of the host.
    """

    def test_unknown(self) -> None:
        self.world.answer = Verdict(None, "the balancer itself can't check")
        self.beat()
        self.run_(20)
        self.assertIsNone(self.host().health.last)
        self.assertGreater(len(self.world.begun), 9)

    def test_raises(self) -> None:
        self.world.answer = ZeroDivisionError("one")
        heartbeat = self.beat(2)
        self.run_(20)
        self.assertIsNone(self.host().health.last)
        self.assertEqual(heartbeat.active, 0)
        # Once for each host.
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.world.answer = WELL
        self.run_(3)
        self.assertIsNotNone(self.host().health.last)

    def test_fails(self) -> None:
        self.world.broken = ZeroDivisionError("one")
        heartbeat = self.beat(2)
        self.run_(20)
        self.assertIsNone(self.host().health.last)
        self.assertEqual(heartbeat.active, 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_agent(self) -> None:
        """
        What an agent asks for is done, whatever it says of the host's health.
        """
        check = replace(CHECK, kind="fake")
        self.world.answer = Verdict(None, "agent: nothing", AgentReply(state=AgentState.DRAIN))
        self.beat(2, check=check)
        self.run_(2.1)
        self.assertEqual(self.host().asked, "drain")
        self.assertIsNone(self.host().health.last)
        self.world.answer = Verdict(True, "agent: up", AgentReply(state=AgentState.READY))
        self.run_(2.1)
        self.assertEqual(self.host().asked, "ready")
        self.assertIsNotNone(self.host().health.last)

    def test_saidOnce(self) -> None:
        """
        What the balancer lacks is said once for all hosts, and again after a
        while.
        """
        said: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            if event["log_namespace"].startswith("txlb.health"):
                said.append(formatEvent(event))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.world.answer = Verdict(None, "no descriptors")
        self.beat(20)
        self.run_(10)
        found = [line for line in said if "no descriptors" in line]
        self.assertEqual(len(found), 1)
        self.assertIn("no host is marked down for it", found[0])

    def test_unresolved(self) -> None:
        """
        A host whose name has no address yet is not checked; then it is.
        """
        self.beat()
        self.manager.addHost("web", "group", "named", "host.example:80")
        self.run_(5)
        self.assertEqual(self.world.times("named"), [])
        pool = self.manager.getPool("web")
        pool.setAddresses("named", [TCPAddress("192.0.2.1", 80), TCPAddress("192.0.2.2", 80)])
        self.run_(2.1)
        target = self.world.targets[-1]
        self.assertEqual(
            {each.name for each in self.world.targets if each.key[2] == "named"}, {"host.example"}
        )
        # A check that fails goes on to the name's other address.
        self.world.answer = ILL
        del self.world.targets[:]
        self.run_(6.5)
        found = {each.address for each in self.world.targets if each.key[2] == "named"}
        self.assertEqual(len(found), 2, target)


class LiveTests(HeartbeatCase, SynchronousTestCase):
    """
    Changes while it beats.
    """

    def test_addAndDelete(self) -> None:
        self.beat()
        self.run_(3)
        self.manager.addHost("web", "group", "new", "127.0.0.1:81")
        self.assertTrue(self.host("new").health.watched)
        self.run_(2.1)
        self.assertTrue(self.world.times("new"))
        self.manager.delHost("web", "group", "new")
        del self.world.begun[:]
        self.run_(10)
        self.assertEqual(self.world.times("new"), [])
        self.assertTrue(self.world.times("a"))

    def test_deleteWhileChecked(self) -> None:
        """
        Its check is cancelled, and its place is another's.
        """
        self.world.answer = None
        heartbeat = self.beat(2, maxChecks=1)
        self.run_(2)
        (first,) = {who for _, who in self.world.begun}
        self.manager.delHost("web", "group", first)
        self.assertEqual(heartbeat.active, 1)
        self.assertEqual(len({who for _, who in self.world.begun}), 2)
        self.assertEqual(self.world.cancelled, 1)

    def test_setCheck(self) -> None:
        self.beat()
        self.run_(3)
        events = self.manager.setCheck("web", "group", None)
        self.assertEqual([event.kind for event in events], [EventKind.SETTING_CHANGED])
        self.assertEqual(events[0].message, "check fake every 2 s -> none")
        self.assertFalse(self.host().health.watched)
        del self.world.begun[:]
        self.run_(5)
        self.assertEqual(self.world.begun, [])
        self.manager.setCheck("web", "group", HealthCheck("fake", 0.5, fall=7))
        self.assertEqual(self.host().health.fall, 7)
        self.run_(5)
        self.assertIn(len(self.world.begun), (9, 10, 11))
        self.assertEqual(
            self.manager.setCheck("web", "group", HealthCheck("fake", 0.5, fall=7)), ()
        )

    def test_apply(self) -> None:
        """
        A whole configuration brings its checks with it.
        """
        self.beat(2)
        self.run_(3)
        (service,) = self.manager.services.values()
        (group,) = service.groups
        one = ProxyHost("a", "127.0.0.1", 80, check=HealthCheck("fake", 0.5))
        new = ProxyHost("new", "127.0.0.1", 80)
        other = replace(group, name="other", enabled=False, hosts=[new])
        for check, count in ((HealthCheck("fake", 1.0), 20), (None, 0)):
            groups = (replace(group, hosts=[one, new], check=check), replace(other, check=check))
            self.manager.apply([replace(service, groups=groups)])
            self.run_(2)
            del self.world.begun[:]
            self.run_(20, 0.05)
            self.assertEqual(self.world.times("b"), [])
            self.assertLessEqual(abs(len(self.world.times("a")) - 42), 3)
            # There is one in each group.
            self.assertLessEqual(abs(len(self.world.times("new")) - 2 * count), 6)

    def test_ofOneHost(self) -> None:
        """
        A host's own check comes before its group's.
        """
        self.beat(2)
        self.manager.setCheck("web", "group", HealthCheck("fake", 0.2), "a")
        self.run_(10)
        self.assertGreater(len(self.world.times("a")), 48)
        self.assertLess(len(self.world.times("b")), 8)
        self.manager.setCheck("web", "group", None, "a")
        del self.world.begun[:]
        self.run_(10)
        self.assertLess(len(self.world.times("a")), 8)

    def test_partOfIt(self) -> None:
        """
        A change of a part of a check, as a file that is loaded again makes it, takes
        effect like the change of all of it.
        """
        self.beat(1)
        self.run_(10)
        service = self.manager.getService("web")
        (group,) = service.groups
        assert group.check is not None
        often = replace(group, check=replace(group.check, interval=0.2))
        (event,) = self.manager.apply([replace(service, groups=(often,))])
        self.assertEqual(event.details["setting"], "check.interval")
        del self.world.begun[:]
        self.run_(10)
        self.assertGreater(len(self.world.times("a")), 48)

    def test_default(self) -> None:
        heartbeat = self.beat(2, start=False)
        self.manager.setCheck("web", "group", None)
        heartbeat.startService()
        self.run_(5)
        self.assertEqual(self.world.begun, [])
        self.manager.setDefaultCheck(CHECK)
        self.run_(5)
        self.assertTrue(self.world.times("a") and self.world.times("b"))
        self.assertEqual(self.manager.setDefaultCheck(CHECK), ())
        self.manager.setDefaultCheck(None)
        self.assertFalse(self.host().health.watched)

    def test_wrong(self) -> None:
        """
        One that can't be made is said, and the balancer goes on.
        """
        wrong = HealthCheck("fake", options={"wrong": True})
        error = self.assertRaises(ModelError, self.beat, 1, wrong)
        self.assertIn("the check of web/group: this fake can't be made", str(error))
        heartbeat = self.beat()
        self.assertRaises(ModelError, heartbeat.verify, wrong)
        self.manager.setCheck("web", "group", wrong)
        self.run_(5)
        self.assertFalse(self.host().health.watched)

    def test_weightAndSwitch(self) -> None:
        """
        A host that gets nothing is checked all the same.
        """
        self.beat()
        self.manager.setWeight("web", "group", "a", 0)
        self.run_(5)
        self.assertTrue(self.world.begun)

    def test_stopAndStart(self) -> None:
        self.world.answer = None
        heartbeat = self.beat(3)
        while heartbeat.active < 3:
            self.run_(0.01)
        heartbeat.stopService()
        self.assertEqual(heartbeat.active, 0)
        self.assertEqual(self.world.cancelled, 3)
        del self.world.begun[:]
        self.run_(5)
        self.assertEqual(self.world.begun, [])
        self.assertEqual(len(self.deadlines), 0)
        heartbeat.startService()
        self.run_(2.1)
        self.assertEqual({who for _, who in self.world.begun}, {"a", "b", "c"})
        heartbeat.stopService()

    @given(st.lists(st.sampled_from(["add", "del", "set", "none", "run", "host"]), max_size=25))
    @settings(deadline=None, max_examples=40)
    def test_anyChanges(self, changes: list[str]) -> None:
        """
        Whatever is changed, in the end exactly the hosts that are to be checked
        are, each once an interval.
        """
        world, self.world.begun = self.world, []
        heartbeat = self.beat(3)
        count = 0
        for change in changes:
            names = [host.name for host in self.manager.getGroup("web", "group").hosts]
            if change == "add":
                count += 1
                self.manager.addHost("web", "group", f"new{count}", "127.0.0.1:80")
            elif change == "del" and names:
                self.manager.delHost("web", "group", names[0])
            elif change == "host" and names:
                self.manager.setCheck("web", "group", HealthCheck("fake", 1.0), names[-1])
            elif change == "none":
                self.manager.setCheck("web", "group", None)
            elif change == "set":
                self.manager.setCheck("web", "group", CHECK)
            elif change == "run":
                self.run_(1, 0.05)
        self.run_(2.5, 0.05)
        del world.begun[:]
        self.run_(20, 0.05)
        for host in self.manager.getGroup("web", "group").hosts:
            check = self.manager.checkOf("web", "group", host.name)
            found = len(world.times(host.name))
            if check is None:
                self.assertEqual(found, 0)
            else:
                self.assertLessEqual(abs(found - 20 / (check.interval * 0.95)), 3)
        self.assertEqual(heartbeat.active, 0)
        heartbeat.stopService()


class TargetTests(HeartbeatCase, SynchronousTestCase):
    """
    What a check is told.
    """

    def test_plain(self) -> None:
        self.beat()
        self.run_(2.1)
        target = self.world.targets[0]
        self.assertEqual(target.key, ("web", "group", "a"))
        self.assertEqual(target.address, TCPAddress("127.0.0.1", 80))
        self.assertEqual((target.name, target.timeout, target.header), ("127.0.0.1", 2.0, b""))

    def test_sendProxy(self) -> None:
        """
        Where hosts expect a PROXY header, checks say one, but not at a port of
        their own.
        """
        for version, header in [
            ("v1", b"PROXY UNKNOWN\r\n"),
            ("v2", b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"),
        ]:
            del self.world.targets[:]
            heartbeat = self.beat(sendProxy=version)
            self.run_(2.1)
            heartbeat.stopService()
            self.assertEqual(self.world.targets[0].header, header)
            del self.world.targets[:]
            heartbeat = self.beat(check=replace(CHECK, port=81), sendProxy=version)
            self.run_(2.1)
            heartbeat.stopService()
            self.assertEqual(self.world.targets[0].header, b"")

    def test_port(self) -> None:
        """
        A UNIX socket has no port, so that a check has none of its own.
        """
        self.beat(check=replace(CHECK, port=81))
        self.manager.addHost("web", "group", "unix", "unix:/run/host.sock")
        self.run_(2.1)
        found = {each.key[2]: (each.address, each.name) for each in self.world.targets}
        self.assertEqual(found["a"], (TCPAddress("127.0.0.1", 81), "127.0.0.1"))
        self.assertEqual(found["unix"], (UNIXAddress("/run/host.sock"), "localhost"))

    def test_zone(self) -> None:
        """
        A check connects to a zone, and names the address without it: a zone is this
        machine's alone, and goes into no Host header (RFC 9844, 6).
        """
        self.beat(check=replace(CHECK, port=81))
        self.manager.addHost("web", "group", "zone", "[fe80::1%lo]:80")
        self.run_(2.1)
        found = next(each for each in self.world.targets if each.key[2] == "zone")
        self.assertEqual((found.address, found.name), (TCPAddress("fe80::1%lo", 81), "fe80::1"))


def refused() -> Failure:
    """
    A failure to connect.
    """
    return Failure(FailureKind.REFUSED)

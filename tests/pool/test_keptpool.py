"""
Tests for L{txlb.pool._keptpool}: a pool hands its state to the pool of another process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests import fewer
from tests.pool.kit import PATIENT, REFUSED, Bench
from tests.pool.test_health_invariants import FAILED, PASSED, AnyCommand, AnyCommandClosing
from txlb._facts import DAY, Facts
from txlb.errors import StateError
from txlb.model import ProxyGroup, ProxyHost, TCPAddress
from txlb.pool import Attempt, Event, GaveUp, GaveUpReason, HostPool, Outcome, Waiting
from txlb.wire import AgentReply, AgentState


def plainly(value: Any) -> Any:
    """
    Return what another process reads.
    """
    return json.loads(json.dumps(value, allow_nan=False))


def takeOver(pool: HostPool, pieces: Iterable[object]) -> None:
    """
    Let a pool take over pieces of a state.
    """
    for piece in pieces:
        pool.kept.restoring(Facts(plainly(piece), "group g"), pool.seconds())()


class Upgraded(AnyCommand):
    """
    A group that is handed to another process again and again.
    """

    @rule(ahead=st.booleans())
    def upgrade(self, ahead: bool) -> None:
        old, group = self.pool, self.pool.settings
        before = old.snapshot()
        pieces = [*old.kept.ahead(), old.kept.rest()] if ahead else [old.kept.state()]
        self.events.clear()
        new = HostPool(
            group.scheduler,
            [host.configured for host in old.hosts],
            settings=group,
            seconds=lambda: self.now,
            random=Random(3),
            publish=self.events.append,
        )
        self.events.clear()
        takeOver(new, pieces)
        self.pool, leases = new, self.leases
        new.cut = self.cut
        self.leases = []
        for lease in leases:
            host = lease.host
            again = new.readopt(
                host.name,
                str(host.configured.address),
                began=host.began,
                since=lease.since,
                bytesIn=lease.bytesIn,
                bytesOut=lease.bytesOut,
            )
            self.leases.append(again)
            if lease in self.doomed:
                self.doomed = [*self.doomed, again]
        numbers = {id(waiting): number for number, waiting in self.waiting.items()}
        self.waiting = {}
        attempts, self.attempts = self.attempts, []
        for place in old.waiting:
            kept = plainly(place.dial.kept())
            dial = new.redial(
                place.dial.clientAddr, place.dial.limits, began=kept["began"], tried=kept["tried"]
            )
            self.came(new.waitAgain(dial, place.deadline), numbers[id(place)])
        if not attempts:
            after = new.snapshot()
            assert after == before, (after, before)
        new.restored()
        for attempt in attempts:
            kept = plainly(attempt.dial.kept())
            dial = new.redial(
                attempt.dial.clientAddr,
                attempt.dial.limits,
                began=kept["began"],
                tried=kept["tried"],
            )
            self.dials += 1
            self.came(dial.goOn(), self.dials)


class UpgradedClosing(AnyCommandClosing, Upgraded):
    """
    The same, where hosts are checked first.
    """


class AnyCommandTests(SynchronousTestCase):
    """
    What holds in a pool holds across upgrades as well.
    """

    lives = settings(fewer(0.5), stateful_step_count=50)

    def test_try(self) -> None:
        run_state_machine_as_test(Upgraded, settings=self.lives)

    def test_close(self) -> None:
        run_state_machine_as_test(UpgradedClosing, settings=self.lives)


class KeptPoolTestCase(SynchronousTestCase):
    """
    A pool with a past, and its heir.
    """

    def setUp(self) -> None:
        self.bench = Bench("a", "b", "c", "d", slowStart=20.0, scheduler="roundr")
        self.told: list[Event] = []

    def heir(self, group: ProxyGroup | None = None, **changes: Any) -> HostPool:
        """
        Make the pool of another process.
        """
        old = self.bench.pool
        group = group or replace(old.settings, hosts=[host.configured for host in old.hosts])
        group = replace(group, **changes)
        made = HostPool(
            group.scheduler,
            group.hosts,
            service="web",
            group="g",
            settings=group,
            seconds=lambda: self.bench.now,
            random=Random(2),
            publish=self.told.append,
        )
        self.told.clear()
        return made

    def upgraded(self, pool: HostPool | None = None) -> HostPool:
        """
        Hand the pool over, without connections.
        """
        pool = self.heir() if pool is None else pool
        takeOver(pool, [self.bench.pool.kept.state()])
        pool.restored()
        return pool

    def past(self) -> None:
        """
        Let all kinds of things happen to the hosts.
        """
        bench, pool = self.bench, self.bench.pool
        bench.now += 100
        bench.fell("a")
        bench.now += 0.5
        for name in "bcd":
            pool.watch(name)
        for _ in range(3):
            pool.reportCheck("b", FAILED)
        pool.reportCheck("b", PASSED)
        for result in (FAILED, FAILED, FAILED, PASSED, PASSED):
            pool.reportCheck("c", result)
        pool.reportLoad("c", 0.25)
        reply = AgentReply(state=AgentState.DRAIN, percent=50, maxConnections=7)
        pool.reportAgent("d", reply)
        bench.now += 3.0
        pool.advance(bench.now)

    def kinds(self) -> list[str]:
        return [f"{event.kind.value} {event.key[-1]}" for event in self.told]


class KeptPoolTests(KeptPoolTestCase):
    """
    Tests for L{KeptPool}, and the verbs of L{HostPool} for connections that move.
    """

    def test_everything(self) -> None:
        """
        Health, marks, holds, loads, slow start, what agents say and counts are the same.
        """
        self.past()
        before = self.bench.pool.snapshot()
        pool = self.upgraded()
        self.assertEqual(pool.snapshot(), before)
        self.assertEqual(self.kinds(), [])
        words = [host.stateWord for host in pool.hosts]
        self.assertEqual(words, ["due", "coming-up", "up", "drain"])
        for name in "abcd":
            one, other = (each.getHost(name) for each in (self.bench.pool, pool))
            self.assertEqual(one.kept(), other.kept())

    def test_goesOn(self) -> None:
        """
        What would have happened next happens next: the retry, the growth of a weight, the end of
        a hold and of a load that is not reported.
        """
        self.past()
        pools = self.bench.pool, self.upgraded()
        for _ in range(200):
            deadlines = [pool.nextDeadline() for pool in pools]
            self.assertEqual(deadlines[0], deadlines[1])
            if deadlines[0] is None:
                break
            self.bench.now = max(self.bench.now, deadlines[0])
            for pool in pools:
                pool.advance(self.bench.now)
            self.assertEqual(pools[0].snapshot(), pools[1].snapshot())
            picks = [pool.claim(None, frozenset()) for pool in pools]
            names = [None if lease is None else lease.host.name for lease in picks]
            self.assertEqual(names[0], names[1])
        else:
            self.fail("there is always something to do")

    def test_streaks(self) -> None:
        """
        Results in a row go on being counted.
        """
        self.bench.pool.watch("a")
        for _ in range(2):
            self.bench.pool.reportCheck("a", FAILED)
        pool = self.upgraded()
        self.assertEqual(pool.getHost("a").stateWord, "going-down")
        pool.reportCheck("a", FAILED)
        self.assertEqual(pool.getHost("a").stateWord, "down")
        self.assertEqual(self.kinds(), ["host-down a"])

    def test_readopt(self) -> None:
        """
        A connection that moves is no new one: only C{active} counts it again.
        """
        lease = self.bench.attempt().connected()
        lease.add(10, 20)
        name = lease.host.name
        state = self.bench.pool.kept.state()
        before = self.bench.pool.snapshot()
        pool = self.heir()
        takeOver(pool, [state])
        self.bench.now += 5
        began = lease.host.began
        again = pool.readopt(
            name, "x:1", began=began, since=lease.since, bytesIn=10, bytesOut=20, clientAddr="me"
        )
        pool.restored()
        self.bench.now -= 5
        self.assertEqual(pool.snapshot(), before)
        self.assertEqual((again.since, again.clientAddr), (lease.since, "me"))
        self.assertEqual((again.bytesIn, again.bytesOut), (10, 20))
        again.add(1, 2)
        again.release()
        counters = pool.getHost(name).counters
        self.assertEqual(pool.getHost(name).active, 0)
        self.assertEqual((counters.connections, counters.bytesIn, counters.bytesOut), (1, 11, 22))

    def test_fewerAndMore(self) -> None:
        """
        A host that the new file does not have leaves when its last connection ends; one that is
        new starts slowly; one without connections is gone at once.
        """
        lease = self.bench.attempt().connected()
        name = lease.host.name
        bare = next(each for each in "abcd" if each != name)
        lease.add(1, 2)
        hosts = [h.configured for h in self.bench.pool.hosts if h.name not in {name, bare}]
        pool = self.heir(hosts=[*hosts, ProxyHost("new", "127.0.0.1", 9000)])
        takeOver(pool, [*self.bench.pool.kept.ahead(), self.bench.pool.kept.rest()])
        again = pool.readopt(name, "127.0.0.1:1", began=lease.host.began)
        self.assertTrue(again.host.leaving)
        self.assertEqual([host.name for host in pool.leaving], [name])
        pool.restored()
        told = sorted([f"host-gone {bare}", f"host-removed {bare}", f"host-removed {name}"])
        self.assertEqual(sorted(self.kinds()), told)
        self.assertEqual(again.host.counters.bytesOut, 2)
        self.assertLess(pool.getHost("new").effectiveWeight, 1)
        self.told.clear()
        again.release()
        self.assertEqual(self.kinds(), [f"host-gone {name}"])
        self.assertEqual(pool.leaving, [])

    def test_leaving(self) -> None:
        """
        Hosts that were leaving already are told apart from others of their name, and their
        deadlines stand.
        """
        bench, pool = self.bench, self.bench.pool
        leases = []
        for number in range(3):
            bench.now += 1
            excluded = frozenset(h.key for h in pool.hosts if h.name != "a")
            lease = pool.claim(f"client {number}", excluded)
            assert lease is not None
            leases.append(lease)
            if number < 2:
                pool.removeHost("a", deadline=50.0 + number)
                pool.addHost(ProxyHost("a", "127.0.0.1", 7000))
        before = pool.snapshot()
        heir = self.heir()
        takeOver(heir, [pool.kept.state()])
        again = [
            heir.readopt("a", "127.0.0.1:7000", began=lease.host.began, since=lease.since)
            for lease in leases
        ]
        heir.restored()
        self.assertEqual(self.kinds(), [])
        self.assertEqual(heir.snapshot(), before)
        self.assertEqual([lease.host.leaving for lease in again], [True, True, False])
        cut: list[object] = []
        heir.cut = lambda host, outcome: cut.append((host, outcome))
        bench.now += 50
        heir.advance(bench.now)
        ends = [(lease.host, Outcome.DRAIN_TIMEOUT) for lease in again[:2]]
        self.assertEqual(cut, ends)

    def test_unknownHost(self) -> None:
        """
        A connection to a host of which nothing is known keeps it as one that is leaving, unless
        there is one of its name.
        """
        pool = self.heir()
        lease = pool.readopt("z", "192.0.2.1:80", began=5.0)
        self.assertIs(pool.readopt("z", "192.0.2.1:80", began=5.0).host, lease.host)
        self.assertEqual(str(lease.host.address), "192.0.2.1:80")
        self.assertIs(pool.readopt("a", "192.0.2.1:80", began=5.0).host, pool.getHost("a"))
        self.assertIs(pool.readopt("a", "192.0.2.1:80").host, pool.getHost("a"))
        self.assertIs(pool.readopt("z", "192.0.2.1:80").host, lease.host)
        self.assertRaises(StateError, pool.readopt, "y", "nowhere")
        self.assertEqual(pool.active, 5)

    def test_neverClaimed(self) -> None:
        """
        A host that was leaving, and whose connections have not come, is gone.
        """
        pool = self.bench.pool
        lease = self.bench.attempt().connected()
        pool.removeHost(lease.host.name)
        heir = self.heir()
        takeOver(heir, [pool.kept.state()])
        heir.restored()
        self.assertEqual(self.kinds(), [f"host-gone {lease.host.name}"])
        self.assertEqual(heir.leaving, [])

    def test_moved(self) -> None:
        """
        Of a host that has another address in the new file only the counts are taken over, as if
        the file had been loaded again.
        """
        self.past()
        old = self.bench.pool
        hosts = [replace(host.configured, port=host.configured.port + 100) for host in old.hosts]
        pool = self.upgraded(self.heir(hosts=hosts))
        for name in "abcd":
            host = pool.getHost(name)
            self.assertEqual(host.stateWord, "unchecked")
            self.assertEqual(host.counters.failures, old.getHost(name).counters.failures)
            self.assertEqual(host.began, old.getHost(name).began)
        self.assertEqual(pool.getHost("a").upShare(self.bench.now), 1.0)

    def test_drains(self) -> None:
        """
        The deadline of a host that drains stands. If the new file has the host ready it is.
        """
        bench, pool = self.bench, self.bench.pool
        lease = bench.attempt().connected()
        name = lease.host.name
        pool.setState(name, "drain", 30.0)
        bench.now += 10
        heir = self.heir()
        takeOver(heir, [pool.kept.state()])
        heir.readopt(name, "x:1", began=lease.host.began)
        heir.restored()
        row = next(each for each in heir.hostSnapshots() if each.name == name)
        self.assertEqual((row.state, row.drainedIn, row.since), ("drain", 20.0, 10.0))
        ready = replace(pool.getHost(name).configured, state="ready")
        hosts = [ready if each.name == name else each.configured for each in pool.hosts]
        again = self.upgraded(self.heir(hosts=hosts))
        row = next(each for each in again.hostSnapshots() if each.name == name)
        self.assertEqual((row.state, row.drainedIn, row.since), ("up", None, 0.0))

    def test_trial(self) -> None:
        """
        A trial that is under way begins anew: the next client makes it.
        """
        bench, pool = self.bench, self.bench.pool
        for host in pool.hosts[1:]:
            pool.setState(host.name, "drain")
        bench.fell("a")
        bench.now += 2
        attempt = bench.attempt()
        self.assertEqual(pool.getHost("a").stateWord, "trial")
        heir = self.upgraded()
        self.assertEqual(heir.getHost("a").stateWord, "due")
        kept = plainly(attempt.dial.kept())
        self.assertEqual(kept["tried"], [])
        again = heir.redial(None, PATIENT, began=kept["began"], tried=kept["tried"]).goOn()
        assert isinstance(again, Attempt)
        self.assertTrue(again.lease.trial)
        again.connected()
        self.assertEqual(heir.getHost("a").stateWord, "up")

    def test_circuit(self) -> None:
        """
        A circuit that was open closes when the searches begin anew, and the event says so.
        """
        bench = self.bench = Bench("a", maxPending=2)
        attempts = [bench.attempt(), bench.attempt()]
        self.assertEqual(bench.told(), ["circuit-opened a"])
        heir = self.upgraded()
        self.assertEqual(self.kinds(), ["circuit-closed a"])
        dials = [heir.redial(None, PATIENT, began=each.dial.began) for each in attempts]
        for dial in dials:
            self.assertIsInstance(dial.goOn(), Attempt)
            self.assertRaises(ValueError, dial.goOn)
        self.assertEqual(self.kinds(), ["circuit-closed a", "circuit-opened a"])

    def test_searches(self) -> None:
        """
        A search goes on within its own time and tries, and has not tried the host to which it
        was connecting. One that has reached a host keeps its times for the record.
        """
        bench = self.bench
        attempt = bench.attempt()
        bench.now += 1
        following = attempt.failed(REFUSED)
        assert isinstance(following, Attempt)
        kept = plainly(following.dial.kept())
        self.assertEqual(kept["tried"], [attempt.host.name])
        heir = self.upgraded()
        limits = replace(PATIENT, dialTimeout=5.0)
        dial = heir.redial(None, limits, began=kept["began"], tried=kept["tried"])
        self.assertEqual(dial.began, bench.now - 1)
        step = dial.goOn()
        assert isinstance(step, Attempt)
        self.assertEqual(step.deadline, bench.now + 4.0)
        self.assertNotEqual(step.host.name, attempt.host.name)
        bench.now += 10
        late = heir.redial(None, limits, began=kept["began"]).goOn()
        assert isinstance(late, GaveUp)
        self.assertIs(late.reason, GaveUpReason.TIMEOUT)
        following.connected()
        kept = plainly(following.dial.kept())
        over = heir.redial(
            None, limits, began=kept["began"], tried=kept["tried"], connectTime=kept["connectTime"]
        )
        self.assertEqual((over.tries, over.connectTime), (2, following.dial.connectTime))

    def test_queue(self) -> None:
        """
        Clients that wait keep their order and their deadlines.
        """
        bench = self.bench = Bench("a", "b", maxQueue=10, queueTimeout=5.0)
        for name in "ab":
            configured = bench.pool.getHost(name).configured
            bench.pool.changeHost(replace(configured, maxConnections=1))
        leases = [bench.attempt().connected() for _ in range(2)]
        places = []
        for number in range(3):
            bench.now += 1
            place = bench.dial(clientAddr=f"client {number}").start()
            assert isinstance(place, Waiting)
            places.append(place)
        self.assertEqual(bench.pool.waiting, places)
        before = bench.pool.snapshot()
        heir = self.heir()
        takeOver(heir, [bench.pool.kept.state()])
        again = [
            heir.readopt(each.host.name, "x:1", began=each.host.began, since=each.since)
            for each in leases
        ]
        woken: list[object] = []
        for place in bench.pool.waiting:
            dial = heir.redial(place.dial.clientAddr, PATIENT, began=place.dial.began)
            heir.waitAgain(dial, place.deadline).whenWoken(woken.append)
        heir.restored()
        self.assertEqual(heir.snapshot(), before)
        again[0].release()
        (first,) = woken
        assert isinstance(first, Attempt)
        self.assertEqual(first.dial.clientAddr, "client 0")
        bench.now = places[1].deadline
        heir.advance(bench.now)
        assert isinstance(woken[1], GaveUp)
        self.assertIs(woken[1].reason, GaveUpReason.QUEUE_TIMEOUT)
        self.assertEqual(len(heir.waiting), 1)

    def test_backups(self) -> None:
        """
        Backup hosts that are used stay so, until they are left in their time.
        """
        bench = self.bench = Bench("a", "b", holdDown=5.0)
        bench.pool.changeHost(replace(bench.pool.getHost("b").configured, backup=True))
        lease = bench.attempt().connected()
        lease.release()
        bench.pool.watch("a")
        for result in (FAILED, FAILED, FAILED, PASSED, PASSED):
            bench.pool.reportCheck("a", result)
        before = bench.pool.snapshot()
        self.assertTrue(before.backupUsed)
        bench.now += 2
        heir = self.upgraded()
        self.assertEqual(heir.snapshot(), bench.pool.snapshot())
        self.assertEqual(self.kinds(), [])
        bench.now += 3
        heir.advance(bench.now)
        self.assertEqual(self.kinds(), ["backup-left g"])
        self.assertFalse(heir.snapshot().backupUsed)

    def test_resolved(self) -> None:
        """
        The addresses of names are kept, until a look-up finds others. The one that the next
        client is sent to comes first.
        """
        bench = self.bench
        bench.pool.addHost(ProxyHost("n", "name.example", 80))
        addresses = [TCPAddress("192.0.2.1", 80), TCPAddress("192.0.2.2", 80)]
        bench.pool.setAddresses("n", addresses)
        bench.pool.reportReached("n", addresses[1])
        heir = self.upgraded()
        host = heir.getHost("n")
        self.assertEqual(host.address, addresses[1])
        self.assertEqual(set(host.addresses), set(addresses))
        # If the new process has found others already, those count.
        other = self.heir()
        found = [TCPAddress("192.0.2.3", 80), TCPAddress("192.0.2.2", 80)]
        other.setAddresses("n", found)
        self.upgraded(other)
        self.assertEqual(other.getHost("n").address, addresses[1])
        self.assertEqual(set(other.getHost("n").addresses), set(found))

    def test_otherPolicy(self) -> None:
        """
        The turns of a policy count for the same policy only.
        """
        for _ in range(3):
            self.bench.pool.acquire().release()
        same = self.upgraded()
        other = self.upgraded(self.heir(scheduler="weightlc"))
        self.assertEqual(other.scheduler.name, "weightlc")
        old = self.bench.pool
        names = [[pool.acquire().host.name for _ in range(4)] for pool in (old, same)]
        self.assertEqual(names[0], names[1])

    def test_ahead(self) -> None:
        """
        The rest has only what has changed: the health of one host, the traffic of another.
        """
        pool = self.bench.pool
        pieces = list(pool.kept.ahead())
        self.bench.fell("a")
        lease = self.bench.attempt().connected()
        lease.add(5, 6)
        rest = pool.kept.rest()
        hosts, traffic = rest["hosts"], rest["traffic"]
        assert isinstance(hosts, dict) and isinstance(traffic, dict)
        self.assertEqual((list(hosts), list(traffic)), (["a"], [lease.host.name]))
        heir = self.heir()
        takeOver(heir, [*pieces, rest])
        heir.readopt(lease.host.name, "x:1", began=lease.host.began, since=lease.since)
        heir.restored()
        self.assertEqual(heir.snapshot(), pool.snapshot())

    def test_otherRelease(self) -> None:
        """
        Keys that are not known have no effect, and those that are missing stand for the usual
        values.
        """
        self.past()
        state = plainly(self.bench.pool.kept.state())
        for row in state["hosts"].values():
            row["mood"] = {"good": True}
            row["traffic"].append("much")
        state["weather"] = "fine"
        heir = self.heir()
        takeOver(heir, [state])
        heir.restored()
        self.assertEqual(heir.snapshot(), self.bench.pool.snapshot())
        bare = self.heir()
        takeOver(bare, [{}, {"hosts": {"a": {}}, "names": ["a"]}])
        bare.restored()

    def test_refused(self) -> None:
        """
        A value that can't be right is refused wherever it stands, and nothing is changed.
        """
        self.past()
        state = plainly(self.bench.pool.kept.state())
        heir = self.heir()
        before = heir.snapshot()
        far = self.bench.now + 10 * DAY
        places = list(_placesIn(state))
        wrong: Any
        self.assertGreater(len(places), 60)
        for path in places:
            for wrong in ({"no": 1}, [1, {}], "\udcff" * 70_000, -1e300, far, True, None):
                broken = plainly(state)
                _set(broken, path, wrong)
                try:
                    heir.kept.restoring(Facts(broken, "group g"), self.bench.now)
                except StateError as error:
                    self.assertNotIn("Traceback", str(error))
                    self.assertLess(len(str(error)), 1000)
        self.assertEqual(heir.snapshot(), before)
        for key, wrong in (
            ("hosts", []),
            ("hosts", {"a": 1}),
            ("traffic", {"a": [1]}),
            ("traffic", {"a": [1, 2, 3, 4, "x", 0, 0, 0]}),
            ("traffic", {"a": [1, 2, 3, -4, None, 0, 0, 0]}),
            ("names", [1]),
            ("leaving", [{"name": "a", "address": "nowhere"}]),
            ("leaving", {}),
            ("backups", {"used": 1, "names": []}),
            ("down", "a"),
            ("scheduler", {"word": "roundr", "turns": 1}),
            ("hosts", {"a": {"asked": "maybe"}}),
            ("hosts", {"a": {"resolved": ["nowhere"]}}),
            ("hosts", {"a": {"passive": {"state": "ill"}}}),
            ("hosts", {"a": {"passive": {"retryAt": far}}}),
            ("hosts", {"a": {"health": {"lastAt": far, "passed": True}}}),
        ):
            broken = {**state, key: wrong}
            facts = Facts(broken, "group g")
            self.assertRaises(StateError, heir.kept.restoring, facts, self.bench.now)
        self.assertEqual(heir.snapshot(), before)


def _placesIn(value: Any, path: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    """
    Yield the path of each value.
    """
    if path:
        yield path
    pairs: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        yield from _placesIn(inner, (*path, key))


def _set(value: Any, path: tuple[Any, ...], to: object) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = to

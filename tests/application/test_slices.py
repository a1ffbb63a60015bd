"""
Tests for L{txlb.application._slices}, L{txlb.application._line} and for changes in
slices.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.application.balancers import ServiceCase
from tests.fired import fired
from txlb.application import ConfigurationFile, _ahead, _file, _line, _slices
from txlb.application import service as balancer
from txlb.application._daemon import Daemon
from txlb.application._line import Line
from txlb.application._slices import Slices
from txlb.config import loadConfiguration
from txlb.errors import (
    ChangeStopped,
    ChangeUnderWay,
    ListenError,
    ModelError,
    TxlbError,
    UnknownName,
)
from txlb.manager import _reconcile
from txlb.model import HealthCheck, Listener, Plan, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import EventKind


@implementer(IReactorFromThreads)
class ThreadedReactor:
    """
    A reactor to which a thread hands a call, which the test lets it do.
    """

    running: ClassVar[bool] = True

    def __init__(self) -> None:
        self.called = threading.Event()
        self.calls: list[Any] = []

    def callFromThread(
        self,
        callable: Callable[..., Any],  # noqa: A002 - as in the interface
        *args: object,
        **kwargs: object,
    ) -> None:
        self.calls.append((callable, args))
        self.called.set()

    def turn(self) -> None:
        assert self.called.wait(30)
        for function, arguments in self.calls:
            function(*arguments)


class EngineOf:
    started = True
    deadlines = None

    def __init__(self, reactor: object) -> None:
        self.reactor = reactor


class ThreadTests(SynchronousTestCase):
    """
    Pure work in a thread.
    """

    def setUp(self) -> None:
        self.reactor = ThreadedReactor()
        engine: Any = EngineOf(self.reactor)
        self.slices = Slices(lambda: engine, lambda: 0.0)

    def test_result(self) -> None:
        """
        The function is called in another thread, and its result comes in the reactor's.
        Meanwhile the garbage collector rests, and the reactor has its turn soon.
        """
        before = sys.getswitchinterval()
        ids: list[int] = []

        def work(number: int) -> int:
            ids.append(threading.get_ident())
            return number + 1

        found = Deferred.fromCoroutine(self.slices.inThread(work, 3))
        self.assertNoResult(found)
        self.assertFalse(gc.isenabled())
        self.assertAlmostEqual(sys.getswitchinterval(), _slices.SWITCH)
        self.reactor.turn()
        self.assertEqual(self.successResultOf(found), 4)
        self.assertNotEqual(ids, [threading.get_ident()])
        self.assertTrue(gc.isenabled())
        self.assertEqual(sys.getswitchinterval(), before)

    def test_error(self) -> None:
        """
        An error comes whole, with its class and its message.
        """

        def work() -> None:
            raise ModelError("it is wrong")

        found = Deferred.fromCoroutine(self.slices.inThread(work))
        self.reactor.turn()
        self.assertEqual(str(self.failureResultOf(found, ModelError).value), "it is wrong")
        self.assertTrue(gc.isenabled())

    def test_cancelled(self) -> None:
        """
        If nothing waits for it any more, the result is dropped.
        """
        found = Deferred.fromCoroutine(self.slices.inThread(int, "3"))
        found.cancel()
        self.failureResultOf(found, CancelledError)
        self.reactor.turn()
        self.assertTrue(gc.isenabled())

    def test_frozen(self) -> None:
        """
        Objects that an application has frozen stay so, and a collector that it has
        switched off stays off.
        """
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        gc.disable()
        self.addCleanup(gc.enable)
        count = gc.get_freeze_count()
        found = Deferred.fromCoroutine(self.slices.inThread(int, "3"))
        self.reactor.turn()
        self.assertEqual(self.successResultOf(found), 3)
        self.assertFalse(gc.isenabled())
        self.assertGreater(gc.get_freeze_count(), count // 2)

    def test_noThreads(self) -> None:
        """
        Without a run, or with a reactor that has no threads, the function is called at once.
        """
        for engine in (None, EngineOf(object())):
            given: Any = engine
            slices = Slices(lambda given=given: given, lambda: 0.0)  # type: ignore[misc]  # bound at once
            self.assertEqual(fired(Deferred.fromCoroutine(slices.inThread(int, "3"))), 3)
            self.assertEqual(fired(Deferred.fromCoroutine(slices.aside(int, "3"))), 3)

    def test_aside(self) -> None:
        """
        A look at files is in a thread as well, and the collector goes on.
        """
        found = Deferred.fromCoroutine(self.slices.aside(threading.get_ident))
        self.assertTrue(gc.isenabled())
        self.assertNoResult(found)
        self.reactor.turn()
        self.assertNotEqual(self.successResultOf(found), threading.get_ident())

    def test_garbage(self) -> None:
        """
        Young garbage goes before the collector rests, as it would count as old after that.
        """

        class Knot:
            pass

        knot: Any = Knot()
        knot.itself = knot
        gone = weakref.ref(knot)
        del knot
        with self.slices.working():
            self.assertIsNone(gone())


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.line = Line()
        self.began: list[Deferred[int]] = []

    async def work(self) -> int:
        self.began.append(Deferred())
        return await self.began[-1]

    def test_oneByOne(self) -> None:
        """
        One thing begins when the one before has ended, even if that has failed.
        """
        first, second = self.line.run(self.work), self.line.run(self.work)
        self.assertEqual((len(self.began), self.line.busy), (1, True))
        self.began[0].errback(ModelError("no"))
        self.failureResultOf(first, ModelError)
        self.assertEqual(len(self.began), 2)
        self.began[1].callback(7)
        self.assertEqual((self.successResultOf(second), self.line.busy), (7, False))

    def test_bounded(self) -> None:
        """
        If too many wait, the next one is refused, and told so.
        """
        waiting = [self.line.run(self.work) for _ in range(1 + _line.MOST_WAITING)]
        refused = self.failureResultOf(self.line.run(self.work), ChangeUnderWay)
        self.assertEqual(
            str(refused.value),
            "the file is in use, and 8 commands wait for it already; nothing was done, try again "
            "when they are done",
        )
        self.line.stop()
        for each in waiting:
            self.failureResultOf(each, CancelledError)
        self.assertEqual((len(self.began), self.line.busy), (1, False))


SETTING = EventKind.SETTING_CHANGED

#: Settings that are not those of a scheduler.
BAD: dict[str, Any] = {"maxQueue": 3}

GROUP = ProxyGroup("main", "leastc", True, [ProxyHost("h0", "127.0.0.1", 7001)])

FILE = """\
<config>
  <service name="web" relay="portable">
    <listen ip="127.0.0.1:{port}"/>
    <group name="main" enable="true">
{hosts}
    </group>
  </service>
  <manager/>
</config>
"""


class InSlicesTests(ServiceCase):
    """
    Changes in slices of one host, with a pause after each.
    """

    def setUp(self) -> None:
        super().setUp()
        self.loops = 0
        self.patch(_slices, "SLICE", 0.0)
        self.patch(_reconcile, "MOST", 1)
        self.patch(_file, "MOST_HOSTS", 0)
        hosts = tuple(f"127.0.0.1:{7001 + number}" for number in range(4))
        self.balancer(f"127.0.0.1:{self.freePort()}", hosts=hosts)
        self.start()

    def web(self, weight: int = 1, without: int = 0) -> ProxyService:
        service = self.manager.getService("web")
        hosts = [replace(each, weight=weight) for each in service.groups[0].hosts[without:]]
        return replace(service, groups=(replace(service.groups[0], hosts=tuple(hosts)),))

    def weights(self) -> list[int]:
        return [host.weight for host in self.manager.getPool("web").hosts]

    def goesOn(self, condition: bool) -> bool:
        """
        Return a condition for another turn, of which there are a thousand at most.
        """
        self.loops += 1
        self.assertLess(self.loops, 1000)
        return condition

    def turn(self, count: int = 1) -> None:
        for _ in range(count):
            self.reactor.advance(_slices.PAUSE)

    def test_slices(self) -> None:
        """
        One host is changed after the other, with turns of the reactor in between. The model
        and the pool agree meanwhile, and other changes are refused before anything of them is
        done.
        """
        told: list[object] = []
        self.manager.subscribe(told.append)
        change = self.lbs.applyInSlices([self.web(5)])
        seen = []
        address = self.lbs.getProxyService("web").addresses
        while self.goesOn(not change.called):
            seen.append(self.weights())
            configured = [each.weight for each in self.manager.getService("web").groups[0].hosts]
            self.assertEqual(configured, self.weights())
            self.assertRaises(ChangeUnderWay, self.manager.setWeight, "web", "main", "h0", 7)
            self.assertRaises(ChangeUnderWay, self.lbs.apply, [self.web(7)])
            self.assertRaises(ChangeUnderWay, self.lbs.switchPort, "web", self.freePort())
            self.failureResultOf(self.lbs.applyInSlices([self.web(7)]), ChangeUnderWay)
            self.assertEqual(self.lbs.getProxyService("web").addresses, address)
            self.turn()
        for count in range(5):
            self.assertIn([5] * count + [1] * (4 - count), seen)
        events = self.successResultOf(change)
        self.assertEqual((len(events), list(events)), (4, told))
        self.manager.setWeight("web", "main", "h0", 7)
        self.assertEqual(self.weights(), [7, 5, 5, 5])

    def test_listeners(self) -> None:
        """
        A new service listens when all services are there, and one that goes has a host as long as
        it listens.
        """
        mail = ProxyService("mail", [f"127.0.0.1:{self.freePort()}"], [GROUP], relay="portable")
        self.lbs.apply([self.web(), mail])
        news = ProxyService("news", [f"127.0.0.1:{self.freePort()}"], [GROUP], relay="portable")
        change = self.lbs.applyInSlices([self.web(3), news])
        seen = []
        while self.goesOn(not change.called):
            names = self.lbs.getProxyNames()
            if names not in seen:
                seen.append(names)
            if "mail" in names:
                self.assertEqual(self.manager.getPool("mail").readyCount, 1)
            if "news" in names:
                self.assertEqual(self.manager.getPool("news").readyCount, 1)
                self.assertTrue(self.lbs.getProxyService("news").addresses)
            self.turn()
        self.successResultOf(change)
        self.assertEqual(seen, [["web", "mail"], ["web"], ["web", "news"]])
        self.assertEqual(list(self.manager.services), ["web", "news"])

    def test_scheduler(self) -> None:
        """
        A policy for many hosts gets them in slices, and other changes are refused until it is
        used.
        """
        group = self.manager.getGroup("web", "main")
        change = self.lbs.setScheduler("web", "main", "p2c", choices=3)
        (event, setting) = self.successResultOf(change)
        self.assertEqual((event.kind, setting.kind), (EventKind.SCHEDULER_CHANGED, SETTING))
        self.patch(balancer, "HOSTS_AT_ONCE", 1)
        pool = self.manager.getPool("web")
        with self.manager.by("uid:1"):
            change = self.lbs.setScheduler("web", "main", "weightr")
        while self.goesOn(not change.called):
            self.assertRaises(ChangeUnderWay, self.manager.setWeight, "web", "main", "h0", 7)
            self.assertEqual(self.manager.getGroup("web", "main").scheduler, pool.scheduler.name)
            self.turn()
        self.assertEqual([each.by for each in self.successResultOf(change)], ["uid:1"])
        self.assertEqual(pool.scheduler.name, "weightr")
        self.assertEqual(self.manager.getGroup("web", "main").choices, 3)
        self.assertEqual(group.hosts, self.manager.getGroup("web", "main").hosts)
        for name, word, more in (("main", "best", {}), ("none", "p2c", {}), ("main", "p2c", BAD)):
            self.failureResultOf(self.lbs.setScheduler("web", name, word, **more), UnknownName)

    def many(self, count: int = 6) -> list[ProxyService]:
        """
        Services with a listener each.
        """
        with contextlib.ExitStack() as held:
            # Each is held until all are known, so that no two are the same.
            sockets = [held.enter_context(socket.socket()) for _ in range(count)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in sockets]
        return [
            ProxyService(f"s{number}", [f"127.0.0.1:{port}"], [GROUP], relay="portable")
            for number, port in enumerate(ports)
        ]

    def watchOpened(self) -> list[Any]:
        """
        Note the listeners that the balancer opens.
        """
        opened: list[Any] = []
        engine = self.lbs.engine
        open_ = engine.open

        def noted(configured: Listener) -> Any:
            opened.append(open_(configured))
            return opened[-1]

        self.patch(engine, "open", noted)
        return opened

    def isFree(self, listener: Any) -> bool:
        """
        Return whether another program could listen where a listener did.
        """
        address = listener.addresses[0]
        with socket.socket() as sock:
            try:
                sock.bind((address.host, address.port))
            except OSError:
                return False
        return True

    def test_manyListeners(self) -> None:
        """
        Listeners are opened one by one before anything is changed, and closed one by one. None
        of the old ones is closed before all services are there, and each service that is gone
        has no listener any more.
        """
        old = self.many()
        self.lbs.apply(old)
        new = self.many()
        opened = self.watchOpened()
        change = self.lbs.applyInSlices([replace(each, name=f"new{each.name}") for each in new])
        counts, before = [0], list(self.lbs._listeners())
        closed = [each.listener for each in before]
        while self.goesOn(not change.called):
            if len(opened) != counts[-1]:
                counts.append(len(opened))
                self.assertEqual(list(self.manager.services), [each.name for each in old])
            if any(map(self.isFree, closed)):
                self.assertEqual(len(self.manager.services), 12)
                break
            self.turn()
        while self.goesOn(not change.called):
            self.turn()
            listening = {each.serviceName for each in self.lbs._listeners()}
            self.assertLessEqual(listening, set(self.manager.services))
        self.successResultOf(change)
        self.assertEqual(counts, list(range(7)))
        self.assertTrue(all(map(self.isFree, closed)))
        self.assertEqual([each.listener for each in self.lbs._listeners()], opened)
        self.assertTrue(all(each.isAccepting for each in self.lbs._listeners()))
        self.assertEqual(self.lbs.getProxyNames(), [f"news{number}" for number in range(6)])

    def test_oneTaken(self) -> None:
        """
        If one of many addresses can't be had, those that were opened are closed, and all is as
        before.
        """
        wanted = self.many()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            wanted[4] = replace(wanted[4], listeners=[f"127.0.0.1:{taken.getsockname()[1]}"])
            opened = self.watchOpened()
            before = self.manager.services["web"]
            change = self.lbs.applyInSlices([*wanted, self.web(5)])
            while self.goesOn(not change.called):
                self.assertIs(self.manager.services["web"], before)
                self.turn()
            self.failureResultOf(change, ListenError)
        self.assertEqual(len(opened), 4)
        self.assertTrue(all(map(self.isFree, opened)))
        self.assertEqual(self.lbs.getProxyNames(), ["web"])
        self.assertEqual((list(self.manager.services), self.weights()), (["web"], [1] * 4))

    def test_stoppedAtListeners(self) -> None:
        """
        If the balancer is stopped while listeners are opened, or put in use, or closed, none is
        left open, and it starts again with the services that are there.
        """
        for count in (2, 5, 8, 14, 20, 26, 32, 38):
            wanted = self.many(3)
            opened = self.watchOpened()
            before = [each.listener for each in self.lbs._listeners()]
            change = self.lbs.applyInSlices(wanted)
            self.turn(count)
            self.successResultOf(self.lbs.stopService())
            if change.called and not self.resultOf(change):
                self.failureResultOf(change, ChangeStopped)
            self.assertTrue(all(map(self.isFree, (*opened, *before))), count)
            names = list(self.manager.services)
            self.start()
            self.assertEqual([each.serviceName for each in self.lbs._listeners()], names)
            self.assertTrue(all(each.isAccepting for each in self.lbs._listeners()))

    def resultOf(self, change: Deferred[Any]) -> bool:
        """
        Return whether a change was done.
        """
        return not isinstance(change.result, Failure)

    def test_owner(self) -> None:
        """
        A listener that belongs to another service after the change serves clients all the time.
        """
        address = self.lbs.getProxyService("web").addresses[0]
        listener = self.lbs.getProxyService("web").listener
        mail = replace(self.web(), name="mail", listeners=[str(address)])
        change = self.lbs.applyInSlices([mail])
        while self.goesOn(not change.called):
            (name,) = self.lbs.getProxyNames()
            self.assertIn(name, self.manager.services)
            self.assertIs(self.lbs.getProxyService(name).listener, listener)
            self.assertTrue(self.lbs.getProxyService(name).isAccepting)
            self.turn()
        self.successResultOf(change)
        self.assertEqual((self.lbs.getProxyNames(), list(self.manager.services)), (["mail"],) * 2)

    def test_nothingDone(self) -> None:
        """
        What can be wrong is found before the first slice: an address that is taken, a check
        that can't be made.
        """
        with socket.create_server(("127.0.0.1", 0)) as other:
            mail = ProxyService("mail", [other.getsockname()], [GROUP], relay="portable")
            change = self.lbs.applyInSlices([self.web(5), mail])
            self.turn(20)
            self.failureResultOf(change, ListenError)
        taken = self.lbs.getProxyService("web").addresses[0]
        mail = ProxyService("mail", [str(taken)], [GROUP], relay="portable")
        change = self.lbs.applyInSlices([self.web(5), mail])
        self.turn(20)
        self.failureResultOf(change, ModelError)
        wrong = replace(self.web(5), groups=(replace(GROUP, check=HealthCheck("nonsense")),))
        change = self.lbs.applyInSlices([wrong])
        self.turn(20)
        self.failureResultOf(change, TxlbError)
        self.assertEqual(self.weights(), [1] * 4)
        self.manager.setWeight("web", "main", "h0", 7)

    def test_stopped(self) -> None:
        """
        A balancer that is stopped between two slices has what the last one has made, and is
        started again with it.
        """
        mail = ProxyService("mail", [f"127.0.0.1:{self.freePort()}"], [GROUP], relay="portable")
        change = self.lbs.applyInSlices([mail, self.web(5)])
        while self.goesOn(self.weights() != [5, 1, 1, 1]):
            self.turn()
        self.successResultOf(self.lbs.stopService())
        error = self.failureResultOf(change, ChangeStopped)
        self.assertEqual(str(error.value), "the balancer was stopped while it was changed")
        self.assertEqual(self.weights(), [5, 1, 1, 1])
        self.start()
        self.assertEqual(self.lbs.getProxyNames(), ["web", "mail"])
        self.assertTrue(self.lbs.getProxyService("mail").addresses)
        self.manager.setWeight("web", "main", "h1", 7)

    # The file

    def file(self, weight: int = 1) -> ConfigurationFile:
        """
        Write the file, and let the balancer be made from it the first time.
        """
        hosts = "\n".join(
            f'      <host name="h{number}" ip="127.0.0.1:{7001 + number}" weight="{weight}"/>'
            for number in range(4)
        )
        address: Any = self.lbs.getProxyService("web").addresses[0]
        if not hasattr(self, "path"):
            folder = self.mktemp()
            os.mkdir(folder)
            self.path = os.path.abspath(os.path.join(folder, "c.xml"))
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(FILE.format(port=address.port, hosts=hosts))
        if self.lbs.configuration is None:
            loaded = loadConfiguration(self.path)
            self.lbs.apply(loaded.services)
            ConfigurationFile(self.lbs, loaded)
        assert self.lbs.configuration is not None
        return self.lbs.configuration

    def test_reload(self) -> None:
        """
        A reload changes as much in slices, and another one waits until it is done. A command that
        changes a host meanwhile is refused.
        """
        file = self.file()
        self.file(5)
        done: list[list[int]] = []

        def note(plan: Plan) -> Plan:
            done.append(self.weights())
            return plan

        first = self.lbs.reload().addCallback(note)
        self.turn()
        self.assertRaises(ChangeUnderWay, self.manager.setWeight, "web", "main", "h0", 7)
        self.file(6)
        second, third = self.lbs.reload(), file.drift()
        self.turn(60)
        self.assertEqual(len(self.successResultOf(first).changes), 4)
        self.assertEqual(done, [[5] * 4])
        self.assertEqual(len(self.successResultOf(second).changes), 4)
        self.assertEqual(self.weights(), [6] * 4)
        self.assertFalse(self.successResultOf(third))

    def test_smallReload(self) -> None:
        """
        A reload of a small file to a small balancer is done when the call returns, however
        slow the machine is.
        """
        self.file()
        self.file(5)
        self.patch(_file, "MOST_HOSTS", 4)
        self.assertEqual(len(self.successResultOf(self.lbs.reload()).changes), 4)
        self.assertEqual(self.weights(), [5] * 4)
        self.file(6)
        self.patch(_file, "MOST_HOSTS", 3)
        change = self.lbs.reload()
        self.assertNoResult(change)
        self.turn(60)
        self.successResultOf(change)

    def test_followers(self) -> None:
        """
        With a large file clients are served between the last slice and what else a reload
        changes.
        """
        self.patch(_file, "SMALL", 0)
        file = self.file()
        self.file(5)
        told: list[object] = []
        file.follow(told.append)
        change = self.lbs.reload()
        while self.goesOn(file.loaded.services[0].groups[0].hosts[0].weight == 1):
            self.turn()
        self.assertEqual(told, [])
        self.turn(10)
        self.assertEqual(told, [file.loaded])
        self.successResultOf(change)

    def test_reloadStopped(self) -> None:
        """
        A reload that the end of the balancer cuts short fails, and is not said to be in
        force.
        """
        file = self.file()
        self.file(5)
        change, waiting = self.lbs.reload(), file.drift()
        self.turn(2)
        self.successResultOf(self.lbs.stopService())
        self.failureResultOf(change, ChangeStopped)
        self.failureResultOf(waiting, CancelledError)
        self.assertIsInstance(file.lastError, ChangeStopped)
        self.assertEqual([each.weight for each in file.loaded.services[0].groups[0].hosts], [1] * 4)

    def test_notRead(self) -> None:
        """
        A reload whose file is still being read when the balancer is stopped fails as well.
        """
        file = self.file()
        reading: Deferred[Any] = Deferred()

        async def inThread(*_arguments: object, **_more: object) -> Any:
            return await reading

        self.patch(file, "_inThread", inThread)
        change = file.reload()
        self.successResultOf(self.lbs.stopService())
        error = self.failureResultOf(change, ChangeStopped)
        self.assertIn("was stopped while it loaded", str(error.value))

    def test_changedMeanwhile(self) -> None:
        """
        If a live change comes while the plan is made, the plan is made again with it, and the
        live change is not lost.
        """
        file = self.file()
        self.file(5)
        tries: list[int] = []
        lookAhead = _ahead.lookAhead

        def look(*arguments: Any) -> Any:
            found = lookAhead(*arguments)
            tries.append(1)
            if len(tries) < 3:
                self.manager.setHost("web", "main", "h3", maxConnections=len(tries))
            return found

        self.patch(_file, "lookAhead", look)
        change = file.reload()
        self.turn(20)
        self.successResultOf(change)
        self.assertEqual(len(tries), 3)
        host = self.manager.getHost("web", "main", "h3")
        self.assertEqual((host.maxConnections, host.weight), (2, 5))

    def test_hangUpWaits(self) -> None:
        """
        A SIGHUP that waits for a command when the balancer is stopped is dropped, without a
        failure in the log.
        """
        self.file()
        self.file(5)
        change = self.lbs.reload()
        reload, reloads = self.lbs.reload, []

        def noted() -> Deferred[Plan]:
            reloads.append(reload())
            return reloads[-1]

        self.patch(self.lbs, "reload", noted)
        daemon = Daemon(self.lbs, reactor=self.reactor)
        daemon.running = 1
        daemon.reload()
        daemon.running = 0
        self.successResultOf(self.lbs.stopService())
        self.failureResultOf(change, ChangeStopped)
        (waiting,) = reloads
        self.assertIsNone(self.successResultOf(waiting))

    def test_hangUp(self) -> None:
        """
        A SIGHUP that comes while the file is being loaded loads it once more, as it may have
        been read before it was changed; a third and a fourth add nothing to that.
        """
        self.file()
        daemon = Daemon(self.lbs, reactor=self.reactor)
        daemon.running = 1
        reloads: list[Deferred[Any]] = []

        def reload() -> Deferred[Any]:
            reloads.append(Deferred())
            return reloads[-1]

        self.patch(self.lbs, "reload", reload)
        for _ in range(4):
            daemon.reload()
        self.assertEqual(len(reloads), 1)
        reloads[0].errback(TxlbError("it is wrong"))
        self.assertEqual(len(reloads), 2)
        reloads[1].callback(None)
        self.assertEqual(len(reloads), 2)

"""
Tests for L{txlb.application.Daemon}.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, FirstError
from twisted.logger import LogLevel

from tests.application.balancers import ServiceCase
from tests.config.documents import SMALL
from tests.proxy.fakes import logOf
from txlb._begin import earlySignals
from txlb.application import ConfigurationFile, Daemon, Supervisor
from txlb.application._daemon import SIGNALS
from txlb.config import loadConfiguration
from txlb.pool import Event


class Noted(Service):
    """
    Notes its life.

    @ivar stopped: what its stop waits for.
    """

    def __init__(self, name: str, notes: list[str]) -> None:
        self.setName(name)
        self._notes = notes
        self.stopped: Deferred[Any] | None = None

    def startService(self) -> None:
        super().startService()
        self._notes.append(f"{self.name} starts")

    def stopService(self) -> Deferred[Any] | None:
        super().stopService()
        self._notes.append(f"{self.name} stops")
        return self.stopped


class DaemonCase(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes: list[str] = []
        for number in SIGNALS:
            before = signal.getsignal(number)
            self.addCleanup(signal.signal, number, before)

    def daemon(self, **settings: Any) -> Daemon:
        self.before, self.after = Noted("log", self.notes), Noted("manhole", self.notes)
        self.balancer(**settings)
        return Daemon(self.lbs, [self.before], [self.after], self.reactor)


class FakeSupervisor(Supervisor):
    """
    Notes what it is told.
    """

    def __init__(self, notes: list[str]) -> None:
        super().__init__("nowhere", watchdog=60.0)
        self._notes = notes

        self.told: list[tuple[str, ...]] = []

    def _tell(self, *lines: str) -> None:
        self._notes.append(lines[0])
        self.told.append(lines)


class SupervisorTests(DaemonCase):
    def test_told(self) -> None:
        """
        Who started us is told when clients are served, and when the stop begins.
        """
        self.balancer()
        daemon = Daemon(self.lbs, [], [], self.reactor, supervisor=FakeSupervisor(self.notes))
        daemon.privilegedStartService()
        self.assertEqual(self.notes, [])
        daemon.startService()
        self.assertEqual(sorted(self.notes), ["READY=1", "WATCHDOG=1"])
        relay = self.relay()
        self.come()
        stopped = daemon.stopService()
        self.assertEqual(self.notes[2:], ["STOPPING=1"])
        self.endConnection(relay)
        self.successResultOf(stopped)

    def lines(self) -> list[tuple[str, ...]]:
        """
        @return: what the supervisor was told since the last time, without the watchdog and
            the time.
        """
        found, self.supervisor.told = self.supervisor.told, []
        kept = [tuple(line for line in each if "USEC" not in line) for each in found]
        return [each for each in kept if each != ("WATCHDOG=1",)]

    def test_state(self) -> None:
        """
        It is told when the balancer accepts clients no more, and when it does again. There
        is no way back from READY=1, so that this is in the status. What it knows already it
        is not told again.
        """
        self.balancer()
        self.supervisor = FakeSupervisor(self.notes)
        daemon = Daemon(self.lbs, [], [], self.reactor, supervisor=self.supervisor)
        readiness = self.lbs.engine.readiness
        readiness.hold("standby")
        daemon.startService()
        waiting = ("STATUS=accepting no clients of web: standby",)
        ready = ("READY=1", "STATUS=serving web")
        self.assertEqual(self.lines(), [waiting])
        for _ in range(2):
            readiness.release("standby")
            readiness.update()
            self.assertEqual(self.lines(), [ready])
            readiness.hold("standby")
            self.assertEqual(self.lines(), [waiting])
        daemon.stopService()
        self.assertEqual([line for line, *_ in self.lines()], ["STOPPING=1"])
        readiness.release("standby")
        self.assertEqual(self.lines(), [])

    def test_reloads(self) -> None:
        """
        The end of a reload is told also if no client is accepted. Before the first time that
        it is ready, there is nothing that READY=1 could end.
        """
        self.balancer()
        self.supervisor = FakeSupervisor(self.notes)
        daemon = Daemon(self.lbs, [], [], self.reactor, supervisor=self.supervisor)
        readiness = self.lbs.engine.readiness
        readiness.hold("standby")
        daemon.startService()
        waiting = "STATUS=accepting no clients of web: standby"
        daemon.reload()
        self.assertEqual(self.lines(), [(waiting,)] * 2)
        readiness.release("standby")
        daemon.reload()
        ready = ("READY=1", "STATUS=serving web")
        self.assertEqual(self.lines(), [ready, ("RELOADING=1",), ready])
        readiness.hold("standby")
        daemon.reload()
        self.assertEqual(self.lines(), [(waiting,), ("RELOADING=1",), ("READY=1", waiting)])
        daemon.stopService()


class LifeTests(DaemonCase):
    def test_order(self) -> None:
        """
        What others need is started first, and stopped last; what the balancer is
        watched by is stopped after it and not before.
        """
        daemon = self.daemon()
        daemon.privilegedStartService()
        daemon.startService()
        self.assertEqual(self.notes, ["log starts", "manhole starts"])
        self.assertTrue(self.lbs.running)
        relay = self.relay()
        self.come()
        stopped = daemon.stopService()
        self.assertEqual(self.notes[2:], [])
        self.assertFalse(daemon.running)
        self.endConnection(relay)
        self.assertEqual(self.notes[2:], ["manhole stops", "log stops"])
        self.assertIsNone(self.successResultOf(stopped))

    def test_waits(self) -> None:
        """
        The stop waits for each of them.
        """
        daemon = self.daemon()
        daemon.startService()
        self.after.stopped = Deferred()
        stopped = daemon.stopService()
        self.assertEqual(self.notes[-1], "manhole stops")
        self.assertNoResult(stopped)
        self.after.stopped.callback(None)
        self.assertEqual(self.notes[-1], "log stops")
        self.successResultOf(stopped)

    def test_fails(self) -> None:
        """
        A part whose stop fails makes the whole fail.
        """
        daemon = self.daemon()
        daemon.startService()
        self.after.stopped = Deferred()
        stopped = daemon.stopService()
        self.after.stopped.errback(RuntimeError("no"))
        self.failureResultOf(stopped, FirstError)

    def test_globalReactor(self) -> None:
        """
        Without a reactor of its own it takes the global one when it starts.
        """
        from twisted.internet import reactor  # noqa: PLC0415 - as the service does

        self.balancer()
        daemon = Daemon(self.lbs)
        self.assertIsNone(daemon._reactor)
        calls: list[Any] = []
        self.patch(reactor, "callWhenRunning", calls.append)
        daemon.startService()
        self.assertIs(daemon._reactor, reactor)
        self.assertEqual(calls, [daemon._takeSignals, self.lbs.slices.collector.own])
        self.successResultOf(daemon.stopService())


class SignalTests(DaemonCase):
    def signalled(self, number: int) -> None:
        """
        This process gets a signal, and the reactor has a turn.
        """
        os.kill(os.getpid(), number)
        self.reactor.advance(0)

    def test_taken(self) -> None:
        """
        The signals are taken at the start, and once more when the reactor runs,
        as it sets handlers of its own in between; they are given back in the
        end.
        """
        before = [signal.getsignal(number) for number in SIGNALS]
        daemon = self.daemon()
        daemon.startService()
        taken = [signal.getsignal(number) for number in SIGNALS]
        self.assertNotEqual(taken, before)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.reactor.run()
        self.assertEqual([signal.getsignal(number) for number in SIGNALS], taken)
        self.successResultOf(daemon.stopService())
        self.assertEqual([signal.getsignal(number) for number in SIGNALS], before)

    def test_beforeItRuns(self) -> None:
        """
        A signal that comes before the reactor runs stops it when it does.
        """
        daemon = self.daemon()
        daemon.startService()
        self.reactor.hasStopped = False
        os.kill(os.getpid(), SIGNALS[0])
        self.assertFalse(self.reactor.hasStopped)
        self.reactor.run()
        self.reactor.advance(0)
        self.assertTrue(self.reactor.hasStopped)
        self.successResultOf(daemon.stopService())

    def checkFirst(self, number: int) -> None:
        daemon = self.daemon()
        daemon.startService()
        self.reactor.run()
        self.reactor.hasStopped = False
        relay = self.relay()
        self.signalled(number)
        self.assertTrue(self.reactor.hasStopped)
        self.assertEqual(relay.aborted, 0)
        self.successResultOf(daemon.stopService())

    def test_firstSIGTERM(self) -> None:
        """
        The first signal begins the graceful stop: the reactor is stopped, which
        stops the service, and no connection is reset.
        """
        self.checkFirst(signal.SIGTERM)

    def test_firstSIGINT(self) -> None:
        """
        What a terminal sends is answered as what a supervisor sends.
        """
        self.checkFirst(signal.SIGINT)

    def test_second(self) -> None:
        """
        A second one, be it the other kind, resets all connections, and the
        reactor is not stopped twice, which it does not like.
        """
        log = logOf(self)
        daemon = self.daemon()
        daemon.startService()
        self.reactor.run()
        relay = self.relay()
        self.come()
        self.signalled(signal.SIGTERM)
        stopped = daemon.stopService()
        stops: list[str] = []
        self.patch(self.reactor, "stop", lambda: stops.append("again"))
        self.assertEqual(relay.aborted, 0)
        self.signalled(signal.SIGINT)
        self.assertEqual((relay.aborted, stops), (1, []))
        self.assertNoResult(stopped)
        self.endConnection(relay)
        self.successResultOf(stopped)
        named = [(event["name"], event["log_level"]) for event in log if "name" in event]
        self.assertEqual(named, [("SIGTERM", LogLevel.info), ("SIGINT", LogLevel.warn)])

    def test_whileStopping(self) -> None:
        """
        Where the stop is under way for another reason, the first signal does
        what else the second does.
        """
        daemon = self.daemon()
        daemon.startService()
        self.reactor.run()
        relay = self.relay()
        self.come()
        stopped = daemon.stopService()
        stops: list[str] = []
        self.patch(self.reactor, "stop", lambda: stops.append("twice"))
        self.signalled(signal.SIGTERM)
        self.assertEqual((relay.aborted, stops), (1, []))
        self.endConnection(relay)
        self.successResultOf(stopped)


class HangupTests(DaemonCase):
    """
    SIGHUP loads the configuration file again.
    """

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))

    def hangup(self) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        self.reactor.advance(0)

    def started(self, text: str) -> Daemon:
        self.path = self.mktemp()
        self.write(text)
        loaded = loadConfiguration(self.path)
        daemon = self.daemon()
        self.manager.apply(loaded.services)
        ConfigurationFile(self.lbs, loaded)
        daemon.startService()
        return daemon

    def write(self, text: str) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_reload(self) -> None:
        text = SMALL.decode().replace("127.0.0.1:8080", f"127.0.0.1:{self.freePort()}")
        before = signal.getsignal(signal.SIGHUP)
        daemon = self.started(text)
        told: list[Event] = []
        self.manager.subscribe(told.append)
        self.write(text.replace('name="prod"', 'name="prod" scheduler="rand"'))
        self.hangup()
        self.assertEqual(
            [(event.kind.value, event.by) for event in told],
            [("scheduler-changed", "signal:SIGHUP")],
        )
        self.write("no XML")
        self.hangup()
        self.assertEqual(self.manager.getGroup("web", "prod").scheduler, "rand")
        self.assertEqual(len(told), 1)
        stopped = daemon.stopService()
        daemon.reload()
        self.successResultOf(stopped)
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)

    def test_noFile(self) -> None:
        """
        If there is nothing to load, it is a terminal that was closed, and stops the balancer as
        the other signals do, instead of killing the process.
        """
        log = logOf(self)
        before = signal.getsignal(signal.SIGHUP)
        daemon = self.daemon()
        daemon.startService()
        self.reactor.run()
        self.reactor.hasStopped = False
        self.hangup()
        self.assertTrue(self.reactor.hasStopped)
        self.successResultOf(daemon.stopService())
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)
        self.assertEqual([event["name"] for event in log if "name" in event], ["SIGHUP"])

    def test_early(self) -> None:
        """
        One that came before the start is answered once, as the file may have been read before.
        """
        self.patch(earlySignals, "came", {signal.SIGHUP})
        text = SMALL.decode().replace("127.0.0.1:8080", f"127.0.0.1:{self.freePort()}")
        log = logOf(self)
        daemon = self.started(text)
        self.reactor.advance(0)
        self.reactor.run()
        self.reactor.advance(0)
        found = [event for event in log if str(event["log_format"]).startswith("SIGHUP: loading")]
        self.assertEqual(len(found), 1)
        self.successResultOf(daemon.stopService())

    def test_user(self) -> None:
        """
        SIGUSR1, which is for log files, does not kill a balancer that has none. A handler that is
        there is left alone.
        """
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        told: list[int] = []
        for handler in (signal.SIG_DFL, lambda number, _: told.append(number)):
            signal.signal(signal.SIGUSR1, handler)
            daemon = self.daemon()
            daemon.startService()
            os.kill(os.getpid(), signal.SIGUSR1)
            self.successResultOf(daemon.stopService())
            self.assertEqual(signal.getsignal(signal.SIGUSR1), handler)
        self.assertEqual(told, [signal.SIGUSR1])
